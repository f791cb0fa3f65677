// Finds MongoDB by its URL and waits until it answers.
import { MongoClient } from 'mongodb'
import { MongoDatabase } from './database.ts'
import { MongoSettingsError, MongoUnavailableError, mapError } from './errors.ts'
import type { OutageLog } from './operations.ts'
import { type MongoOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { pause } from '../../core/pause.ts'

export interface MongoConnectOptions extends MongoOptions {
  /** Ends the waiting for a server that does not answer. */
  readonly signal?: AbortSignal | undefined
  /** Default: warnings of the process. */
  readonly log?: OutageLog | undefined
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
  const asked = resolveOptions(options)
  const url = mongoUrl(options)
  const said = readUrl(url)
  const client = makeClient(url, said, options, asked)
  // 0 is the URL's word for no limit.
  const maxConnections = client.options.maxPoolSize || Infinity
  const resolved = { ...asked, maxConnections, maxWaiting: options.maxWaiting ?? 10 * maxConnections }
  const name = options.database ?? (said.namesDatabase ? client.options.dbName : 'app')
  const where = `${hostsOf(client)}/${name}`
  const database = new MongoDatabase(client, client.db(name), where, resolved, logOf(options))
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

interface Said {
  readonly namesDatabase: boolean
  /** Names of the driver's options, in lower case: it takes them in any. */
  readonly options: ReadonlySet<string>
}

/** What the URL says by itself. The driver has its defaults among it, and would say `test` where no database is named. */
function readUrl(url: string): Said {
  const [, path = '', query = ''] = /^[^/]*\/\/[^/?]*\/?([^?]*)\??(.*)$/s.exec(url) ?? []
  const options = Array.from(new URLSearchParams(query).keys(), name => name.toLowerCase())
  return { namesDatabase: path !== '', options: new Set(options) }
}

function makeClient(url: string, said: Said, given: MongoOptions, asked: ResolvedOptions): MongoClient {
  /** Ours where it was given, or where the URL says nothing: the driver lets the URL yield. */
  const own = <K extends string, V>(name: K, option: keyof MongoOptions, value: V): { readonly [N in K]?: V } =>
    given[option] === undefined && said.options.has(name.toLowerCase()) ? {} : ({ [name]: value } as { [N in K]: V })
  try {
    return new MongoClient(url, {
      ...own('appName', 'applicationName', asked.applicationName),
      ...own('maxPoolSize', 'maxConnections', asked.maxConnections),
      ...own('minPoolSize', 'minConnections', asked.minConnections),
      ...own('waitQueueTimeoutMS', 'acquireTimeout', asked.acquireTimeoutMs),
      ...own('connectTimeoutMS', 'connectTimeout', asked.connectTimeoutMs),
      ...own('serverSelectionTimeoutMS', 'selectionTimeout', asked.selectionTimeoutMs),
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

function hostsOf(client: MongoClient): string {
  return client.options.hosts.map(String).join(',') || (client.options.srvHost ?? '')
}

function logOf({ log }: MongoConnectOptions): OutageLog {
  return log ?? { warn: message => process.emitWarning(message) }
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
  const log = logOf(start)
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
      log.warn(`${error.message}; retrying in ${pauseMs / 1000} s`)
      await pause(pauseMs, start.signal)
    }
  }
}
