// Finds MongoDB by its URL and waits until it answers.
import { MongoClient } from 'mongodb'
import { MongoDatabase } from './database.ts'
import { MongoSettingsError, MongoUnavailableError, mapError } from './errors.ts'
import { type MongoOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { pause } from '../../core/pause.ts'

/** Where warnings go while the server is away; pino's shape. */
export interface StartLog {
  warn(message: string): void
}

export interface MongoConnectOptions extends MongoOptions {
  /** Ends the waiting for a server that does not answer. */
  readonly signal?: AbortSignal | undefined
  /** Default: warnings of the process. */
  readonly log?: StartLog | undefined
}

/**
 * Opens a database for a script: seeds, tests. The caller closes it. In handlers use `mongo()`.
 *
 * Keeps trying while the server is away, and says so.
 *
 * @throws MongoSettingsError at once where trying again cannot help: no URL, a bad one, a wrong password
 * @throws MongoUnavailableError after `startTimeout`; the signal's reason when it aborts
 */
export async function connect(options: MongoConnectOptions = {}): Promise<MongoDatabase> {
  const resolved = resolveOptions(options)
  const client = makeClient(mongoUrl(options), resolved)
  const name = options.database ?? nameInUrl(client) ?? 'app'
  const where = `${hostsOf(client)}/${name}`
  const database = new MongoDatabase(client, client.db(name), where, resolved)
  try {
    await awaitAnswer(database, where, resolved, options)
  } catch (error) {
    await database.close(0)
    throw error
  }
  return database
}

/** @throws MongoSettingsError `MONGO_NO_URL` */
function mongoUrl(options: MongoOptions): string {
  const url = options.url ?? (process.env['MONGODB_URL'] || undefined)
  if (url !== undefined) return url
  throw new MongoSettingsError(
    'MONGO_NO_URL',
    'No MongoDB was named: set MONGODB_URL=mongodb://user:password@host:27017/database',
  )
}

function makeClient(url: string, options: ResolvedOptions): MongoClient {
  try {
    return new MongoClient(url, {
      appName: options.applicationName,
      maxPoolSize: options.maxConnections,
      minPoolSize: options.minConnections,
      waitQueueTimeoutMS: options.acquireTimeoutMs,
      connectTimeoutMS: options.connectTimeoutMs,
      serverSelectionTimeoutMS: options.selectionTimeoutMs,
      // As JSON has it: a key that holds undefined is not there. The driver would store null.
      ignoreUndefined: true,
    })
  } catch (error) {
    // Never the cause: the parser's errors quote the URL, and it may hold a password.
    const why = /^MongoParseError|^MongoAPIError|^MongoInvalidArgumentError/.test((error as Error).name)
      ? ''
      : ` (${(error as Error).name})`
    throw new MongoSettingsError(
      'MONGO_BAD_URL',
      `The MongoDB URL cannot be read${why}; expected mongodb://user:password@host:27017/database, with options of the driver's behind ?`,
    )
  }
}

/** The driver says `test` where the URL names none, which nobody means. */
function nameInUrl(client: MongoClient): string | undefined {
  const { dbName } = client.options
  return dbName === 'test' ? undefined : dbName
}

function hostsOf(client: MongoClient): string {
  return client.options.hosts.map(String).join(',') || (client.options.srvHost ?? '')
}

// Seconds, doubling: quick enough for a server that starts beside us, slow enough to be read.
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

async function awaitAnswer(
  database: MongoDatabase,
  where: string,
  options: ResolvedOptions,
  start: MongoConnectOptions,
): Promise<void> {
  const beganMs = performance.now()
  const warn = start.log ? start.log.warn.bind(start.log) : (message: string) => process.emitWarning(message)
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    start.signal?.throwIfAborted()
    try {
      // By name, each time: after a failed attempt the driver connects no more by itself.
      await database.client.connect()
      await database.driver.command({ ping: 1 }, start.signal && { signal: start.signal })
      return
    } catch (thrown) {
      start.signal?.throwIfAborted()
      const error = mapError(thrown, where)
      if (!(error instanceof MongoUnavailableError)) throw error
      if (performance.now() - beganMs + pauseMs > options.startTimeoutMs) throw error
      warn(`${error.message}; retrying in ${pauseMs / 1000} s`)
      await pause(pauseMs, start.signal)
    }
  }
}
