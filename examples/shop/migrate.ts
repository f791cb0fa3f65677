// Brings the database to the form this code expects: each file of a folder runs once, in the order of the names, and never changes.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Database } from 'millrace/postgres'

interface Migration {
  readonly name: string
  readonly text: string
  /** SHA-256 of the text. */
  readonly checksum: string
}

// Any number will do, as long as nobody else takes the same lock in this database.
const LOCK = 7_204_501

/**
 * Applies what has not been applied yet: all of it, or nothing. Safe when several processes do so at once: one works, the others wait.
 *
 * @param folder  holds `NNN-name.sql`; a statement that cannot run in a transaction (`create index concurrently`) has no place here
 * @returns the names of the files applied now
 * @throws Error when a file was edited, removed or slipped in before files that have been applied
 */
export async function migrate(db: Database, folder: URL): Promise<readonly string[]> {
  const migrations = await readMigrations(folder)
  return db.transaction(async tx => {
    // Whoever waits here waits for somebody else's migrations, however long they take.
    await tx.sql`set local statement_timeout = 0`
    await tx.sql`select pg_advisory_xact_lock(${LOCK})`
    await tx.sql`
      create table if not exists migrations (
        name text primary key, checksum text not null, applied_at timestamptz not null default now()
      )`
    const history = await tx.sql<{ name: string; checksum: string }>`
      select name, checksum from migrations order by name collate "C"`
    const pending = findPending(migrations, history)
    for (const { name, text, checksum } of pending) {
      await tx.script(text)
      await tx.sql`insert into migrations (name, checksum) values (${name}, ${checksum})`
    }
    return pending.map(({ name }) => name)
  })
}

async function readMigrations(folder: URL): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async name => {
      // The same checksum on every system, whatever git does to the ends of lines.
      const text = (await readFile(new URL(name, folder), 'utf8')).replaceAll('\r\n', '\n')
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

function findPending(
  migrations: readonly Migration[],
  history: readonly { name: string; checksum: string }[],
): readonly Migration[] {
  const last = history.at(-1)?.name ?? ''
  const newest = migrations.at(-1)?.name ?? ''
  const applied = new Map(history.map(({ name, checksum }) => [name, checksum]))
  for (const { name, checksum } of migrations) {
    const before = applied.get(name)
    if (before === undefined && name < last)
      throw new Error(`${name} comes before ${last}, which has been applied already; give it a higher number`)
    if (before !== undefined && before !== checksum)
      throw new Error(`${name} was edited after it had been applied; undo that, and put the change into a new file`)
  }
  const known = new Set(migrations.map(({ name }) => name))
  for (const { name } of history)
    // What is beyond our newest file was applied by a newer release of the shop.
    if (!known.has(name) && name < newest)
      throw new Error(`${name} has been applied, and its file is gone; bring it back: other databases still need it`)
  return migrations.filter(({ name }) => !applied.has(name))
}
