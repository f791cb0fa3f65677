// What /metrics and /status say of a worker's MongoDB.
import type { Metric } from '../../core/metrics.ts'

/** Of one pool, since it was opened. */
export interface MongoStats {
  /** Running and waiting now. */
  readonly running: number
  /** Whether the last that was heard of the server is an answer. */
  readonly isReachable: boolean
  readonly losses: number
  readonly away: number
  readonly busy: number
  readonly timeouts: number
}

export function mongoMetrics(stats: MongoStats): readonly Metric[] {
  const failed = (why: string, value: number) => ({ labels: { why }, value })
  return [
    {
      name: 'millrace_mongo_operations',
      kind: 'gauge',
      help: 'Operations of MongoDB that run or wait for a connection.',
      samples: [{ value: stats.running }],
    },
    {
      name: 'millrace_mongo_failed_operations_total',
      kind: 'counter',
      help: 'Operations that MongoDB did not do: it was away, no connection became free, or it took too long.',
      samples: [failed('away', stats.away), failed('busy', stats.busy), failed('timeout', stats.timeouts)],
    },
    {
      name: 'millrace_mongo_losses_total',
      kind: 'counter',
      help: 'How often MongoDB went away.',
      samples: [{ value: stats.losses }],
    },
    {
      name: 'millrace_mongo_reachable',
      kind: 'gauge',
      help: 'Workers that MongoDB answers.',
      samples: [{ value: stats.isReachable ? 1 : 0 }],
    },
  ]
}
