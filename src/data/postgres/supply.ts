// Where the connections of a database come from, and what all views of it share.
import { provideMetrics, type Metric } from '../../core/metrics.ts'
import type { Connection } from './connection.ts'
import { HEARTBEAT_MS, Listener } from './listener.ts'
import { Pool } from './pool.ts'
import type { ResolvedOptions } from './options.ts'
import { SlowQueries } from './slow-queries.ts'
import type { StartLog } from './log.ts'
import { StatementNames } from './statement-names.ts'

// Texts remembered for naming; far more than the statements of an application, far less than its memory.
const REMEMBERED_TEXTS = 1000

// After a failed attempt to connect, newcomers get the same answer for this long without an attempt of their own.
const RETRY_AFTER_MS = 500

export interface SupplyOptions extends ResolvedOptions {
  open(): Promise<Connection>
  /** Host, port and database, for metrics. */
  readonly where: string
  readonly log: StartLog | undefined
}

export class Supply {
  readonly pool: Pool<Connection>
  readonly names: StatementNames
  readonly slow: SlowQueries
  readonly options: SupplyOptions
  readonly listener: Listener
  readonly #endMetrics: () => void

  constructor(options: SupplyOptions) {
    this.options = options
    this.names = new StatementNames(options.preparedStatements === 0 ? 0 : REMEMBERED_TEXTS, () =>
      options.log?.warn(
        `PostgreSQL at ${options.where}: prepared statements vanish, as behind a pooler that lends connections for a transaction each; ` +
          "none is prepared any more. Say postgres({ pooler: 'transaction' })",
      ),
    )
    this.slow = new SlowQueries(options.slowQueryMs, options.log)
    this.pool = new Pool<Connection>({
      open: async () => {
        const connection = await options.open()
        connection.onBroken = () => this.pool.discard(connection)
        connection.onVanished = () => this.names.vanished()
        return connection
      },
      close: connection => connection.close(),
      max: options.maxConnections,
      min: options.minConnections,
      maxWaiting: options.maxWaiting,
      acquireTimeoutMs: options.acquireTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs,
      maxLifetimeMs: options.maxLifetimeMs,
      retryAfterMs: RETRY_AFTER_MS,
      where: `PostgreSQL at ${options.where}`,
    })
    this.listener = new Listener({ open: options.open, log: options.log, heartbeatMs: HEARTBEAT_MS })
    this.#endMetrics = provideMetrics(() => this.#metrics())
  }

  /** To the pool, once nothing of what was aborted is under way any more; closed when it cannot be used again. */
  giveBack(connection: Connection): void {
    const { settled } = connection
    if (connection.broken) this.pool.discard(connection)
    else if (settled) void settled.then(() => this.giveBack(connection))
    // Of a transaction that was begun by hand: the next borrower's statements would be part of it, and the server ends it with its session.
    else if (connection.isInTransaction) this.pool.discard(connection)
    else this.pool.release(connection)
  }

  async close(withinMs: number): Promise<void> {
    await Promise.all([this.listener.close(), this.pool.close(withinMs)])
    this.#endMetrics()
  }

  #metrics(): readonly Metric[] {
    const { pool } = this
    const { open, idle, waiting, max } = pool.state
    const labels = { database: this.options.where }
    const states = { idle, lent: open - idle }
    return [
      {
        name: 'millrace_postgres_connections',
        kind: 'gauge',
        help: 'Open connections to PostgreSQL.',
        samples: Object.entries(states).map(([state, value]) => ({ labels: { ...labels, state }, value })),
      },
      gauge('millrace_postgres_connections_max', 'Open connections to PostgreSQL at most.', labels, max),
      gauge('millrace_postgres_waiting', 'Callers that wait for a connection.', labels, waiting),
      {
        name: 'millrace_postgres_wait_seconds',
        kind: 'histogram',
        help: 'How long callers waited for a connection.',
        samples: pool.waits.samples(labels),
      },
      counter(
        'millrace_postgres_refused_total',
        'Callers who got no connection: the line was full, or the wait too long.',
        labels,
        pool.refused,
      ),
      counter(
        'millrace_postgres_slow_queries_total',
        'Statements that took longer than slowQuery.',
        labels,
        this.slow.count,
      ),
    ]
  }
}

type Labels = Readonly<Record<string, string>>

function gauge(name: string, help: string, labels: Labels, value: number): Metric {
  return { name, kind: 'gauge', help, samples: [{ labels, value }] }
}

function counter(name: string, help: string, labels: Labels, value: number): Metric {
  return { name, kind: 'counter', help, samples: [{ labels, value }] }
}
