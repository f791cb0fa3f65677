// What a first tier must be able to do: hold entries in this worker, drop the least useful ones, and find entries by tag.
//
// Synchronous on purpose: a hit must cost neither a promise nor a turn of the loop. Whoever keeps values elsewhere (another
// process, another host) is a slower tier behind the load and has a contract of its own.

/** What somebody took out to serve it again without a look-up. */
export interface Hold {
  /** On the cache's clock; 0 once the entry is gone. Whole: small integers cost no object of their own. */
  untilMs: number
  /** When the store was last told of its use. */
  toldMs: number
  /** The entry is gone: nothing of it needs to be kept. */
  ended(): void
}

export interface CacheEntry {
  readonly key: string
  readonly value: unknown
  readonly tags: readonly string[]
  /** On the cache's clock. Before this the value is fresh; from then until `staleUntilMs` it may be served while a new one loads. */
  readonly freshUntilMs: number
  readonly staleUntilMs: number
  /** Until then it may be served where loading a new one has failed; never before `staleUntilMs`. */
  readonly keptUntilMs: number
  /** From here on, and before it is stale, one of its readers may be the one who has it loaded anew; see freshness.ts. */
  readonly refreshFromMs: number
  /** How long its load took: one that takes long is begun early. */
  readonly loadMs: number
  /** Estimated size of key and value in memory; see sizes.ts for how roughly. */
  readonly bytes: number
  /** No background reload before this: a source that just failed is left alone for a moment. Written by the cache. */
  retryAtMs: number
  /** A reader has been told to have it loaded anew, and comes for that with `get`. Written by the cache. */
  isAwaited?: boolean
  /** Ended by the store when it lets go of the entry. Written by the cache. */
  hold?: Hold | undefined
}

export interface CacheStore {
  /** A read counts as a use, whatever the entry's age: judging age is the cache's business. */
  read(key: string): CacheEntry | undefined
  /** Adds or replaces, then evicts until the bounds hold again. An entry larger than the whole store is not kept. */
  write(entry: CacheEntry): void
  delete(key: string): void
  /** Drops every entry that carries one of the tags. Time grows with those entries, not with the store. */
  deleteTagged(tags: readonly string[]): void
  clear(): void
  readonly entries: number
  readonly bytes: number
  /** How many entries were dropped for want of room since the store was made. */
  readonly evictions: number
}
