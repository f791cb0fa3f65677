// The database of a command: the one that the app would find, by --url, DATABASE_URL (of .env too) or the embedded server, running or not.
import { LocalHost, host } from '../core/host.ts'
import type { Database } from '../data/postgres/database.ts'
import { readEnvironment } from '../server/environment.ts'
import { SettingsError } from '../server/errors.ts'

export interface CommandDatabase {
  /** Undefined where nobody says. */
  readonly url?: string | undefined
  /** How long a database that does not answer is waited for. */
  readonly withinMs: number
}

/**
 * Opens it for `use`, and closes it.
 *
 * @throws SettingsError `CLI_NO_DRIVER`; what `connect()` throws, and `use`
 */
export async function withDatabase<T>(
  { url, withinMs }: CommandDatabase,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const environment = await readEnvironment(process.cwd())
  // pg looks there for what a URL does not say: PGPASSWORD, PGSSLMODE.
  Object.assign(process.env, environment)
  const { connect, findRunning } = await loadDriver()
  const address = url ?? (environment['DATABASE_URL'] || (await findRunning({})))
  const database = await connect({
    ...(address === undefined ? {} : { url: address }),
    applicationName: 'millrace cli',
    maxConnections: 1,
    // What is asked here may take as long as it takes.
    statementTimeout: 0,
    idleInTransactionTimeout: 0,
    startTimeout: withinMs,
    log: { warn: message => void process.stderr.write(`${message}\n`) },
  })
  try {
    return await use(database)
  } finally {
    await database.close()
    const own = host()
    if (own instanceof LocalHost) await own.drain(0)
  }
}

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
