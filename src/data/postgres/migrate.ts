// Brings a database to the form that a folder of SQL files describes: each file once, in the order of their numbers, by one runner at a time.
//
// The life of a run:
//   1. one connection is lent for all of it, and closed afterwards: settings and locks of a session go with it;
//   2. an advisory lock of that session makes every other runner wait. It belongs to the server's process, so a runner that dies, by kill -9
//      too, lets go of it as soon as the server notices;
//   3. one file after another: a transaction reads the history, refuses one that was rewritten, runs the next file and writes it down. Both are
//      kept or neither is. What another runner has applied meanwhile is not pending any more;
//   4. what a file sets on its session (a search path, as pg_dump does, or a role) ends with the file: the next one runs as if it came alone.
//
// A pooler such as PgBouncer may give every transaction another session: there the lock is one of the transaction, and runners take turns file
// by file. It is told by the process number, which the server and a pooler tell differently.
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { pause } from '../../core/pause.ts'
import { QueryError } from './errors.ts'
import { MigrationError } from './migration-error.ts'
import { type MigrationFile, readMigrations } from './migration-files.ts'
import { type AppliedMigration, compareHistory, type MigrationStatus, refuseRewritten } from './migration-history.ts'
import { indexOfPosition, lineOf, type SqlStatement } from './sql-statements.ts'

export interface MigrationOptions {
  /** Holds what has been applied; made when it is not there. `schema.table` names one in another schema. Default `migrations`. */
  readonly table?: string
}

export interface MigrateOptions extends MigrationOptions {
  /** Another runner is at work, and this one waits for it. */
  readonly onWait?: () => void
  readonly onApplied?: (name: string, tookMs: number) => void
}

const DEFAULT_TABLE = 'migrations'

// Any number will do, as long as nobody else takes the same lock in this database.
const LOCK = '7204501'

// Who waits asks again and again: a statement that waits for the lock holds a snapshot, which `create index concurrently` waits for in turn.
const ASK_AGAIN_MS = 200

const RESET = 'reset session authorization; reset role; reset all'

/**
 * Applies what has not been applied yet. Safe when several processes do so at once: one works, the others wait and find nothing to do.
 *
 * Each file is a transaction, unless its first line is `-- millrace: no transaction`: `create index concurrently` and the like cannot run in one.
 *
 * @param folder  holds `001-what-changes.sql`: a URL, as `new URL('migrations/', import.meta.url)`, or a path
 * @returns the names of the files applied now
 * @throws MigrationError `POSTGRES_MIGRATION_FOLDER` or `POSTGRES_MIGRATION_FILE` for what cannot be read as migrations,
 *   `POSTGRES_MIGRATION_HISTORY` when a file was edited, removed or slipped in before one that has been applied, `POSTGRES_MIGRATION_TABLE` when
 *   the history's table is somebody else's, `POSTGRES_MIGRATION_FAILED` naming the line that PostgreSQL refused, `POSTGRES_MIGRATION_POOLER`
 */
export async function migrate(
  db: Database,
  folder: URL | string,
  options: MigrateOptions = {},
): Promise<readonly string[]> {
  const files = await readMigrations(folder)
  return db.lend(connection => new Runner(connection, files, options).run())
}

/** What has been applied and what has not; changes nothing. @throws MigrationError as `migrate`, except for what the states say */
export async function migrationStatus(
  db: Database,
  folder: URL | string,
  options: MigrationOptions = {},
): Promise<readonly MigrationStatus[]> {
  const files = await readMigrations(folder)
  const history = await db.lend(connection => readHistory(connection, quoted(options.table ?? DEFAULT_TABLE)))
  return compareHistory(files, history ?? [])
}

class Runner {
  readonly #connection: Connection
  readonly #files: readonly MigrationFile[]
  readonly #options: MigrateOptions
  #table: string
  #ownsSession = false

  constructor(connection: Connection, files: readonly MigrationFile[], options: MigrateOptions) {
    this.#connection = connection
    this.#files = files
    this.#options = options
    this.#table = quoted(options.table ?? DEFAULT_TABLE)
  }

  async run(): Promise<readonly string[]> {
    const { rows } = await this.#send('select pg_backend_pid() as pid')
    this.#ownsSession = rows[0]!['pid'] === this.#connection.processId
    if (this.#ownsSession) await this.#lockSession()
    const applied: string[] = []
    for (;;) {
      const beganMs = performance.now()
      const name = await this.#applyNext()
      if (name === undefined) return applied
      applied.push(name)
      this.#options.onApplied?.(name, performance.now() - beganMs)
    }
  }

  async #lockSession(): Promise<void> {
    for (let asked = 0; ; asked++) {
      const { rows } = await this.#send(`select pg_try_advisory_lock(${LOCK}) as locked`)
      if (rows[0]!['locked'] === true) return
      if (asked === 0) this.#options.onWait?.()
      await pause(ASK_AGAIN_MS, undefined)
    }
  }

  async #prepareSession(): Promise<void> {
    await this.#send(unhurried('false'))
    // Where the server can, it looks each second whether we are still there, also while a statement of ours runs or waits.
    await this.#send("select set_config('client_connection_check_interval', '1s', false)").catch((error: unknown) => {
      if (!(error instanceof QueryError)) throw error
    })
  }

  /** @returns the name of the file that was applied; undefined when none is pending */
  async #applyNext(): Promise<string | undefined> {
    if (this.#ownsSession) await this.#prepareSession()
    await this.#send('begin')
    try {
      await this.#send(unhurried('true'))
      await this.#send(`select pg_advisory_xact_lock(${LOCK})`)
      const file = await this.#nextFile()
      if (file?.isTransactional !== true) {
        // An empty history is kept: later runs need no right to make tables.
        await this.#send('commit')
        if (file) await this.#applyOutside(file)
        return file?.name
      }
      await this.#runStatements(file)
      await this.#connection.script(RESET)
      await this.#send(unhurried('true'))
      await this.#writeDown(file)
      await this.#commit(file)
      return file.name
    } catch (error) {
      // The connection is closed after this, and that ends the transaction too; an orderly end is quicker.
      await this.#send('rollback').catch(() => {})
      throw error
    }
  }

  async #nextFile(): Promise<MigrationFile | undefined> {
    const history = await readHistory(this.#connection, this.#table)
    if (history === undefined)
      await this.#send(
        `create table ${this.#table} (name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
      )
    this.#table = await this.#qualified(this.#table)
    const statuses = compareHistory(this.#files, history ?? [])
    refuseRewritten(statuses)
    const next = statuses.find(({ state }) => state === 'pending')
    const file = this.#files.find(({ name }) => name === next?.name)
    if (file?.statements.length === 0)
      throw new MigrationError(
        'POSTGRES_MIGRATION_FILE',
        `${file.name} holds no statement; write it, or remove the file`,
        {
          file: file.name,
        },
      )
    return file
  }

  /** With its schema, for whatever a file does to the search path. */
  async #qualified(table: string): Promise<string> {
    const text = `select format('%I.%I', n.nspname, c.relname) as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)`
    const { rows } = await this.#connection.run({ text, values: [table] }, '')
    return rows[0]!['name'] as string
  }

  async #applyOutside(file: MigrationFile): Promise<void> {
    if (!this.#ownsSession)
      throw new MigrationError(
        'POSTGRES_MIGRATION_POOLER',
        `${file.name} runs outside of a transaction, which needs a session of its own, and a pooler stands before PostgreSQL; ` +
          'give the address of the database itself: millrace migrate up --url postgresql://...',
        { file: file.name },
      )
    await this.#runStatements(file)
    await this.#connection.script(RESET)
    await this.#writeDown(file)
  }

  async #runStatements(file: MigrationFile): Promise<void> {
    for (const statement of file.statements)
      try {
        await this.#connection.script(statement.text)
      } catch (error) {
        throw error instanceof QueryError ? failed(file, statement, error) : error
      }
  }

  async #writeDown({ name, checksum }: MigrationFile): Promise<void> {
    const text = `insert into ${this.#table} (name, checksum) values ($1, $2)`
    await this.#connection.run({ text, values: [name, checksum] }, '')
  }

  /** Constraints may have been deferred until now. */
  async #commit({ name }: MigrationFile): Promise<void> {
    try {
      await this.#send('commit')
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
      const message = `${name}: ${error.message}, at its commit; nothing of it was kept`
      throw new MigrationError('POSTGRES_MIGRATION_FAILED', message, { file: name }, { cause: error })
    }
  }

  #send(text: string) {
    return this.#connection.run({ text, values: [] }, '')
  }
}

/** Whoever waits for the lock waits for somebody else's migrations, however long they take; and ours may take as long. */
function unhurried(isLocal: 'true' | 'false'): string {
  return `select set_config(name, '0', ${isLocal}) from pg_settings
    where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`
}

/** @returns undefined where there is no such table */
async function readHistory(connection: Connection, table: string): Promise<readonly AppliedMigration[] | undefined> {
  const found = await connection.run({ text: 'select to_regclass($1) is not null as found', values: [table] }, '')
  if (found.rows[0]!['found'] !== true) return undefined
  try {
    const text = `select name, checksum, extract(epoch from applied_at)::float8 as "appliedAt" from ${table}`
    const { rows } = await connection.run({ text, values: [] }, '')
    return (rows as unknown as (AppliedMigration & { appliedAt: number })[]).map(row => ({
      ...row,
      appliedAt: new Date(1000 * row.appliedAt),
    }))
  } catch (error) {
    if (!(error instanceof QueryError) || error.sqlState !== '42703') throw error
    throw new MigrationError(
      'POSTGRES_MIGRATION_TABLE',
      `the table ${table} is no history of migrations: expected the columns name, checksum and applied_at; if it is another program's, name one ` +
        'of your own by --table, or migrate(db, folder, { table })',
      {},
      { cause: error },
    )
  }
}

function failed(file: MigrationFile, statement: SqlStatement, error: QueryError): MigrationError {
  const within = error.position === undefined ? 0 : indexOfPosition(statement.text, error.position)
  const line = lineOf(file.text, statement.start + within)
  const kept = file.isTransactional
    ? 'nothing of it was kept'
    : 'what comes before that line has run and stays, so write the file such that it can be run again ("if not exists"); ' +
      'an index that failed to be made concurrently is there and invalid: drop it'
  // 25001: what cannot run in a transaction.
  const way =
    error.sqlState === '25001'
      ? '; begin a file for it alone with the line "-- millrace: no transaction"'
      : statement.text.startsWith('\\')
        ? "; lines that begin with \\ are psql's own, take them out"
        : ''
  const hint = error.hint === undefined ? '' : `\n  hint: ${error.hint}`
  const message = `${file.name}, line ${line}: ${error.message}; ${kept}${way}\n${excerpt(file.text, statement.start + within)}${hint}`
  return new MigrationError('POSTGRES_MIGRATION_FAILED', message, { file: file.name, line }, { cause: error })
}

// Of a long line as much as fits beside its indent in 80 columns.
const EXCERPT = 76

/** The line, and a mark below the place. */
function excerpt(text: string, index: number): string {
  const from = text.lastIndexOf('\n', index - 1) + 1
  const to = text.indexOf('\n', index)
  const line = text.slice(from, to === -1 ? text.length : to).replaceAll('\t', ' ')
  const column = index - from
  const cut = Math.max(0, Math.min(column - EXCERPT / 2, line.length - EXCERPT))
  return `  ${line.slice(cut, cut + EXCERPT)}\n  ${' '.repeat(column - cut)}^`
}

function quoted(table: string): string {
  return table
    .split('.')
    .map(part => `"${part.replaceAll('"', '""')}"`)
    .join('.')
}
