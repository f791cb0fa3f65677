// What can be said about a database, with its defaults.
import { milliseconds, type Duration } from '../../core/duration.ts'
import { host } from '../../core/host.ts'
import type { EmbeddedOptions } from './embedded-service.ts'

export interface PostgresOptions {
  /**
   * `postgresql://user:password@host:5432/database`. Default: the environment's DATABASE_URL; without one, an embedded server. Several
   * hosts, `a:5432,b:5432`, are one database that fails over: the one that accepts writes is used.
   */
  readonly url?: string | undefined
  /** URLs of servers that follow this one, for `db.replica`. Each gets a pool of the same size. */
  readonly replicas?: readonly string[]
  /**
   * A replica that is further behind is not read from until it has caught up; looked at every two seconds. Below three seconds it is read from
   * only while it has all that the primary had at the last look. Default: however far.
   */
  readonly maxLag?: Duration
  /** Where the embedded server keeps its data; `false` demands a URL. Ignored when there is a URL. */
  readonly embedded?: EmbeddedOptions | false
  /**
   * Open connections at most, in each worker. Default: 10, or less where 10 for every worker on every host are more than the server has; an equal
   * share of DATABASE_MAX_CONN where that says how many this host may have.
   */
  readonly maxConnections?: number
  /** Connections of the server that are left for other programs. Default 0. */
  readonly leaveConnections?: number
  /** Connections opened at start and kept while idle. Default 1. */
  readonly minConnections?: number
  /** Callers that may wait for a connection; further ones get PoolFullError. Default 10 for each connection, and 100 where the plan allows less than 10. */
  readonly maxWaiting?: number
  /** How long a caller waits for a connection. Default '5s'. */
  readonly acquireTimeout?: Duration
  /** How long opening a connection may take. Default '5s'. */
  readonly connectTimeout?: Duration
  /** The server ends a statement that runs longer: QueryTimeoutError. 0: never. Default '30s'. */
  readonly statementTimeout?: Duration
  /** A statement that takes longer, with its waiting for a connection, is logged with its route. 0: never. Default: the setting `slowQuery`, 500 ms. */
  readonly slowQuery?: Duration
  /** The server ends a connection that idles inside a transaction for longer. 0: never. Default '60s'. */
  readonly idleInTransactionTimeout?: Duration
  /** Idle connections above `minConnections` are closed after this. Default '5m'. */
  readonly idleTimeout?: Duration
  /** A connection is replaced at this age, so that a changed address or role is noticed. Default '1h'. */
  readonly maxLifetime?: Duration
  /** How long the start waits for a database that does not answer. Default: until it answers or the start is aborted. */
  readonly startTimeout?: Duration
  /** Shown in pg_stat_activity. Default 'millrace'. */
  readonly applicationName?: string
  /** Prepared statements kept on each connection; 0 prepares nothing, for poolers that cannot. Default 200, and 0 behind a pooler. */
  readonly preparedStatements?: number
  /**
   * A pooler that lends connections of the server for a transaction each stands before it, such as PgBouncer with `pool_mode = transaction`. Then
   * nothing is left on a session: no prepared statements, unless `preparedStatements` says that it keeps them, and time-outs in transactions alone.
   */
  readonly pooler?: 'transaction'
}

export interface ResolvedOptions {
  readonly maxConnections: number
  readonly minConnections: number
  readonly maxWaiting: number
  readonly acquireTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  /** Infinity: never. */
  readonly slowQueryMs: number
  readonly idleInTransactionTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly startTimeoutMs: number
  readonly applicationName: string
  readonly preparedStatements: number
  /** A session is nobody's: what it is to have is said in each transaction. */
  readonly isPooled: boolean
}

// 10: pg's own default. Statements by key take well under a millisecond, so ten at a time are some 10,000 a second.
export const USUAL_CONNECTIONS = 10

export const DEFAULT_APPLICATION_NAME = 'millrace'

/** A pool that the plan has made small still lets as many wait as one of the usual size: each waits longer, and none for over `acquireTimeout`. */
export function maxWaitingOf(options: PostgresOptions, maxConnections: number): number {
  const isGiven = options.maxConnections !== undefined
  return options.maxWaiting ?? 10 * (isGiven ? maxConnections : Math.max(maxConnections, USUAL_CONNECTIONS))
}

/** @throws UsageError `CORE_BAD_DURATION` */
export function resolveOptions(options: PostgresOptions): ResolvedOptions {
  const maxConnections = options.maxConnections ?? USUAL_CONNECTIONS
  return {
    maxConnections,
    minConnections: Math.min(options.minConnections ?? 1, maxConnections),
    maxWaiting: maxWaitingOf(options, maxConnections),
    acquireTimeoutMs: milliseconds(options.acquireTimeout ?? '5s'),
    connectTimeoutMs: milliseconds(options.connectTimeout ?? '5s'),
    statementTimeoutMs: milliseconds(options.statementTimeout ?? '30s'),
    slowQueryMs: options.slowQuery === undefined ? host().slowQueryMs : milliseconds(options.slowQuery) || Infinity,
    idleInTransactionTimeoutMs: milliseconds(options.idleInTransactionTimeout ?? '60s'),
    idleTimeoutMs: milliseconds(options.idleTimeout ?? '5m'),
    maxLifetimeMs: milliseconds(options.maxLifetime ?? '1h'),
    startTimeoutMs: options.startTimeout === undefined ? Infinity : milliseconds(options.startTimeout),
    applicationName: options.applicationName ?? DEFAULT_APPLICATION_NAME,
    preparedStatements: options.preparedStatements ?? (options.pooler === undefined ? 200 : 0),
    isPooled: options.pooler !== undefined,
  }
}
