// Door of the cache: remembering answers in this worker, one load per key, invalidation by tag in all workers.
export { Cache, cache, type CacheOptions, type CachePolicy, type CacheStats } from './cache.ts'
export type { CacheEvent, ToldCacheEvent } from './events.ts'
export { keyed, type CacheKey, type Keyed, type KeyedPolicy } from './keyed.ts'
export type { Load } from './single-flight.ts'
