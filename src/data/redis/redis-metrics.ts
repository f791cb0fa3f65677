// What /metrics and /status say of a process's Redis: as a store, and as the second tier of its caches.
import type { TierStats } from '../../cache/second-tier.ts'
import type { Metric } from '../../core/metrics.ts'
import type { RedisStats } from './redis-client.ts'

export function storeMetrics(stats: RedisStats, isReachable: boolean): readonly Metric[] {
  const failed = (why: string, value: number) => ({ labels: { why }, value })
  return [
    {
      name: 'millrace_redis_failed_commands_total',
      kind: 'counter',
      help: 'Commands that were not answered in time, or not sent because Redis was away.',
      samples: [failed('timeout', stats.timeouts), failed('away', stats.refused)],
    },
    {
      name: 'millrace_redis_losses_total',
      kind: 'counter',
      help: 'How often Redis went away.',
      samples: [{ value: stats.losses }],
    },
    {
      name: 'millrace_redis_reachable',
      kind: 'gauge',
      help: 'Connections that Redis answers.',
      samples: [{ value: isReachable ? 1 : 0 }],
    },
  ]
}

const CLAIMS = ['found', 'stale', 'missed', 'waited', 'alone'] as const
const VALUES = ['stored', 'fenced', 'tooLarge', 'poisoned'] as const

export function tierMetrics(stats: TierStats, isReachable: boolean): readonly Metric[] {
  return [
    {
      name: 'millrace_cache_tier_claims_total',
      kind: 'counter',
      help: 'What look-ups had from Redis: a fresh value, a stale one, the lease to load it; those that waited for another, and that had to do without.',
      samples: CLAIMS.map(found => ({ labels: { found }, value: stats[found] })),
    },
    {
      name: 'millrace_cache_tier_values_total',
      kind: 'counter',
      help: 'Values stored in Redis, not stored because they were invalidated during their load or too large, and deleted there because they were not ours.',
      samples: VALUES.map(fate => ({ labels: { fate }, value: stats[fate] })),
    },
    {
      name: 'millrace_cache_tier_losses_total',
      kind: 'counter',
      help: 'How often Redis went out of reach of the cache.',
      samples: [{ value: stats.losses }],
    },
    {
      name: 'millrace_cache_tier_reachable',
      kind: 'gauge',
      help: 'Workers whose cache reaches Redis.',
      samples: [{ value: isReachable ? 1 : 0 }],
    },
  ]
}
