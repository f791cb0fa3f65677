// Changes of a running server, one at a time: a later one ends the one before, and begins when that has ended.

/** How a reload, an upgrade, or the replacement of one worker, ended. */
export type ChangeOutcome =
  | { readonly state: 'done'; readonly replaced: number; readonly tookMs: number }
  /** The old workers go on. */
  | { readonly state: 'failed'; readonly message: string }
  /** By a later one, or the end of the server. */
  | { readonly state: 'superseded' }

export type ChangeKind = 'reload' | 'upgrade' | 'replacement'

interface Change {
  readonly kind: ChangeKind
  readonly abort: AbortController
  readonly done: Promise<ChangeOutcome>
}

export class Changes {
  readonly #stopping: AbortSignal
  readonly #isOver: () => boolean
  #latest: Change | undefined
  #isUnderWay = false

  /**
   * @param stopping  aborts when the server is told to stop
   * @param isOver  another process is the server: there is nothing to change any more
   */
  constructor(stopping: AbortSignal, isOver: () => boolean) {
    this.#stopping = stopping
    this.#isOver = isOver
  }

  /** One is at work, or waits for the end of one. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /**
   * Waits for the end of what it supersedes.
   *
   * @param act  ends soon after `signal` aborts
   */
  make(kind: ChangeKind, act: (signal: AbortSignal) => Promise<ChangeOutcome>): Promise<ChangeOutcome> {
    return this.#begin(kind, act).done
  }

  /** As make(), of a kind that starts over: @returns how the last one ended that took the place of this one */
  async makeAnew(kind: ChangeKind, act: (signal: AbortSignal) => Promise<ChangeOutcome>): Promise<ChangeOutcome> {
    let change = this.#begin(kind, act)
    for (;;) {
      const outcome = await change.done
      const latest = this.#latest!
      if (outcome.state !== 'superseded' || latest === change || latest.kind !== kind) return outcome
      change = latest
    }
  }

  #begin(kind: ChangeKind, act: (signal: AbortSignal) => Promise<ChangeOutcome>): Change {
    const before = this.#latest
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, this.#stopping])
    const done = (async (): Promise<ChangeOutcome> => {
      before?.abort.abort()
      // How that ended is for those who asked for it.
      await before?.done.catch(() => {})
      return signal.aborted || this.#isOver() ? { state: 'superseded' } : act(signal)
    })()
    const change = { kind, abort, done }
    this.#latest = change
    this.#isUnderWay = true
    const ended = (): void => {
      if (this.#latest === change) this.#isUnderWay = false
    }
    done.then(ended, ended)
    return change
  }
}
