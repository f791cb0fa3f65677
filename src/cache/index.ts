// Door of the cache: remembering answers in this worker, one load per key, invalidation by tag in all workers.
export { Cache, cache, type CacheOptions, type CachePolicy, type CacheStats } from './cache.ts'
export type { Load } from './single-flight.ts'
