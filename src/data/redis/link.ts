// A connection to Redis that is honest about being there: each command is answered, fails, or times out, and while nothing answers
// the next ones fail at once.
//
// Three ways in which Redis is away, and how each is noticed:
//   refused   its connection broke, or cannot be made: the driver says so, and connects again by itself
//   silent    the connection is there and nothing comes back (a stopped server, a cable that was pulled): the first command that times out
//             says so. One PING at a time asks until an answer comes in time
//   dead      silent for longer: the connection is thrown away and made anew, since TCP would try for a quarter of an hour
import { milliseconds, type Duration } from '../../core/duration.ts'
import { makeDriver, type Driver } from './driver.ts'
import { mapError, RedisSettingsError, RedisTimeoutError, RedisUnavailableError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'

/** Where it is said that Redis is away, and that it is back; pino's shape. */
export interface LinkLog {
  warn(message: string): void
  info?(message: string): void
}

export interface LinkEvents {
  /** From now on commands fail at once. */
  lost?(): void
  /** The first connection, or answers again. */
  ready?(driver: Driver): void
}

/** How commands end early. */
export interface CommandBounds {
  /** The wait ends when this aborts; a command that was sent may still be run. */
  readonly signal?: AbortSignal | undefined
  /** Instead of `commandTimeout`. */
  readonly timeout?: Duration | undefined
}

/** The same in milliseconds. */
export interface Bound {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** @throws UsageError `CORE_BAD_DURATION` */
export function boundOf({ signal, timeout }: CommandBounds): Bound {
  return { signal, timeoutMs: timeout === undefined ? undefined : milliseconds(timeout) }
}

const PING = 'PING'
const PROBE_PAUSE_MS = 100
/** Where reads are answered from this process's memory none of them would notice that Redis has gone silent. */
const HEARTBEAT_MS = 1_000
/** Longer than a pause of any healthy server, shorter than anybody's patience. */
const DEAD_AFTER_MS = 5_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000

export class Link {
  readonly #options: ResolvedOptions
  readonly #log: LinkLog
  readonly #events: LinkEvents
  #driver: Driver
  #state: 'connecting' | 'ready' | 'refused' | 'silent' | 'closed' = 'connecting'
  #heardMs = 0
  #probing: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined
  /** Whether the start has ended: a wrong password is a reason not to start, and later one to wait for the right one. */
  #isStarted = false
  #connecting: Promise<void> | undefined
  readonly counts = { timeouts: 0, refused: 0, losses: 0 }

  constructor(options: ResolvedOptions, log: LinkLog, events: LinkEvents = {}) {
    this.#options = options
    this.#log = log
    this.#events = events
    this.#driver = this.#make()
  }

  get isReachable(): boolean {
    return this.#state === 'ready' && this.#driver.isReady
  }

  get driver(): Driver {
    return this.#driver
  }

  /**
   * Connects; with `start: 'degraded'` in the background.
   *
   * @throws RedisSettingsError at once where trying again cannot help, RedisUnavailableError after `startTimeout`, the signal's reason
   */
  async open(signal?: AbortSignal): Promise<void> {
    if (this.#options.clientSideCache) this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    if (this.#options.start === 'degraded') {
      this.#isStarted = true
      this.#connecting = this.#connect()
      return
    }
    this.#connecting = this.#connect()
    const { startTimeoutMs, where } = this.#options
    try {
      await within(this.#connecting, startTimeoutMs, signal, () => {
        return new RedisUnavailableError(`Redis at ${where} did not answer within ${startTimeoutMs} ms of the start`)
      })
    } catch (error) {
      await this.close(0)
      signal?.throwIfAborted()
      throw mapError(error, 'the connection')
    }
    this.#isStarted = true
  }

  /** Resolves when it is connected for the first time, or after `ms`. */
  async connectedWithin(ms: number): Promise<void> {
    if (this.#connecting) await within(this.#connecting, ms, undefined, () => undefined).catch(noop)
  }

  /**
   * Runs a command within its bound.
   *
   * @param what  the command's name, for messages
   * @throws RedisUnavailableError at once while Redis is away, RedisTimeoutError, what Redis refuses it with, the signal's reason
   */
  run<T>(what: string, send: (driver: Driver) => Promise<T>, bound: Bound = {}): Promise<T> {
    const { signal, timeoutMs = this.#options.commandTimeoutMs } = bound
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    if (!this.isReachable) {
      this.counts.refused++
      return Promise.reject(this.#away())
    }
    const driver = this.#driver
    let sentMs = performance.now()
    let sent: Promise<T>
    try {
      sent = send(driver)
    } catch (error) {
      return Promise.reject(mapError(error, what))
    }
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      // Time that our own loop was blocked is not Redis's: it counts from the end of this turn, in which the driver writes, and an answer that
      // lies in the socket when it is over is read first.
      let turn: NodeJS.Immediate | undefined = setImmediate(() => {
        sentMs = performance.now()
        timer = setTimeout(() => (turn = setImmediate(late)), timeoutMs)
      })
      const settled = (): void => {
        clearImmediate(turn)
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
      }
      const aborted = (): void => {
        settled()
        reject(signal!.reason as Error)
      }
      const late = (): void => {
        settled()
        this.counts.timeouts++
        reject(new RedisTimeoutError(what, timeoutMs))
        this.#unanswered(driver, sentMs)
      }
      signal?.addEventListener('abort', aborted, { once: true })
      sent.then(
        reply => {
          this.#heard(what)
          settled()
          resolve(reply)
        },
        (error: unknown) => {
          settled()
          const mapped = mapError(error, what)
          if (!(mapped instanceof RedisUnavailableError)) this.#heard(what)
          reject(mapped)
        },
      )
    })
  }

  /** Ends it; what was sent is waited for, `withinMs` at most. */
  async close(withinMs: number): Promise<void> {
    if (this.#state === 'closed') return
    const wasReady = this.isReachable
    this.#state = 'closed'
    clearTimeout(this.#probing)
    clearInterval(this.#heartbeat)
    if (wasReady && withinMs > 0)
      await within(this.#driver.close(), withinMs, undefined, () => undefined).catch(() => {})
    destroy(this.#driver)
    await this.#connecting?.catch(() => {})
  }

  #make(): Driver {
    const driver: Driver = makeDriver(this.#options, {
      lost: error => {
        if (driver === this.#driver) this.#lost(error)
      },
      ready: () => {
        if (driver === this.#driver) this.#ready()
      },
      isHopeless: error => !this.#isStarted && mapError(error, 'the connection') instanceof RedisSettingsError,
    })
    return driver
  }

  // The driver of a single server tries for ever by itself; those of clusters and sentinels give up when none of their nodes answers.
  async #connect(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const driver = this.#driver
      try {
        await driver.connect()
        return this.#ready()
      } catch (error) {
        if (this.#state === 'closed' || driver !== this.#driver) return
        const mapped = mapError(error, 'the connection')
        if (mapped instanceof RedisSettingsError && !this.#isStarted) throw mapped
        this.#lost(error)
        await new Promise(resolve => setTimeout(resolve, pauseMs))
        if (this.#isClosed()) return
        this.#redial(false)
      }
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #ready(): void {
    if (this.#state === 'closed' || this.#state === 'ready' || !this.#driver.isReady) return
    const wasAway = this.#state !== 'connecting'
    clearTimeout(this.#probing)
    this.#state = 'ready'
    this.#heardMs = performance.now()
    if (wasAway) this.#log.info?.(`Redis at ${this.#options.where} is back`)
    this.#events.ready?.(this.#driver)
  }

  #lost(error: unknown): void {
    if (this.#state === 'closed') return
    // A cluster says so of each node; as long as others answer, only the commands of that node fail.
    if (this.#options.target.kind === 'cluster' && this.#state === 'ready' && this.#driver.isReady) {
      this.#events.lost?.()
      return this.#events.ready?.(this.#driver)
    }
    const isNews = this.#state !== 'refused'
    this.#state = 'refused'
    clearTimeout(this.#probing)
    if (!isNews) return
    this.counts.losses++
    const { message, code } = (error ?? {}) as { message?: string; code?: string }
    this.#log.warn(`Redis at ${this.#options.where} is away (${message || code || String(error)}); trying again`)
    this.#events.lost?.()
  }

  // A command timed out. If nothing at all came back since it was sent, the connection is silent.
  #unanswered(driver: Driver, sentMs: number): void {
    if (driver !== this.#driver || this.#state !== 'ready' || this.#heardMs > sentMs) return
    this.#state = 'silent'
    this.counts.losses++
    this.#log.warn(`Redis at ${this.#options.where} does not answer; trying again`)
    this.#events.lost?.()
    this.#probe(driver, sentMs)
  }

  /** An answer may be from this process's memory, where there is one; that to a PING never is. */
  #heard(what: string): void {
    if (this.#options.clientSideCache === undefined || what === PING) this.#heardMs = performance.now()
  }

  /** What does not come back is noticed as with any other command. */
  #beat(): void {
    if (!this.isReachable) return
    const timeoutMs = Math.min(this.#options.commandTimeoutMs, HEARTBEAT_MS)
    this.run(PING, driver => driver.send('', [PING]), { timeoutMs }).catch(noop)
  }

  #probe(driver: Driver, sinceMs: number): void {
    let heardMs = Math.max(sinceMs, this.#heardMs)
    const again = (): void => {
      if (driver !== this.#driver || this.#state !== 'silent') return
      if (performance.now() - heardMs > DEAD_AFTER_MS) return this.#redial(true)
      this.#probing = setTimeout(ask, PROBE_PAUSE_MS)
    }
    const ask = (): void => {
      const asked = driver.send('', [PING])
      // Late ones too: a slow server is not a dead one.
      asked.then(() => (heardMs = performance.now()), noop)
      within(asked, this.#options.commandTimeoutMs, undefined, () => new Error('late')).then(() => {
        if (driver === this.#driver && this.#state === 'silent') this.#ready()
      }, again)
    }
    ask()
  }

  #redial(connect: boolean): void {
    const old = this.#driver
    this.#driver = this.#make()
    this.#state = 'refused'
    destroy(old)
    if (connect) this.#connecting = this.#connect()
  }

  #away(): RedisUnavailableError {
    return new RedisUnavailableError(
      this.#state === 'closed' ? 'The connection to Redis is closed' : `Redis at ${this.#options.where} is away`,
    )
  }
}

function destroy(driver: Driver): void {
  try {
    // A sentinel's is a promise.
    void Promise.resolve(driver.destroy()).catch(noop)
  } catch {
    // It was not open.
  }
}

/** @param late  makes what is thrown; undefined: nothing is */
function within<T>(
  promise: Promise<T>,
  ms: number,
  signal: AbortSignal | undefined,
  late: () => Error | undefined,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
    }
    const aborted = (): void => {
      settle()
      reject(signal!.reason as Error)
    }
    const timer =
      ms === Infinity
        ? undefined
        : setTimeout(() => {
            settle()
            const error = late()
            if (error) reject(error)
            else resolve(undefined)
          }, ms)
    if (signal?.aborted) return aborted()
    signal?.addEventListener('abort', aborted, { once: true })
    promise.then(
      value => (settle(), resolve(value)),
      (error: unknown) => (settle(), reject(error as Error)),
    )
  })
}

function noop(): void {}
