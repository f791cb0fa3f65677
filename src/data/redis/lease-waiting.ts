// Who waits in this process for leases that others hold. What is said of a lease while its key is claimed again is not lost: a waiter stays
// registered from its first claim to its last.

export class LeaseWaiting {
  readonly #waiters = new Map<string, Set<Waiter>>()

  /** Ask before a claim whose answer may be waited for; `leave` when all is over. */
  join(leaseKey: string): Waiter {
    const waiters = this.#waiters.get(leaseKey) ?? new Set()
    this.#waiters.set(leaseKey, waiters)
    const waiter = new Waiter(() => {
      if (waiters.delete(waiter) && waiters.size === 0 && this.#waiters.get(leaseKey) === waiters)
        this.#waiters.delete(leaseKey)
    })
    waiters.add(waiter)
    return waiter
  }

  ended(leaseKey: string): void {
    for (const waiter of this.#waiters.get(leaseKey) ?? []) waiter.wake()
  }

  wakeAll(): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake()
  }
}

export class Waiter {
  readonly leave: () => void
  #hasEnded = false
  #go: (() => void) | undefined

  constructor(leave: () => void) {
    this.leave = leave
  }

  /** What was said until now is old news: the next claim sees it. */
  forget(): void {
    this.#hasEnded = false
  }

  wake(): void {
    this.#hasEnded = true
    this.#go?.()
  }

  /** Resolves when the lease has ended since `forget`, or after `forMs`. @throws the signal's reason */
  wait(forMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', gone)
        this.#go = undefined
      }
      const go = (): void => (settle(), resolve())
      const gone = (): void => {
        settle()
        reject(signal!.reason as Error)
      }
      // Not all of those who wait at once.
      const timer = setTimeout(go, Math.max(1, forMs) * (1 + 0.2 * Math.random()))
      this.#go = go
      if (signal?.aborted) gone()
      else if (this.#hasEnded) go()
      else signal?.addEventListener('abort', gone, { once: true })
    })
  }
}
