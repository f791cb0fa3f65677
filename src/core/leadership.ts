// What one process of several does for all of them. Begun when the process becomes the leader, ended before another does.

/** Runs until it is done or `signal` aborts, and settles soon after that: the next leader waits for it. Whoever gives one handles its errors. */
export type LeaderTask = (signal: AbortSignal) => Promise<void>

interface Led {
  readonly task: LeaderTask
  readonly end: AbortController
  running: Promise<void> | undefined
}

export class Leadership {
  readonly #given = new Set<Led>()
  readonly #resigned: () => void
  #leads = false

  /** @param resigned  everything that was given has been taken back and has ended, while we led */
  constructor(resigned: () => void = () => {}) {
    this.#resigned = resigned
  }

  /** @returns the function that takes it back, and resolves when it has ended */
  add(task: LeaderTask): () => Promise<void> {
    const led: Led = { task, end: new AbortController(), running: undefined }
    this.#given.add(led)
    if (this.#leads) this.#begin(led)
    return () => this.#takeBack(led)
  }

  /** From now on this process leads; again changes nothing. */
  lead(): void {
    if (this.#leads) return
    this.#leads = true
    for (const led of this.#given) this.#begin(led)
  }

  #begin(led: Led): void {
    // In a turn of its own: what it throws at once is a rejection like any other.
    led.running = Promise.resolve()
      .then(() => led.task(led.end.signal))
      .catch(() => {})
  }

  async #takeBack(led: Led): Promise<void> {
    led.end.abort()
    await led.running
    if (!this.#given.delete(led) || this.#given.size > 0 || !this.#leads) return
    this.#leads = false
    this.#resigned()
  }
}
