// What one worker has loaded, kept for the others; and who of them loads what none has. Runs in the supervisor.
//
// It holds bytes that it never looks into, and is bounded in every direction: a value, all values, those who wait, and what is on its way to
// a worker that does not read. Whatever is over a bound is told to load for itself.
import { type Ending, LeaseTable, tierId } from '../cache/lease-table.ts'
import type { Invalidation, TierValue } from '../cache/second-tier.ts'
import type { CacheAnswer, CacheAsk, SentValue } from './cache-messages.ts'
import type { ToWorker } from './messages.ts'

/** What the cache has to know of a worker. */
export interface CacheMember {
  /** Workers of another era run other code, and may keep something else under the same key. */
  readonly era: number
  /** Seconds since it was last heard of. */
  readonly silentTicks: number
  /** @param sent  called when it has been handed to the system, or was lost */
  send(message: ToWorker, sent?: () => void): void
}

interface Waiter<M> {
  readonly member: M
  readonly claim: CacheAsk & { do: 'claim' }
}

export interface SharedCacheOptions {
  /** Of all values. Default 32 MiB. */
  readonly maxBytes?: number
  readonly now?: () => number
}

const MAX_BYTES = 32 * 1024 * 1024
/** Of one value: what is larger costs more on its way than most loads do. */
export const MAX_VALUE_BYTES = 64 * 1024
/** Claims that wait for others at a time. */
const MAX_WAITING = 10_000
/** On the way to one worker: some hundred of the largest values. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024
/** One that has not been heard of for longer is blocked: its leases pass on, long before it is killed. */
const SILENT_TICKS = 2

export class SharedCache<M extends CacheMember> {
  readonly #members: Iterable<M>
  readonly #table: LeaseTable
  readonly #waiting = new Map<string, Waiter<M>[]>()
  #waiters = 0
  /** Answers of this turn, by worker. */
  readonly #answers = new Map<M, CacheAnswer[]>()
  readonly #unread = new WeakMap<M, { bytes: number }>()

  /** @param members  every worker that is alive, now and at any later time */
  constructor(members: Iterable<M>, { maxBytes = MAX_BYTES, now }: SharedCacheOptions = {}) {
    this.#members = members
    this.#table = new LeaseTable({ maxBytes, maxValueBytes: MAX_VALUE_BYTES, ...(now && { now }) })
  }

  hear(from: M, asks: readonly CacheAsk[]): void {
    for (const ask of asks) this.#do(from, ask)
    this.#send()
  }

  /** A worker tells the others, and is told to forget by that: nothing whose claim is older is kept from now on. */
  invalidate(what: Invalidation): void {
    if ('tags' in what) return this.#table.invalidate(what)
    const eras = new Set([...this.#members].map(({ era }) => era))
    for (const era of eras) this.#table.invalidate({ name: named(era, what.name), key: what.key })
  }

  /** What it was to load, another may. */
  gone(member: M): void {
    for (const [id, waiters] of this.#waiting)
      this.#keepWaiting(
        id,
        waiters.filter(waiter => waiter.member !== member),
      )
    this.#release(member)
    this.#send()
  }

  /** Called once a second: passes on what is held by who does not answer, and tells the others that they wait for good reason. */
  watch(): void {
    for (const member of this.#members) if (member.silentTicks > SILENT_TICKS) this.#release(member)
    for (const id of [...this.#waiting.keys()]) this.#wake(id)
    for (const waiters of this.#waiting.values())
      for (const { member, claim } of waiters) this.#answer(member, { id: claim.id, state: 'held' })
    this.#send()
  }

  #do(from: M, ask: CacheAsk): void {
    switch (ask.do) {
      case 'claim':
        return this.#claim({ member: from, claim: ask })
      case 'leave': {
        const id = idOf(from, ask)
        const waiters = this.#waiting.get(id)?.filter(({ member, claim }) => member !== from || claim.id !== ask.id)
        return waiters && this.#keepWaiting(id, waiters)
      }
      case 'fulfil': {
        const id = idOf(from, ask)
        const ending: Ending = this.#table.fulfil(id, ask.token, received(ask.value))
        this.#answer(from, { id: ask.id, state: 'ended', ending })
        return this.#wake(id)
      }
      case 'abandon': {
        const id = idOf(from, ask)
        const isTheirs = this.#table.abandon(id, ask.token, ask.failure)
        if (!isTheirs) return
        if (!ask.failure) return this.#wake(id)
        // Whoever waited for it is told how it ended, however short the pause.
        for (const { member, claim } of this.#waiting.get(id) ?? [])
          this.#answer(member, { id: claim.id, state: 'failed', ...ask.failure })
        return this.#keepWaiting(id, [])
      }
      case 'withdraw': {
        const id = idOf(from, ask)
        return this.#table.withdraw(id, ask.token) ? this.#wake(id) : undefined
      }
      case 'discard':
        return this.#table.discard(idOf(from, ask))
    }
  }

  #claim(waiter: Waiter<M>): void {
    const id = idOf(waiter.member, waiter.claim)
    if (this.#settle(id, waiter)) return
    if (this.#waiters >= MAX_WAITING) return this.#answer(waiter.member, { id: waiter.claim.id, state: 'alone' })
    this.#keepWaiting(id, [...(this.#waiting.get(id) ?? []), waiter])
    this.#answer(waiter.member, { id: waiter.claim.id, state: 'held' })
  }

  /** @returns whether it has its answer */
  #settle(id: string, { member, claim: { id: claimId, freshForMs } }: Waiter<M>): boolean {
    const isDeaf = (this.#unread.get(member)?.bytes ?? 0) > MAX_UNREAD_BYTES
    const claim = isDeaf ? ({ state: 'alone' } as const) : this.#table.claim(id, member, freshForMs)
    switch (claim.state) {
      case 'held':
        return false
      case 'found':
        this.#answer(member, { id: claimId, state: 'found', value: sentForm(claim.value) })
        return true
      case 'stale': {
        const { token } = claim
        const value = sentForm(claim.value)
        this.#answer(member, { id: claimId, state: 'stale', value, ...(token !== undefined && { token }) })
        return true
      }
      default:
        this.#answer(member, { id: claimId, ...claim })
        return true
    }
  }

  /** Something has become of what they wait for. The first of them may be the one to load it. */
  #wake(id: string): void {
    const waiters = this.#waiting.get(id)
    if (waiters)
      this.#keepWaiting(
        id,
        waiters.filter(waiter => !this.#settle(id, waiter)),
      )
  }

  #release(member: M): void {
    for (const id of this.#table.releaseAll(member)) this.#wake(id)
  }

  #keepWaiting(id: string, waiters: Waiter<M>[]): void {
    this.#waiters += waiters.length - (this.#waiting.get(id)?.length ?? 0)
    if (waiters.length === 0) this.#waiting.delete(id)
    else this.#waiting.set(id, waiters)
  }

  #answer(member: M, answer: CacheAnswer): void {
    const answers = this.#answers.get(member)
    if (answers) answers.push(answer)
    else this.#answers.set(member, [answer])
  }

  #send(): void {
    for (const [member, answers] of this.#answers) {
      const bytes = answers.reduce(
        (sum, answer) => sum + ('value' in answer ? (answer.value.bytes?.length ?? 0) : 0),
        0,
      )
      if (bytes === 0) {
        member.send({ type: 'cache', answers })
        continue
      }
      const unread = this.#unread.get(member) ?? { bytes: 0 }
      this.#unread.set(member, unread)
      unread.bytes += bytes
      member.send({ type: 'cache', answers }, () => (unread.bytes -= bytes))
    }
    this.#answers.clear()
  }
}

function idOf({ era }: CacheMember, { name, key }: { readonly name: string; readonly key: string }): string {
  return tierId(named(era, name), key)
}

function named(era: number, name: string): string {
  return `${era} ${name}`
}

/** For the way between processes. What is too large does not travel: that it is so is all that anybody has to know. */
export function sentForm({ bytes, freshForMs, staleForMs, tags }: TierValue): SentValue {
  const isSmall = bytes.byteLength <= MAX_VALUE_BYTES
  const text = isSmall ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') : null
  return { bytes: text, freshForMs, staleForMs, tags }
}

export function received({ bytes, freshForMs, staleForMs, tags }: SentValue): TierValue {
  return { bytes: bytes === null ? TOO_LARGE : Buffer.from(bytes, 'base64'), freshForMs, staleForMs, tags }
}

const TOO_LARGE = new Uint8Array(MAX_VALUE_BYTES + 1)
