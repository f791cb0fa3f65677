// The streams that a started app is sending: pinged by one timer for all of them, ended when the app is about to stop.
export interface LiveStream {
  /** Once a second while it is open. */
  tick(): void
  /** No more will be sent: it ends as soon as it can, if it is of a kind that has no end of its own. */
  leave(): void
}

const TICK_MS = 1000

export class LiveStreams {
  readonly #open = new Set<LiveStream>()
  #ticker: NodeJS.Timeout | undefined
  #isLeaving = false
  #settled: (() => void)[] = []

  get size(): number {
    return this.#open.size
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  add(stream: LiveStream): void {
    this.#open.add(stream)
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS).unref()
    if (this.#isLeaving) stream.leave()
  }

  /** It has ended, and what it read from has been cleaned up. */
  delete(stream: LiveStream): void {
    this.#open.delete(stream)
    if (this.#open.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
    for (const resolve of this.#settled.splice(0)) resolve()
  }

  /** The app drains: ends those that would go on for ever, and each that is opened from now on. */
  leave(): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    for (const stream of this.#open) stream.leave()
  }

  /** @returns resolves when all have been cleaned up, or when the time is up */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#open.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settled.push(resolve)
    const timer = setTimeout(resolve, timeoutMs)
    await promise
    clearTimeout(timer)
  }

  #tick(): void {
    for (const stream of this.#open) stream.tick()
  }
}
