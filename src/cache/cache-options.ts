// What a cache may be told, and what it takes where it is told nothing.
import { type Duration, milliseconds } from '../core/duration.ts'
import { badLimit } from './errors.ts'
import type { ValueCodec } from './value-codec.ts'

export interface CacheOptions {
  /** Keys are unique within a name: `delete` reaches the caches of this name in all workers. Default 'default'. */
  readonly name?: string
  /** Default 10,000, per worker. */
  readonly maxEntries?: number
  /** Estimated, per worker. Default 64 MiB. */
  readonly maxBytes?: number
  /** What a load takes at most: then its signal aborts, and those who wait get a DeadlineError. Default 30 s; null for no bound. */
  readonly loadTimeout?: Duration | null
  /** How values travel between workers and hosts. Default: plain data, dates, maps, sets and bytes; others stay in their worker. */
  readonly codec?: ValueCodec
  /** Bytes that a value takes in memory. Default: an estimate by looking at it. */
  readonly sizeOf?: (value: unknown) => number
  /** Milliseconds, never backwards. Default performance.now(). */
  readonly now?: () => number
  /** In [0, 1); spreads expiry. */
  readonly random?: () => number
}

const MAX_ENTRIES = 10_000
const MAX_BYTES = 64 * 1024 * 1024
/** As long as a request may take by default. */
const LOAD_TIMEOUT_MS = 30_000
/** setTimeout takes no longer delay: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** @throws UsageError `CACHE_BAD_LIMIT` */
export function roomOf({ maxEntries = MAX_ENTRIES, maxBytes = MAX_BYTES }: CacheOptions): {
  readonly maxEntries: number
  readonly maxBytes: number
} {
  for (const [name, limit] of Object.entries({ maxEntries, maxBytes }))
    if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 1)) throw badLimit(name, limit)
  return { maxEntries, maxBytes }
}

/** Milliseconds; Infinity for no bound. @throws UsageError `CORE_BAD_DURATION` */
export function loadTimeoutOf({ loadTimeout = LOAD_TIMEOUT_MS }: CacheOptions, name: string): number {
  if (loadTimeout === null) return Infinity
  const timeoutMs = milliseconds(loadTimeout, `cache ${name} loadTimeout`)
  return timeoutMs > LONGEST_TIMER_MS ? Infinity : timeoutMs
}
