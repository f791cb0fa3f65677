// Finds the database (a URL, or a server of our own) and waits until it answers.
import { milliseconds } from '../../core/duration.ts'
import { host } from '../../core/host.ts'
import { type ClientConfig, makeClient, placeOf } from './connection.ts'
import { Database } from './database.ts'
import type { StartLog } from './log.ts'
import { pause } from '../../core/pause.ts'
import { ReplicaLag } from './replica-lag.ts'
import { Replicas } from './replicas.ts'
import { Supply } from './supply.ts'
import { ensureDatabase, type EmbeddedAddress } from './embedded-address.ts'
import { embeddedSpec } from './embedded-service.ts'
import { DatabaseUnavailableError, PostgresSettingsError } from './errors.ts'
import { Hosts, splitHosts } from './hosts.ts'
import { resolveOptions, type PostgresOptions, type ResolvedOptions } from './options.ts'

// A few microseconds of the server's a second, for each statement that takes as long.
const PEER_CHECK_MS = 1000

export interface ConnectOptions extends PostgresOptions {
  /** Ends the waiting for a database that does not answer. */
  readonly signal?: AbortSignal | undefined
  /** Default: warnings of the process; slow statements are then not told. */
  readonly log?: StartLog | undefined
}

/**
 * Opens a database for a script: migrations, seeds, tests. The caller closes it. In handlers use `postgres()`.
 *
 * Keeps trying while the database is away, and says so. An embedded server is started once in each process (or, under a supervisor, once).
 *
 * @throws PostgresSettingsError at once where trying again cannot help: a bad URL, a wrong password, a database that does not exist
 * @throws DatabaseUnavailableError after `startTimeout`; the signal's reason when it aborts
 */
export async function connect(options: ConnectOptions = {}): Promise<Database> {
  const resolved = resolveOptions(options)
  const supplyOf = (servers: readonly ClientConfig[], mayBeStandby: boolean): Supply => {
    const hosts = servers.map(server => ({
      config: { ...server, ...clientSettings(resolved) },
      maxPrepared: resolved.preparedStatements,
      peerCheckMs: resolved.isPooled ? 0 : PEER_CHECK_MS,
      isPooled: resolved.isPooled,
      mayBeStandby,
    }))
    const found = new Hosts(hosts)
    const where = hosts.map(({ config }) => placeOf(makeClient(config))).join(',')
    return new Supply({ ...resolved, open: () => found.open(), where, log: options.log })
  }
  const replicas = (options.replicas ?? []).map(parseUrl)
  const primary = supplyOf(await findServers(options), false)
  const reading = replicas.map(replica => supplyOf([replica], true))
  const { log, maxLag } = options
  const lag = maxLag === undefined ? undefined : { primary, of: new ReplicaLag(milliseconds(maxLag)) }
  const database = new Database(primary, reading.length === 0 ? undefined : new Replicas(reading, { log, lag }))
  try {
    await awaitAnswer(database, resolved, options)
  } catch (error) {
    await database.close(0)
    throw error
  }
  return database
}

/** @returns the URL in use, or undefined for an embedded server */
export function databaseUrl(options: PostgresOptions): string | undefined {
  return options.url ?? (process.env['DATABASE_URL'] || undefined)
}

async function findServers(options: ConnectOptions): Promise<readonly ClientConfig[]> {
  const url = databaseUrl(options)
  if (url !== undefined) return splitHosts(url).map(parseUrl)
  if (options.embedded === false)
    throw new PostgresSettingsError(
      'POSTGRES_NO_URL',
      'No database was named: set DATABASE_URL=postgresql://user:password@host:5432/database',
    )
  const spec = embeddedSpec(options.embedded ?? {})
  const address = (await host().service(spec)) as unknown as EmbeddedAddress
  const database = String(spec.options['database'])
  // The service made the database that it was asked for; another pool of this app may want another one on the same server.
  if (address.database !== database) await ensureDatabase(address, database)
  return [{ host: address.socketDir, port: address.port, user: address.user, database, ssl: false }]
}

function parseUrl(url: string): ClientConfig {
  // Never the cause: the parser's errors quote the URL, and it may hold a password.
  const bad = new PostgresSettingsError(
    'POSTGRES_BAD_URL',
    'The database URL cannot be read; expected postgresql://user:password@host:5432/database',
  )
  if (!/^postgres(ql)?:\/\//.test(url)) throw bad
  try {
    makeClient({ connectionString: url })
    return { connectionString: url }
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    if (path === undefined) throw bad
    throw new PostgresSettingsError(
      'POSTGRES_BAD_URL',
      `The database URL names a file that cannot be read (${code}): ${path}`,
    )
  }
}

function clientSettings(options: ResolvedOptions): ClientConfig {
  return {
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    // 0 is not sent at all: some poolers refuse parameters that they do not know.
    statement_timeout: options.isPooled ? 0 : options.statementTimeoutMs,
    idle_in_transaction_session_timeout: options.isPooled ? 0 : options.idleInTransactionTimeoutMs,
    // A peer that vanished without a word is noticed by the kernel's probes.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  }
}

// Seconds, doubling: quick enough for a database that starts beside us, slow enough to be read.
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

async function awaitAnswer(database: Database, options: ResolvedOptions, start: ConnectOptions): Promise<void> {
  const beganMs = performance.now()
  const warn = start.log ? start.log.warn.bind(start.log) : (message: string) => process.emitWarning(message)
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    start.signal?.throwIfAborted()
    try {
      await database.warm(Math.max(1, options.minConnections))
      return
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error
      if (performance.now() - beganMs + pauseMs > options.startTimeoutMs) throw error
      warn(`${error.message}; retrying in ${pauseMs / 1000} s`)
      await pause(pauseMs, start.signal)
    }
  }
}
