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
  /** What the value was made of, e.g. `product:7`; `invalidate` with one of them drops it in every worker. */
  readonly tags?: readonly string[]
}

/** Enough to spread a second's worth of keys over many loop turns, too little for anyone to notice a shorter ttl. */
const JITTER = 0.05

/**
 * @param random  in [0, 1)
 * @throws UsageError `CORE_BAD_DURATION`
 */
export function expiry(policy: CachePolicy, nowMs: number, random: number) {
  const freshUntilMs = nowMs + milliseconds(policy.ttl) * (1 - JITTER * random)
  return { freshUntilMs, staleUntilMs: freshUntilMs + milliseconds(policy.staleFor ?? 0) }
}

export function isFresh(entry: CacheEntry, nowMs: number): boolean {
  return nowMs < entry.freshUntilMs
}

export function isServable(entry: CacheEntry, nowMs: number): boolean {
  return nowMs < entry.staleUntilMs
}
