// What /metrics and /status say of the caches of a process, by their names.
import type { Metric, MetricKind } from '../core/metrics.ts'
import type { CacheStats } from './cache-stats.ts'

export interface CountedCache {
  readonly name: string
  readonly stats: CacheStats
}

type Count = keyof CacheStats

const LOOKUPS = ['hits', 'stale', 'misses'] as const
const MISSES = ['coalesced', 'shared', 'rescued'] as const

/** Caches of one name are told as one, and one that nobody has asked for anything not at all. */
export function cacheMetrics(caches: Iterable<CountedCache>): readonly Metric[] {
  const sums = new Map<string, Record<Count, number>>()
  for (const { name, stats } of caches) {
    if (stats.hits + stats.stale + stats.misses === 0) continue
    const sum = sums.get(name)
    if (sum) for (const count of Object.keys(stats) as Count[]) sum[count] += stats[count]
    else sums.set(name, { ...stats })
  }
  const perCache = (kind: MetricKind, name: string, help: string, count: Count): Metric => ({
    name,
    kind,
    help,
    samples: [...sums].map(([cache, stats]) => ({ labels: { cache }, value: stats[count] })),
  })
  const perKind = (name: string, help: string, label: string, counts: readonly Count[]): Metric => ({
    name,
    kind: 'counter',
    help,
    samples: [...sums].flatMap(([cache, stats]) =>
      counts.map(count => ({ labels: { cache, [label]: count }, value: stats[count] })),
    ),
  })
  if (sums.size === 0) return []
  return [
    perKind(
      'millrace_cache_lookups_total',
      'Look-ups: fresh, past its ttl but served at once, or not there.',
      'found',
      LOOKUPS,
    ),
    perKind(
      'millrace_cache_misses_total',
      'Misses that waited for a load under way in their worker, that had the value of another worker or host, or an older one where the load failed.',
      'way',
      MISSES,
    ),
    perCache('counter', 'millrace_cache_loads_total', 'Loads that were started.', 'loads'),
    perCache('counter', 'millrace_cache_load_errors_total', 'Loads that failed.', 'errors'),
    perCache('counter', 'millrace_cache_invalidated_total', 'Entries dropped by an invalidation.', 'invalidated'),
    perCache('counter', 'millrace_cache_evictions_total', 'Entries dropped for want of room.', 'evictions'),
    perCache('gauge', 'millrace_cache_entries', 'Entries kept.', 'entries'),
    perCache('gauge', 'millrace_cache_bytes', 'Estimated size of what is kept.', 'bytes'),
  ]
}
