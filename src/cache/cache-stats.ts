// What a cache counts.

/** Counts since the cache was made; `entries` and `bytes` are of now. Every look-up is one of hits, stale and misses. */
export interface CacheStats {
  readonly hits: number
  /** Values past their ttl that were served at once. */
  readonly stale: number
  readonly misses: number
  /** Misses that waited for a load already under way in this worker. */
  readonly coalesced: number
  /** Values that the second tier had, or that another worker's load brought. */
  readonly shared: number
  readonly loads: number
  /** Loads that failed; not those given up because every caller had gone. */
  readonly errors: number
  /** Misses whose load failed, and who got an older value for that. */
  readonly rescued: number
  /** Entries dropped because somebody said that they are true no more. */
  readonly invalidated: number
  readonly evictions: number
  readonly entries: number
  readonly bytes: number
}
