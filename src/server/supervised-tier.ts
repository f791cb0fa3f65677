// The second tier of a worker whose supervisor keeps what its siblings have loaded (shared-cache.ts): what it asks goes out once a turn of the
// loop, all in one message.
//
// A supervisor that does not answer within ANSWER_MS is left alone for ten seconds: each worker then loads for itself, as one without siblings
// does. Whoever waits for a sibling's load hears of it every second, and stops waiting when it does not.
import { INVALIDATIONS } from '../cache/invalidation.ts'
import type {
  Claim,
  Invalidation,
  Lease,
  SecondTier,
  TierListener,
  TierStats,
  TierValue,
} from '../cache/second-tier.ts'
import { noCounts } from '../cache/tier-counts.ts'
import type { Host } from '../core/host.ts'
import type { CacheAnswer, CacheAsk } from './cache-messages.ts'
import { received, sentForm } from './shared-cache.ts'

interface Asked {
  readonly settle: (answer: CacheAnswer) => void
  /** Nobody answers. */
  readonly giveUp: () => void
  timer: NodeJS.Timeout
}

/**
 * What a request loses at most when the supervisor is stopped or swamped: as long as an invalidation waits for a worker. It answers within a
 * millisecond, in hundreds where many more processes want to run than there are processors.
 */
const ANSWER_MS = 1_000
/** It says every second that a load goes on. */
const WORD_MS = 3_000
/** After it has not answered. */
const PAUSE_MS = 10_000
/** For as long a lease that comes too late is still given back; then its time passes it on. */
const LATE_MS = 60_000
/** As an invalidation over the host. */
const BOUND_MS = 1_000

export class SupervisedTier implements SecondTier {
  readonly isOfHost = true
  readonly #host: Host
  readonly #send: (asks: readonly CacheAsk[]) => void
  readonly #now: () => number
  readonly #asked = new Map<number, Asked>()
  readonly #counts = noCounts()
  #outbox: CacheAsk[] = []
  #lastId = 0
  #awayUntilMs = 0

  /** @param now  milliseconds, never backwards */
  constructor(host: Host, send: (asks: readonly CacheAsk[]) => void, now: () => number = () => performance.now()) {
    this.#now = now
    this.#host = host
    this.#send = send
  }

  /** One worker has nobody to share with. */
  get isReachable(): boolean {
    return this.#host.workers > 1 && this.#now() >= this.#awayUntilMs
  }

  get stats(): TierStats {
    return { ...this.#counts }
  }

  async claim(
    name: string,
    key: string,
    of: { readonly signal?: AbortSignal; readonly freshForMs?: number } = {},
  ): Promise<Claim> {
    const { signal, freshForMs } = of
    signal?.throwIfAborted()
    const answer = this.isReachable ? await this.#claim(name, key, freshForMs, signal) : undefined
    switch (answer?.state) {
      case 'found':
        this.#counts.found++
        return { state: 'found', value: received(answer.value) }
      case 'stale':
        this.#counts.stale++
        return {
          state: 'stale',
          value: received(answer.value),
          lease: answer.token === undefined ? undefined : this.#lease(name, key, answer.token),
        }
      case 'yours':
        this.#counts.missed++
        return { state: 'yours', lease: this.#lease(name, key, answer.token) }
      case 'failed':
        return { state: 'failed', message: answer.message, retryInMs: answer.retryInMs }
      default:
        this.#counts.alone++
        return { state: 'alone' }
    }
  }

  async invalidate(what: Invalidation): Promise<boolean> {
    await this.#host.request(INVALIDATIONS, what, BOUND_MS)
    return true
  }

  remember(): void {}

  discard(name: string, key: string): Promise<void> {
    this.#counts.poisoned++
    this.#ask({ do: 'discard', name, key })
    return Promise.resolve()
  }

  listen({ invalidated }: TierListener): () => void {
    return this.#host.respond(INVALIDATIONS, what => invalidated(what as Invalidation))
  }

  checkPulse(): void {}

  /** What the supervisor says. */
  receive(answers: readonly CacheAnswer[]): void {
    for (const answer of answers) {
      const asked = this.#asked.get(answer.id)
      if (asked) asked.settle(answer)
    }
  }

  /** @returns undefined when nobody answers. @throws the reason of the signal */
  #claim(
    name: string,
    key: string,
    freshForMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<CacheAnswer | undefined> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      let isHeld = false
      const end = () => {
        clearTimeout(asked.timer)
        this.#asked.delete(id)
        signal?.removeEventListener('abort', left)
      }
      const left = () => {
        end()
        this.#leave(id, name, key)
        reject(signal!.reason as Error)
      }
      const asked: Asked = {
        settle: answer => {
          if (answer.state === 'held') {
            if (!isHeld) this.#counts.waited++
            isHeld = true
            clearTimeout(asked.timer)
            asked.timer = this.#patience(id, WORD_MS)
            return
          }
          end()
          resolve(answer)
        },
        giveUp: () => {
          end()
          this.#leave(id, name, key)
          this.#leaveAlone()
          resolve(undefined)
        },
        timer: this.#patience(id, ANSWER_MS),
      }
      this.#asked.set(id, asked)
      signal?.addEventListener('abort', left, { once: true })
      this.#ask({ do: 'claim', id, name, key, ...(freshForMs !== undefined && { freshForMs }) })
    })
  }

  /** Nobody waits for that claim any more. Its answer may be on its way: a lease that it brings is given back. */
  #leave(id: number, name: string, key: string): void {
    const late: Asked = {
      settle: answer => {
        if (answer.state === 'held') return
        clearTimeout(late.timer)
        this.#asked.delete(id)
        if ((answer.state === 'yours' || answer.state === 'stale') && answer.token !== undefined)
          this.#ask({ do: 'abandon', name, key, token: answer.token })
      },
      giveUp: () => this.#asked.delete(id),
      timer: this.#patience(id, LATE_MS),
    }
    this.#asked.set(id, late)
    this.#ask({ do: 'leave', id, name, key })
  }

  #lease(name: string, key: string, token: number): Lease {
    return {
      fulfil: value => this.#fulfil(name, key, token, value),
      abandon: failure => {
        this.#ask({ do: 'abandon', name, key, token, ...(failure && { failure }) })
        return Promise.resolve()
      },
      withdraw: () => {
        this.#ask({ do: 'withdraw', name, key, token })
        return Promise.resolve()
      },
    }
  }

  #fulfil(name: string, key: string, token: number, value: TierValue): Promise<boolean> {
    const id = ++this.#lastId
    return new Promise(resolve => {
      const end = (isStored: boolean) => {
        clearTimeout(asked.timer)
        this.#asked.delete(id)
        resolve(isStored)
      }
      const asked: Asked = {
        settle: answer => {
          if (answer.state === 'ended') this.#counts[answer.ending]++
          end(answer.state === 'ended' && answer.ending === 'stored')
        },
        giveUp: () => {
          this.#leaveAlone()
          end(false)
        },
        timer: this.#patience(id, WORD_MS),
      }
      this.#asked.set(id, asked)
      this.#ask({ do: 'fulfil', id, name, key, token, value: sentForm(value) })
    })
  }

  #leaveAlone(): void {
    if (this.isReachable) this.#counts.losses++
    this.#awayUntilMs = this.#now() + PAUSE_MS
  }

  /** Where it is our own loop that was late, what has arrived meanwhile is read first. */
  #patience(id: number, ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      const asked = this.#asked.get(id)
      setImmediate(() =>
        setImmediate(() => {
          if (asked !== undefined && this.#asked.get(id) === asked) asked.giveUp()
        }),
      )
    }, ms).unref()
  }

  #ask(ask: CacheAsk): void {
    if (this.#outbox.push(ask) > 1) return
    setImmediate(() => {
      const asks = this.#outbox
      this.#outbox = []
      this.#send(asks)
    })
  }
}
