// A fixed number of permits and a bounded queue before them: how much of one kind of work runs at once, and who waits for it.
//
// A released permit goes straight to the next waiter, so while anybody waits no newcomer can take it. Knows clocks, not HTTP.
import { badLimit, queueFull, releasedTwice, waitedTooLong } from './errors.ts'
import type { Priority } from './priority.ts'
import { WaitQueue, Waiter } from './wait-queue.ts'

export interface LimiterOptions {
  /** Permits: how many may run at once. */
  readonly concurrent: number
  /** How many more may wait. Default 0: refused at once. */
  readonly queue?: number
  /** As messages name it: 'GET /a limit'. */
  readonly name?: string
  /** In [0, 1); spreads Retry-After. */
  readonly random?: () => number
}

/** setTimeout takes no longer delay; whoever's deadline is further away than 24 days waits without one. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Limiter {
  readonly #concurrent: number
  readonly #queue: number
  readonly #random: () => number
  readonly #waiters = new WaitQueue()
  #inflight = 0

  /** @throws UsageError `FLOW_BAD_LIMIT` */
  constructor({ concurrent, queue = 0, name = 'limit', random = Math.random }: LimiterOptions) {
    if (!Number.isSafeInteger(concurrent) || concurrent < 1) throw badLimit(`${name}.concurrent`, concurrent, 1)
    if (!Number.isSafeInteger(queue) || queue < 0) throw badLimit(`${name}.queue`, queue, 0)
    this.#concurrent = concurrent
    this.#queue = queue
    this.#random = random
  }

  /** Permits in use. */
  get inflight(): number {
    return this.#inflight
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Takes a permit if one is free. No allocation. @returns whether it did: then `release` is owed */
  tryAcquire(): boolean {
    if (this.#inflight >= this.#concurrent) return false
    this.#inflight++
    return true
  }

  /**
   * Waits for a permit; when it resolves, `release` is owed, whatever happened to the signal meanwhile.
   *
   * When the queue is full, the last of a lower priority is pushed out of it to make room.
   *
   * @param signal  its abort leaves the queue
   * @param deadlineMs  on the clock of performance.now(): when it passes the wait ends, and the work is never started
   * @throws OverloadError `FLOW_QUEUE_FULL` or `FLOW_WAITED_TOO_LONG`, both 503 with retryAfterMs; the reason of `signal`
   */
  acquire(priority: Priority, signal?: AbortSignal, deadlineMs: number = Infinity): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const waitMs = deadlineMs - performance.now()
    if (waitMs <= 0) return Promise.reject(waitedTooLong(this.#random()))
    if (this.tryAcquire()) return Promise.resolve()
    if (this.#waiters.size >= this.#queue) {
      const displaced = this.#waiters.popBelow(priority)
      if (!displaced) return Promise.reject(this.#full())
      displaced.refuse(queueFull(`pushed out of the queue by ${priority} work`, this.#random()))
    }
    return this.#wait(priority, signal, waitMs)
  }

  /** Gives a permit back: to the next waiter, if there is one. @throws UsageError `FLOW_RELEASED_TWICE` */
  release(): void {
    if (this.#inflight === 0) throw releasedTwice()
    const next = this.#waiters.shift()
    if (next) next.admit()
    else this.#inflight--
  }

  #wait(priority: Priority, signal: AbortSignal | undefined, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      const settled = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter = new Waiter(
        priority,
        () => {
          settled()
          resolve()
        },
        reason => {
          settled()
          reject(reason)
        },
      )
      const leave = (reason: unknown) => {
        this.#waiters.remove(waiter).refuse(reason)
      }
      const onAbort = () => leave(signal!.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (waitMs <= LONGEST_TIMER_MS) timer = setTimeout(() => leave(waitedTooLong(this.#random())), waitMs)
      this.#waiters.push(waiter)
    })
  }

  #full() {
    return queueFull(
      `${this.#inflight} in flight and ${this.#waiters.size} waiting, as many as allowed`,
      this.#random(),
    )
  }
}
