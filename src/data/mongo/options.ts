// What can be said about a MongoDB, with its defaults.
import { milliseconds, type Duration } from '../../core/duration.ts'

export interface MongoOptions {
  /** `mongodb://user:password@host:27017/database`, with the driver's options behind `?`; those below come before them. Default: the environment's MONGODB_URL. */
  readonly url?: string | undefined
  /** Default: the URL's; where it names none, `app`. */
  readonly database?: string
  /** Open connections at most, in each worker and for each member of the replica set. Default 10. */
  readonly maxConnections?: number
  /** Connections kept while idle. Default 1. */
  readonly minConnections?: number
  /** Operations that may wait for a connection; further ones get MongoBusyError. Default 10 for each connection. */
  readonly maxWaiting?: number
  /** How long an operation waits for a connection. Default '5s'. */
  readonly acquireTimeout?: Duration
  /** How long opening a connection may take. Default '5s'. */
  readonly connectTimeout?: Duration
  /** How long an operation waits for a server that can take it, while a restart or an election goes on. Default '5s'. */
  readonly selectionTimeout?: Duration
  /** The server ends an operation that runs longer: MongoTimeoutError. 0: never. Default '30s'. */
  readonly operationTimeout?: Duration
  /** How long the start waits for a server that does not answer. Default: until it answers or the start is aborted. */
  readonly startTimeout?: Duration
  /** Shown in the server's log and currentOp. Default 'millrace'. */
  readonly applicationName?: string
}

export interface ResolvedOptions {
  readonly maxConnections: number
  readonly minConnections: number
  readonly maxWaiting: number
  readonly acquireTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly selectionTimeoutMs: number
  readonly operationTimeoutMs: number
  readonly startTimeoutMs: number
  readonly applicationName: string
}

/** @throws UsageError `CORE_BAD_DURATION` */
export function resolveOptions(options: MongoOptions): ResolvedOptions {
  const maxConnections = options.maxConnections ?? 10
  return {
    maxConnections,
    minConnections: Math.min(options.minConnections ?? 1, maxConnections),
    maxWaiting: options.maxWaiting ?? 10 * maxConnections,
    acquireTimeoutMs: milliseconds(options.acquireTimeout ?? '5s'),
    connectTimeoutMs: milliseconds(options.connectTimeout ?? '5s'),
    selectionTimeoutMs: milliseconds(options.selectionTimeout ?? '5s'),
    operationTimeoutMs: milliseconds(options.operationTimeout ?? '30s'),
    startTimeoutMs: options.startTimeout === undefined ? Infinity : milliseconds(options.startTimeout),
    applicationName: options.applicationName ?? 'millrace',
  }
}
