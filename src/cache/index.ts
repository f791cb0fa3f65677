// Door of the cache: remembering answers in this worker, one load per key, lookups in batches, invalidation by tag in all workers.
export { batch, type Batch, type BatchOptions, type Found, type LoadBatch, type Wanted } from './batch.ts'
export { Cache, cache, type CacheOptions, type CachePolicy, type CacheStats } from './cache.ts'
export type { CacheEvent, ToldCacheEvent } from './events.ts'
export { keyed, type CacheKey, type Keyed, type KeyedPolicy } from './keyed.ts'
export type { Load } from './single-flight.ts'
