// `redis()`: a Redis as a dependency, one connection for each worker, opened before the first request and closed after the last.
import { dependency, type Dependency } from '../../app/dependency.ts'
import { provideMetrics } from '../../core/metrics.ts'
import type { LinkLog } from './link.ts'
import { resolveOptions, type RedisOptions } from './options.ts'
import { Redis } from './redis-client.ts'
import { storeMetrics } from './redis-metrics.ts'

export interface ConnectRedisOptions extends RedisOptions {
  /** Ends the waiting for a Redis that does not answer. */
  readonly signal?: AbortSignal | undefined
  /** Default: warnings of the process. */
  readonly log?: LinkLog | undefined
}

/**
 * ```ts
 * const store = redis()
 * app.get('/visits', { uses: { store } }, ({ store, signal }) => store.with({ signal }).incr('visits'))
 * ```
 *
 * The worker is ready once Redis answers, or with `start: 'degraded'` at once; it connects again by itself for as long as it lives.
 */
export function redis(options: RedisOptions = {}): Dependency<Redis, 'worker'> {
  return dependency({ scope: 'worker', name: 'redis' }, async function* ({ signal, log }) {
    const opened = await connectRedis({ ...options, signal, log })
    const endMetrics = provideMetrics(() => storeMetrics(opened.stats, opened.isReachable))
    try {
      yield opened
    } finally {
      endMetrics()
      await opened.close()
    }
  })
}

/**
 * Opens a Redis for a script, a job or a test. The caller closes it. In handlers use `redis()`.
 *
 * @throws RedisSettingsError at once where trying again cannot help: a bad URL, a wrong password
 * @throws RedisUnavailableError after `startTimeout`; the signal's reason when it aborts
 */
export async function connectRedis(options: ConnectRedisOptions = {}): Promise<Redis> {
  const { signal, log = { warn: (message: string) => process.emitWarning(message) }, ...rest } = options
  const opened = new Redis(resolveOptions(rest), log)
  await opened.open(signal)
  return opened
}
