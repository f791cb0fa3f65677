// millrace/redis: Redis for handlers (`redis`), for scripts (`connectRedis`), for all caches (`redisCache`), and Lua (`script`).
export {
  RedisFullError,
  RedisReplyError,
  RedisSettingsError,
  RedisTimeoutError,
  RedisUnavailableError,
} from './errors.ts'
export { type CommandBounds, type LinkLog as RedisLog } from './link.ts'
export { type ClientSideCacheOptions, type RedisOptions, type SentinelOptions } from './options.ts'
export { type Redis, type RedisCommands, type RedisStats } from './redis-client.ts'
export { openRedisCache, redisCache, type RedisCache, type RedisCacheOptions } from './redis-cache.ts'
export { connectRedis, redis, type ConnectRedisOptions } from './redis.ts'
export { script, type Script } from './script.ts'
