// Whether a call is made again, and when.
//
// What may be repeated:
//   429, or 503 with Retry-After   any method: the server has refused the work and says when to come back
//   503 without                    methods that may run twice, and others under an idempotency key of the caller's
//   no answer, or one cut off      the same: the work may have been done
//
// When: not before Retry-After, and spread out above it, so that all who were refused together do not come back together. Without one,
// anywhere up to a bound that doubles ("full jitter", AWS Architecture Blog, 2015). A wait that is longer than allowed, or would outlast the
// call's own time, is not begun: the refusal is the answer.
import { type Duration, milliseconds } from '../core/duration.ts'
import { UsageError } from '../core/error.ts'
import { RetryBudget } from '../flow/retry-budget.ts'

export interface RetryOptions {
  /** How often a call is made at most, the first time included. Default 3. */
  readonly attempts?: number
  /** Retries for each call of this client, in the long run; a budget that all its calls share. Default 0.1. */
  readonly share?: number
  /** Bound of the first wait where the server names none; it doubles each time. Default '100ms'. */
  readonly firstWait?: Duration
  /** The longest wait; a server that asks for more is not asked again. Default '10s'. */
  readonly longestWait?: Duration
}

/** What came of one attempt: an answer's status and fields, or nothing. */
export type Outcome = { readonly status: number; readonly headers: Headers } | undefined

export class Retry {
  readonly #attempts: number
  readonly #firstMs: number
  readonly #longestMs: number
  readonly #budget: RetryBudget
  readonly #random: () => number

  /** @throws UsageError `CLIENT_BAD_OPTIONS` */
  constructor(of: RetryOptions = {}, random: () => number = Math.random) {
    const { attempts = 3, share = 0.1 } = of
    if (!Number.isSafeInteger(attempts) || attempts < 1) throw bad(`attempts is a whole number from 1, not ${attempts}`)
    if (!(share >= 0 && share <= 1)) throw bad(`share is a number from 0 to 1, not ${share}`)
    this.#attempts = attempts
    this.#firstMs = milliseconds(of.firstWait ?? '100ms', 'retry firstWait')
    this.#longestMs = milliseconds(of.longestWait ?? '10s', 'retry longestWait')
    this.#budget = new RetryBudget({ share })
    this.#random = random
  }

  /** A call begins. */
  begin(): void {
    this.#budget.deposit()
  }

  /**
   * Milliseconds to wait before the next attempt, or undefined for none. Takes it out of the budget.
   *
   * @param attempt  1 for the first
   * @param leftMs  of the call's own time
   */
  waitMs(outcome: Outcome, isRepeatable: boolean, attempt: number, leftMs: number): number | undefined {
    if (attempt >= this.#attempts) return undefined
    const askedMs = outcome && retryAfterMs(outcome.headers)
    if (outcome && outcome.status !== 429 && outcome.status !== 503) return undefined
    const isInvited = outcome !== undefined && (outcome.status === 429 || askedMs !== undefined)
    if (!isInvited && !isRepeatable) return undefined
    const waitMs =
      askedMs === undefined ? this.backoffMs(attempt) : askedMs + this.#random() * Math.max(this.#firstMs, askedMs / 4)
    if ((askedMs ?? 0) > this.#longestMs || waitMs >= leftMs || !this.#budget.withdraw()) return undefined
    return waitMs
  }

  /** Anywhere up to a bound that doubles with each attempt. */
  backoffMs(attempt: number): number {
    return this.#random() * Math.min(this.#longestMs, this.#firstMs * 2 ** (attempt - 1))
  }
}

/** Seconds, or a date (RFC 9110 §10.2.3). @returns undefined for none, and for what is neither */
export function retryAfterMs(headers: Headers, nowMs: number = Date.now()): number | undefined {
  const text = headers.get('retry-after')?.trim()
  if (!text) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  // Date.parse takes '1.5' for a day of 2001.
  const atMs = text.endsWith(' GMT') ? Date.parse(text) : NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}

function bad(message: string): UsageError {
  return new UsageError('CLIENT_BAD_OPTIONS', `client(): retry ${message}`)
}
