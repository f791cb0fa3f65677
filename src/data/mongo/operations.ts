// Operations on their way to the driver: bounded in number and time, ended by their signal, refused while the server is known to be away,
// waited for when the database closes; and every failure as one of ours.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ClientSession } from 'mongodb'
import { remainingMs } from '../../core/request-signal.ts'
import { isSocketError, MongoBusyError, MongoTimeoutError, MongoUnavailableError, mapError } from './errors.ts'
import type { LostWrites } from './lost-writes.ts'
import type { MongoStats } from './mongo-metrics.ts'

export interface OperationOptions {
  /**
   * Ends the waiting, and a read on the server, too. A write that has been sent may be done or not.
   */
  readonly signal?: AbortSignal | undefined
}

/** What every operation of the driver is given. */
export interface Given {
  signal?: AbortSignal
  maxTimeMS?: number
  session?: ClientSession
}

export interface OperationsOptions {
  /** Hosts and database, for messages. */
  readonly where: string
  readonly maxConnections: number
  readonly maxWaiting: number
  readonly operationTimeoutMs: number
  readonly log?: OutageLog | undefined
}

/** Where it is said that the server went away, and came back; pino's shape. */
export interface OutageLog {
  warn(message: string): void
  info?(message: string): void
}

// After nobody could take an operation, newcomers get the same answer for this long without an attempt of their own. As in postgres/.
const RETRY_AFTER_MS = 500

const READ_TRIES = 3

export class Operations {
  readonly #options: OperationsOptions
  readonly #lostWrites: LostWrites
  #running = 0
  #closed = false
  #idle: (() => void) | undefined
  #away: { readonly error: unknown; readonly untilMs: number } | undefined
  #isLost = false
  readonly #counts = { losses: 0, away: 0, busy: 0, timeouts: 0 }

  constructor(options: OperationsOptions, lostWrites: LostWrites) {
    this.#options = options
    this.#lostWrites = lostWrites
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Running and waiting. */
  get running(): number {
    return this.#running
  }

  get stats(): MongoStats {
    return { ...this.#counts, running: this.#running, isReachable: !this.#isLost }
  }

  /** @throws the typed errors of errors.ts; the signal's reason */
  async run<T>(
    { signal }: OperationOptions,
    session: ClientSession | undefined,
    operation: (given: Given) => Promise<T>,
  ): Promise<T> {
    this.enter(signal)
    try {
      const result = await operation(await this.given(signal, session))
      this.#answered()
      return result
    } catch (error) {
      throw this.failure(error, signal)
    } finally {
      this.leave()
    }
  }

  /** The same for what changes nothing: tried again when its connection was gone. The driver does so too, but for errors of the socket itself. */
  read<T>(
    options: OperationOptions,
    session: ClientSession | undefined,
    operation: (given: Given) => Promise<T>,
  ): Promise<T> {
    return this.run(options, session, async given => {
      for (let triesLeft = READ_TRIES - 1; ; triesLeft--) {
        try {
          return await operation(given)
        } catch (error) {
          if (triesLeft === 0 || session || !isSocketError(error)) throw error
          // The other connections that went with it tell the driver so in the loop's next turn.
          await nextTurn()
        }
      }
    })
  }

  /** @param limits  whose time bounds it; what is read while an answer streams outlives the request's, which ends at the answer's head */
  async given(
    signal: AbortSignal | undefined,
    session: ClientSession | undefined,
    limits: 'request' | 'operation' = 'request',
  ): Promise<Given> {
    // The limit of a request is set when its handler has returned a promise: not yet, where this is the first thing that it does.
    if (signal) await Promise.resolve()
    const given: Given = {}
    if (signal) given.signal = signal
    if (session) given.session = session
    // What is left of the request's time, so that the server does not work for who has given up.
    const leftMs = limits === 'request' ? remainingMs(signal) : Infinity
    const timeMs = Math.min(this.#options.operationTimeoutMs || Infinity, leftMs)
    if (timeMs < Infinity) given.maxTimeMS = Math.max(1, Math.ceil(timeMs))
    return given
  }

  /** Counts one more. @throws MongoUnavailableError, MongoBusyError, the signal's reason */
  enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    const { where, maxConnections, maxWaiting } = this.#options
    if (this.#closed) throw new MongoUnavailableError(`MongoDB at ${where}: this connection is closed`)
    if (this.#away) {
      if (performance.now() < this.#away.untilMs) {
        this.#counts.away++
        throw this.#away.error
      }
      this.#away = undefined
    }
    if (this.#running >= maxConnections + maxWaiting) {
      this.#counts.busy++
      throw new MongoBusyError(
        'MONGO_POOL_FULL',
        `MongoDB at ${where}: ${maxConnections} connections are busy and ${maxWaiting} operations wait`,
      )
    }
    this.#running++
    this.#lostWrites.watch()
  }

  leave(): void {
    if (--this.#running === 0) this.#idle?.()
  }

  failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted && error === signal.reason) return error
    const mapped = mapError(error, this.#options.where)
    if (mapped instanceof MongoBusyError) this.#counts.busy++
    else if (mapped instanceof MongoTimeoutError) this.#counts.timeouts++
    else if (mapped instanceof MongoUnavailableError) this.#unanswered(mapped, error as Error)
    return mapped
  }

  #answered(): void {
    this.#away = undefined
    if (!this.#isLost) return
    this.#isLost = false
    this.#options.log?.info?.(`MongoDB at ${this.#options.where} is back`)
  }

  #unanswered(mapped: MongoUnavailableError, error: Error): void {
    this.#counts.away++
    if (!isNobodyThere(error)) return
    this.#away = { error: mapped, untilMs: performance.now() + RETRY_AFTER_MS }
    if (this.#isLost) return
    this.#isLost = true
    this.#counts.losses++
    // Once for each outage: the operations themselves are told by their own errors, and clients by 503.
    this.#options.log?.warn(`${mapped.message}; trying again`)
  }

  /** Takes no more, and resolves when none is running, or after the time. */
  async close(withinMs: number): Promise<void> {
    this.#closed = true
    if (this.#running === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#idle = resolve
      timer = setTimeout(resolve, withinMs)
    })
    clearTimeout(timer)
  }
}

/** No server could be found, or the one that is known takes no connection; a connection that was lost may be the only one. */
function isNobodyThere({ name, message }: Error): boolean {
  return name === 'MongoServerSelectionError' || message.includes('ECONNREFUSED')
}
