// millrace migrate up|status|new: brings a database to the form that a folder of SQL files describes, or says how far it is.
import { relative } from 'node:path'
import { type Environment, readEnvironment } from '../../server/environment.ts'
import { SettingsError } from '../../server/errors.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readManifest } from '../../server/manifest.ts'
import { type DatabaseName, withDatabase } from '../command-database.ts'
import { readMigrateArguments } from '../migrate-arguments.ts'
import { migrationTable } from '../migration-table.ts'

// A deploy may start its database beside this.
const WAIT_FOR_DATABASE_MS = 30_000

/** @throws MigrationError and what the database can fail with (exit code 1); SettingsError when it was not understood (2) */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { action, title, dir, url, app, table } = readMigrateArguments(argv)
  const options = table === undefined ? {} : { table }
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  if (action === 'new') {
    const { newMigration } = await import('../../data/postgres/migration-files.ts')
    say(relative('', await newMigration(dir, title)))
    return EXIT.stopped
  }
  const environment = await readEnvironment(process.cwd())
  // pg looks there for what a URL does not say: PGPASSWORD, PGSSLMODE.
  Object.assign(process.env, environment)
  const name = app === undefined ? { url } : await databaseOf(app, environment)
  const opening = { withinMs: WAIT_FOR_DATABASE_MS, warn: (text: string) => void process.stderr.write(`${text}\n`) }
  return withDatabase(name, opening, async database => {
    const { migrate, migrationStatus } = await import('../../data/postgres/migrate.ts')
    if (action === 'status') {
      const statuses = await migrationStatus(database, dir, options)
      process.stdout.write(migrationTable(statuses))
      const isWrong = statuses.some(({ state }) => ['edited', 'missing', 'late'].includes(state))
      return isWrong ? EXIT.fault : EXIT.stopped
    }
    const applied = await migrate(database, dir, {
      ...options,
      onWait: () => say('another process is migrating this database; waiting for it'),
      onApplied: (name, tookMs) => say(`applied ${name} in ${Math.round(tookMs)} ms`),
    })
    if (applied.length === 0) say('nothing is pending')
    return EXIT.stopped
  })
}

/** As the app's own pool has it. @throws SettingsError `CLI_BAD_OPERAND` for an app without a database, and for one with several */
async function databaseOf(app: string, environment: Environment): Promise<DatabaseName> {
  const { pools } = await readManifest({ app, environment })
  const names = new Map(
    pools.map(({ options: { url, embedded } }) => [JSON.stringify([url, embedded]), { url, embedded } as DatabaseName]),
  )
  const [name, ...others] = names.values()
  if (name === undefined)
    throw new SettingsError('CLI_BAD_OPERAND', `${app} declares no postgres(); name the database by --url`)
  if (others.length > 0)
    throw new SettingsError(
      'CLI_BAD_OPERAND',
      `${app} has ${names.size} databases; name the one that is meant by --url`,
    )
  return name
}
