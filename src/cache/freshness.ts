// How long a value may be served: the policy an author states, and the two instants it becomes. Pure; the clock is passed in.
import { milliseconds, type Duration } from '../core/duration.ts'
import type { CacheEntry } from './store.ts'

export interface CachePolicy {
  /** How long the value is fresh, at most: each entry expires up to 5 % early, so that keys loaded together do not expire together. */
  readonly ttl: Duration
  /**
   * How long after that it may still be served, while one reload runs in the background or the source fails. Default: not at all.
   */
  readonly staleFor?: Duration
  /**
   * How long after its ttl it may be served where a load has failed that somebody waited for. Default: no longer than `staleFor`. What
   * is older than both is never served.
   */
  readonly staleIfError?: Duration
  /**
   * In place of `ttl` for undefined and null: that there is nothing is true for a shorter time than what there is. After it they are served no
   * more, whatever `staleFor` says. 0 keeps none.
   */
  readonly negativeTtl?: Duration
  /**
   * Whether a value that is read near the end of its ttl is loaded anew before that, in the background, once. Default true. False for a source
   * that must not be asked more often than once a ttl.
   */
  readonly earlyRefresh?: boolean
  /** What the value was made of, e.g. `product:7`; `invalidate` with one of them drops it in every worker. */
  readonly tags?: readonly string[]
}

/** The instants of an entry's life, in the order in which they come. */
export type Expiry = Pick<CacheEntry, 'refreshFromMs' | 'freshUntilMs' | 'staleUntilMs' | 'keptUntilMs'>

/** Enough to spread a second's worth of keys over many loop turns, too little for anyone to notice a shorter ttl. */
const JITTER = 0.05

/**
 * @param loadMs  how long the load took
 * @param random  in [0, 1)
 * @throws UsageError `CORE_BAD_DURATION`
 */
export function expiry(policy: CachePolicy, value: unknown, loadMs: number, nowMs: number, random: number): Expiry {
  const { ttl, staleFor = 0, staleIfError = staleFor } = policyFor(value, policy)
  const lifeMs = milliseconds(ttl) * (1 - JITTER * random)
  const freshUntilMs = nowMs + lifeMs
  const staleUntilMs = freshUntilMs + milliseconds(staleFor)
  const keptUntilMs = Math.max(staleUntilMs, freshUntilMs + milliseconds(staleIfError))
  // Never in the first half of its life: a load that takes as long as the ttl would follow itself without a pause.
  const leadMs = policy.earlyRefresh === false ? 0 : Math.min(loadMs * LONGEST_LEAD, lifeMs / 2)
  const refreshFromMs = freshUntilMs - leadMs
  return { refreshFromMs, freshUntilMs, staleUntilMs, keptUntilMs }
}

/** For what there is, or for that there is nothing. */
export function policyFor(value: unknown, policy: CachePolicy): Pick<CachePolicy, 'ttl' | 'staleFor' | 'staleIfError'> {
  const { negativeTtl } = policy
  return negativeTtl !== undefined && (value === undefined || value === null) ? { ttl: negativeTtl } : policy
}

export function isFresh(entry: CacheEntry, nowMs: number): boolean {
  return nowMs < entry.freshUntilMs
}

export function isServable(entry: CacheEntry, nowMs: number): boolean {
  return nowMs < entry.staleUntilMs
}

/** It may be served, if only to those for whom a load has failed. */
export function isKept(entry: CacheEntry, nowMs: number): boolean {
  return nowMs < entry.keptUntilMs
}

/** e^-10: one reader in 22,000 would begin so early; for those before it nothing is rolled. */
const LONGEST_LEAD = 10

/**
 * Whether this reader of a fresh value has it loaded anew: rarely long before its end, almost surely one load's time before, so that a value
 * that is read often never runs out (Vattani, Chierichetti and Lowenstein, Optimal Probabilistic Cache Stampede Prevention, 2015).
 *
 * @param random  in [0, 1)
 */
export function isDueEarly(entry: CacheEntry, nowMs: number, random: number): boolean {
  return nowMs - entry.loadMs * Math.log(1 - random) >= entry.freshUntilMs
}
