// The database of a command: the one that the app would find, by --url, DATABASE_URL (of .env too) or the embedded server, running or not.
import { host, LocalHost } from '../core/host.ts'
import type { Database } from '../data/postgres/database.ts'
import type { EmbeddedOptions } from '../data/postgres/embedded-service.ts'
import { SettingsError } from '../server/errors.ts'

/** As an app names it: postgres({ url, embedded }). */
export interface DatabaseName {
  readonly url?: string | undefined
  readonly embedded?: EmbeddedOptions | false | undefined
}

export interface Opening {
  /** How long a database that does not answer is waited for. */
  readonly withinMs: number
  readonly warn: (message: string) => void
}

/** @returns undefined for an embedded server that does not run now. @throws SettingsError `CLI_NO_DRIVER` */
export async function addressOf({ url, embedded }: DatabaseName): Promise<string | undefined> {
  const { findRunning } = await loadDriver()
  return url ?? (process.env['DATABASE_URL'] || (await findRunning(embedded || {})))
}

/**
 * Opens it for `use`, and closes it. An embedded server that does not run is started for as long.
 *
 * @throws SettingsError `CLI_NO_DRIVER`; what `connect()` throws, and `use`
 */
export async function withDatabase<T>(
  name: DatabaseName,
  { withinMs, warn }: Opening,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const { connect } = await loadDriver()
  const address = await addressOf(name)
  const database = await connect({
    ...(address === undefined ? {} : { url: address }),
    ...(name.embedded === undefined ? {} : { embedded: name.embedded }),
    applicationName: COMMAND_NAME,
    maxConnections: 1,
    // What is asked here may take as long as it takes.
    statementTimeout: 0,
    idleInTransactionTimeout: 0,
    slowQuery: 0,
    startTimeout: withinMs,
    log: { warn: message => warn(String(message)) },
  })
  try {
    return await use(database)
  } finally {
    await database.close()
    const own = host()
    if (own instanceof LocalHost) await own.drain(0)
  }
}

/** In pg_stat_activity. */
export const COMMAND_NAME = 'millrace cli'

async function loadDriver() {
  try {
    const [{ connect }, { findRunning }] = await Promise.all([
      import('../data/postgres/connect.ts'),
      import('../data/postgres/embedded-service.ts'),
    ])
    return { connect, findRunning }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new SettingsError('CLI_NO_DRIVER', 'the driver of PostgreSQL is not there: npm install pg', { cause: error })
  }
}
