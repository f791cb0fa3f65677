// How long the end of a transaction is waited for when nobody waits for its answer any more: a network that is gone would hold the connection.

// A server that has not undone a transaction by then does so when the connection ends; one that has not committed it has lost the way back to us.
export const ENDS_WITHIN_MS = 5000

/** Runs out so long after the signal has aborted. */
export class Patience {
  readonly #signal: AbortSignal | undefined
  readonly #onEnd: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal | undefined, onEnd: () => void) {
    this.#signal = signal
    this.#onEnd = onEnd
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    clearTimeout(this.#timer)
  }

  readonly #onAbort = (): void => {
    this.#timer = setTimeout(this.#onEnd, ENDS_WITHIN_MS)
  }
}
