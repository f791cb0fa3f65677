// Work deferred until after a response: best effort, bounded, waited for at drain, and counted when lost.

export interface AfterResponseOptions {
  /** Tasks running or waiting at once; what comes on top is dropped and counted. Default 10,000. */
  readonly maxPending?: number
  /** A task threw or was lost. */
  readonly onError: (error: unknown) => void
}

export class AfterResponse {
  readonly #maxPending: number
  readonly #onError: (error: unknown) => void
  #pending = 0
  #idle: (() => void)[] = []
  #stopped = false
  /** Tasks that never ran, or were still running when the drain's time was up. */
  lost = 0
  done = 0
  failed = 0

  constructor(options: AfterResponseOptions) {
    // 10,000 tasks of a few hundred bytes are some megabytes; a server with more waiting is not going to catch up.
    this.#maxPending = options.maxPending ?? 10_000
    this.#onError = options.onError
  }

  get pending(): number {
    return this.#pending
  }

  /**
   * Runs one request's tasks in order, from the next turn of the loop on. One that throws does not stop the others.
   *
   * @returns false when they are lost: none of them will run
   */
  run(tasks: readonly (() => unknown)[]): boolean {
    if (this.#stopped || this.#pending + tasks.length > this.#maxPending) {
      this.lost += tasks.length
      this.#onError(
        new Error(
          `${tasks.length} deferred task(s) lost: ${this.#stopped ? 'the worker has drained' : `${this.#pending} are pending already`}`,
        ),
      )
      return false
    }
    this.#pending += tasks.length
    setImmediate(() => void this.#runInOrder(tasks))
    return true
  }

  async #runInOrder(tasks: readonly (() => unknown)[]): Promise<void> {
    for (const task of tasks) {
      try {
        await task()
        this.done++
      } catch (error) {
        this.failed++
        this.#onError(error)
      } finally {
        this.#pending--
      }
    }
    if (this.#pending === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when nothing is pending, or after `graceMs`: what is pending then counts as lost. Tasks that come later are refused. */
  async drain(graceMs: number): Promise<void> {
    if (this.#pending > 0) {
      let timer: NodeJS.Timeout | undefined
      await Promise.race([
        new Promise<void>(resolve => this.#idle.push(resolve)),
        new Promise<void>(resolve => (timer = setTimeout(resolve, graceMs))),
      ])
      clearTimeout(timer)
    }
    this.#stopped = true
    if (this.#pending > 0) {
      this.lost += this.#pending
      this.#onError(new Error(`${this.#pending} deferred task(s) lost: not done within ${graceMs} ms of draining`))
    }
  }
}
