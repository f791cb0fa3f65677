// How much of a caller's traffic may be repeats: a token bucket that calls fill and retries empty.
//
// Retries multiply load just when a server has too much of it. With a share of 0.1 a server that refuses everything gets 1.1 times the
// calls, not 3 or 4 times. Finagle's RetryBudget and gRPC's retry throttling work alike.

export interface RetryBudgetOptions {
  /** Retries for each call, in the long run. Default 0.1: one for ten calls, as gRPC; Finagle has 0.2. */
  readonly share?: number
  /** Retries that may be saved up, and what a new budget begins with. Default 10, as gRPC: a client that calls rarely can retry too. */
  readonly burst?: number
}

export class RetryBudget {
  readonly #share: number
  readonly #burst: number
  #tokens: number

  constructor({ share = 0.1, burst = 10 }: RetryBudgetOptions = {}) {
    this.#share = share
    this.#burst = burst
    this.#tokens = burst
  }

  /** A call has been made for the first time. */
  deposit(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#share)
  }

  /** Takes one retry out. @returns false when there is none left */
  withdraw(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
