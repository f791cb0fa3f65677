// Lends out a bounded number of things that are slow to open: at most `max` at once, first come first served, never one lost.
//
// The rules:
//   1. opened + being opened <= max, always;
//   2. who waits leaves the line by getting one, by its signal, by its time-out, or because nothing can be opened;
//   3. what is returned goes straight to the one who waits longest, else on top of the idle ones (the warmest is lent next);
//   4. when opening fails and nothing is open, all who wait are told at once, and for a moment newcomers too, without a new attempt:
//      a database that is down costs one connection attempt per `retryAfterMs`, not one per request.
import { Histogram } from '../../core/histogram.ts'
import { PoolFullError, DatabaseUnavailableError } from './errors.ts'

export interface PoolOptions<T> {
  open(): Promise<T>
  close(item: T): Promise<void>
  readonly max: number
  /** How many may wait; the next one is refused. */
  readonly maxWaiting: number
  readonly acquireTimeoutMs: number
  /** An idle item is closed after this, while more than `min` are open. */
  readonly idleTimeoutMs: number
  readonly min: number
  /** An item older than this is closed when it is next idle. */
  readonly maxLifetimeMs: number
  /** How long a failure to open is taken as the answer for newcomers. */
  readonly retryAfterMs: number
  /** What things are of, for messages. */
  readonly where: string
}

export interface PoolState {
  readonly open: number
  readonly idle: number
  readonly waiting: number
  readonly max: number
}

// Seconds: from a handful of queries in front to the default `acquireTimeout`.
const WAIT_BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

// A timer of more than 24 days fires at once.
const LONGEST_SWEEP_MS = 3_600_000

interface Waiter<T> {
  readonly resolve: (item: T) => void
  readonly reject: (error: unknown) => void
}

interface Idle<T> {
  readonly item: T
  readonly sinceMs: number
}

export class Pool<T extends object> {
  #options: PoolOptions<T>
  /** Everything open, lent or idle, with the moment at which it is too old. */
  readonly #expiresAtMs = new Map<T, number>()
  readonly #idle: Idle<T>[] = []
  readonly #waiting = new Set<Waiter<T>>()
  #opening = 0
  readonly #openings = new Set<Promise<void>>()
  readonly #closings = new Set<Promise<void>>()
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined
  #retry: NodeJS.Timeout | undefined
  #sweep: NodeJS.Timeout | undefined
  #closed = false
  /** Seconds that callers waited who got something, those who did not have to included. */
  readonly waits = new Histogram(WAIT_BOUNDS)
  /** Callers who got nothing because the line was full or the wait too long. */
  refused = 0
  #emptied: (() => void) | undefined

  constructor(options: PoolOptions<T>) {
    this.#options = options
  }

  get state(): PoolState {
    const { max } = this.#options
    return { open: this.#expiresAtMs.size, idle: this.#idle.length, waiting: this.#waiting.size, max }
  }

  /**
   * @returns an item to be given back by `release` or `discard`; at once when one is idle
   * @throws PoolFullError, DatabaseUnavailableError, whatever `open` failed with, or the signal's reason
   */
  acquire(signal?: AbortSignal): T | Promise<T> {
    signal?.throwIfAborted()
    if (this.#closed) throw closing()
    const idle = this.#idle.pop()
    if (idle) {
      this.waits.observe(0)
      return idle.item
    }
    if (this.#failure && this.#expiresAtMs.size === 0) {
      if (performance.now() < this.#failure.untilMs) throw this.#failure.error
      this.#failure = undefined
    }
    if (this.#waiting.size >= this.#options.maxWaiting) {
      const { max, maxWaiting } = this.#options
      this.refused++
      throw new PoolFullError('POSTGRES_POOL_FULL', `all ${max} connections are lent and ${maxWaiting} callers wait`)
    }
    return this.#wait(signal)
  }

  /** Gives an item back. */
  release(item: T): void {
    const expiresAtMs = this.#expiresAtMs.get(item)
    if (expiresAtMs === undefined) return // discarded meanwhile
    const isTooMany = this.#expiresAtMs.size > this.#options.max
    if (this.#closed || isTooMany || performance.now() > expiresAtMs) this.discard(item)
    else this.#offer(item)
  }

  /** Closes an item, lent or idle, and forgets it; the pool opens another when somebody waits. */
  discard(item: T): void {
    if (!this.#expiresAtMs.delete(item)) return
    const index = this.#idle.findIndex(idle => idle.item === item)
    if (index >= 0) this.#idle.splice(index, 1)
    const gone = this.#options.close(item).catch(() => {})
    this.#closings.add(gone)
    void gone.then(() => this.#closings.delete(gone))
    if (this.#expiresAtMs.size === 0) this.#emptied?.()
    this.#grow()
  }

  /** Allows more or fewer; what is lent beyond that is closed when it comes back. */
  resize(size: { readonly max: number; readonly maxWaiting: number }): void {
    this.#options = { ...this.#options, ...size, min: Math.min(this.#options.min, size.max) }
    while (this.#idle.length > 0 && this.#expiresAtMs.size > size.max) this.discard(this.#idle[0]!.item)
    this.#grow()
  }

  /** Lends no more, tells those who wait, and resolves when everything is closed; what is still lent after `withinMs` is closed too. */
  async close(withinMs: number): Promise<void> {
    this.#closed = true
    clearTimeout(this.#sweep)
    clearTimeout(this.#retry)
    for (const waiter of this.#waiting) waiter.reject(closing())
    for (const { item } of this.#idle.slice()) this.discard(item)
    if (this.#expiresAtMs.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#emptied = resolve
      const timer = setTimeout(resolve, withinMs)
      await promise
      clearTimeout(timer)
    }
    for (const item of [...this.#expiresAtMs.keys()]) this.discard(item)
    await Promise.all(this.#openings)
    await Promise.all(this.#closings)
  }

  #wait(signal: AbortSignal | undefined): Promise<T> {
    const { acquireTimeoutMs } = this.#options
    const sinceMs = performance.now()
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter)
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter<T> = {
        resolve: item => {
          leave()
          this.waits.observe((performance.now() - sinceMs) / 1000)
          resolve(item)
        },
        reject: error => (leave(), reject(error)),
      }
      const onAbort = (): void => waiter.reject(signal!.reason)
      const timer = setTimeout(() => {
        this.refused++
        waiter.reject(this.#tooLong())
      }, acquireTimeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(waiter)
      this.#grow()
    })
  }

  #tooLong(): Error {
    const { acquireTimeoutMs, max, where } = this.#options
    const open = this.#expiresAtMs.size
    // A server that accepts and says nothing: nobody has what is waited for.
    if (open === 0) return new DatabaseUnavailableError(`${where}: no connection opened within ${acquireTimeoutMs} ms`)
    const lent = open < max ? `${open} of ${max} are open, and lent` : `all ${max} are lent`
    return new PoolFullError('POSTGRES_POOL_WAIT', `no connection became free within ${acquireTimeoutMs} ms; ${lent}`)
  }

  #offer(item: T): void {
    const [waiter] = this.#waiting
    if (waiter) waiter.resolve(item)
    else {
      this.#idle.push({ item, sinceMs: performance.now() })
      this.#sweepLater()
    }
  }

  #grow(): void {
    while (
      !this.#closed &&
      this.#retry === undefined &&
      this.#opening < this.#waiting.size &&
      this.#opening + this.#expiresAtMs.size < this.#options.max
    ) {
      this.#opening++
      const opening = this.#options.open().then(
        item => this.#opened(item),
        (error: unknown) => this.#failedToOpen(error),
      )
      this.#openings.add(opening)
      void opening.then(() => this.#openings.delete(opening))
    }
  }

  #opened(item: T): void {
    this.#opening--
    this.#failure = undefined
    // Up to a tenth earlier than asked, so that connections opened together do not end together.
    const lifetimeMs = this.#options.maxLifetimeMs * (0.9 + 0.1 * Math.random())
    this.#expiresAtMs.set(item, performance.now() + lifetimeMs)
    if (this.#closed) this.discard(item)
    else this.#offer(item)
  }

  #failedToOpen(error: unknown): void {
    this.#opening--
    const { retryAfterMs } = this.#options
    if (this.#expiresAtMs.size === 0) {
      this.#failure = { error, untilMs: performance.now() + retryAfterMs }
      for (const waiter of this.#waiting) waiter.reject(error)
    } else if (!this.#closed) {
      // The open ones still serve those who wait; try again for more a little later.
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        this.#grow()
      }, retryAfterMs).unref()
    }
  }

  #sweepLater(): void {
    const { idleTimeoutMs, maxLifetimeMs, min } = this.#options
    if (this.#sweep || this.#closed) return
    const pauseMs = Math.max(10, Math.min(idleTimeoutMs, maxLifetimeMs, LONGEST_SWEEP_MS) / 2)
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined
      const nowMs = performance.now()
      for (const { item, sinceMs } of this.#idle.slice()) {
        const unused = nowMs - sinceMs >= idleTimeoutMs && this.#expiresAtMs.size > min
        if (unused || nowMs > this.#expiresAtMs.get(item)!) this.discard(item)
      }
      if (this.#idle.length > 0) this.#sweepLater()
    }, pauseMs).unref()
  }
}

function closing(): DatabaseUnavailableError {
  return new DatabaseUnavailableError('the database pool is closed')
}
