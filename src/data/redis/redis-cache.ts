// `redisCache()`: the second tier of all caches of an app in Redis, from a worker's start to its drain.
import type { Lifespan } from '../../app/router.ts'
import { provideSecondTier, type SecondTier } from '../../cache/second-tier.ts'
import { UsageError } from '../../core/error.ts'
import { provideMetrics } from '../../core/metrics.ts'
import { RedisTier } from './cache-tier.ts'
import type { LinkLog } from './link.ts'
import { resolveOptions, type RedisOptions } from './options.ts'
import { tierMetrics } from './redis-metrics.ts'

export interface RedisCacheOptions extends Omit<RedisOptions, 'clientSideCache'> {
  /**
   * What stands before all keys. Apps that share a Redis need one each, and so do two releases of one whose values look different under the
   * same key: `shop-2`. Without braces. Default 'millrace'.
   */
  readonly prefix?: string
  /** A larger value stays in the worker that loaded it. Default 1 MiB. */
  readonly maxValueBytes?: number
}

/** A tier to look at and to close. */
export interface RedisCache extends SecondTier {
  /** Resolves when it is within reach, or after `ms`. @returns whether it is */
  reachableWithin(ms: number): Promise<boolean>
  close(): Promise<void>
}

/** The first requests should find it there; a start must not wait for a cache. */
const START_WAIT_MS = 1_000

/**
 * ```ts
 * const app = new App({ lifespan: redisCache() })
 * ```
 *
 * What one worker of one host has loaded is found by all, each key is loaded by one of them at a time, and invalidations reach every host. While
 * Redis is away each worker caches for itself; no request fails of it, or waits for longer than `commandTimeout` (default '100ms').
 *
 * In a lifespan of one's own: `yield* redisCache()(context)`.
 */
export function redisCache(options: RedisCacheOptions = {}): Lifespan {
  return async function* ({ signal, log }) {
    const tier = await openRedisCache({ ...options, signal, log })
    const before = provideSecondTier(tier)
    const endMetrics = provideMetrics(() => tierMetrics(tier.stats, tier.isReachable))
    try {
      yield
    } finally {
      endMetrics()
      provideSecondTier(before)
      await tier.close()
    }
  }
}

/**
 * Opens the tier without providing it, for tests and for caches that are given one.
 *
 * @throws RedisSettingsError `REDIS_NO_URL`, `REDIS_BAD_URL`; with `start: 'wait'` also what `connectRedis` throws
 */
export async function openRedisCache(
  options: RedisCacheOptions & { readonly signal?: AbortSignal | undefined; readonly log?: LinkLog | undefined } = {},
): Promise<RedisCache> {
  const {
    signal,
    log = { warn: (message: string) => process.emitWarning(message) },
    prefix = 'millrace',
    maxValueBytes = 1024 * 1024,
    ...rest
  } = options
  if (!(Number.isSafeInteger(maxValueBytes) && maxValueBytes >= 1))
    throw new UsageError(
      'REDIS_CACHE_LIMIT',
      `maxValueBytes is ${maxValueBytes}; expected a whole number of at least 1`,
    )
  const resolved = resolveOptions({ commandTimeout: '100ms', start: 'degraded', ...rest })
  const tier = new RedisTier(resolved, { prefix, maxValueBytes }, log)
  await tier.open(signal)
  await tier.reachableWithin(START_WAIT_MS)
  return tier
}
