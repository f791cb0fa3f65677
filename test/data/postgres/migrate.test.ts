// Migrations on a real server: applied once and in order by one of many runners, never rewritten, and nothing half done after a failure.
import assert from 'node:assert/strict'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import {
  type Database,
  migrate,
  MigrationError,
  migrationStatus,
  QueryError,
  sql,
} from '../../../src/data/postgres/index.ts'
import { migrationOf, newMigration } from '../../../src/data/postgres/migration-files.ts'
import { eventually, temporaryFolder, testServer } from '../support/server.ts'

const { server, open } = await testServer()
const root = await open()
const scratch = await temporaryFolder()
let made = 0

/** A database of its own. */
async function fresh(): Promise<Database> {
  const name = `fresh_${++made}`
  await root.script(`create database ${name}`)
  return open({ url: server.url.replace('/app?', `/${name}?`), maxConnections: 3 })
}

/** A folder with these migrations. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<{ url: URL; path: string }> {
  const path = join(scratch, `migrations-${++made}`)
  await mkdir(path)
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return { url: pathToFileURL(`${path}/`), path }
}

const tables = async (db: Database) => {
  const rows = await db.sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' order by 1`
  return rows.map(({ name }) => name)
}

const refusal =
  (code: string, message: RegExp, place: { file?: string; line?: number } = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof MigrationError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    for (const [name, value] of Object.entries(place)) assert.equal(error[name as 'file' | 'line'], value)
    return true
  }

describe('migrations', () => {
  test('run in the order of their numbers, each once', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '10-third.sql': 'insert into log values (3)',
      '2-second.sql': 'insert into log values (2)',
      '1-first.sql': 'create table log (n int); insert into log values (1)',
      'notes.txt': 'not a migration',
    })
    const told: string[] = []
    const applied = await migrate(db, url, { onApplied: name => told.push(name) })
    assert.deepEqual(applied, ['1-first.sql', '2-second.sql', '10-third.sql'])
    assert.deepEqual(told, applied)
    assert.deepEqual(await migrate(db, path), [])
    await writeFile(join(path, '11-fourth.sql'), 'insert into log values (4)')
    assert.deepEqual(await migrate(db, url), ['11-fourth.sql'])
    assert.deepEqual(
      (await db.sql<{ n: number }>`select n from log`).map(({ n }) => n),
      [1, 2, 3, 4],
    )
  })

  test('of one that fails nothing is kept, those before it are, and the line that PostgreSQL refused is named', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '001-good.sql': 'create table good ()',
      '002-bad.sql': '-- two tables\ncreate table half ();\n\ncreate tabel bad (\n  n int\n);\n',
    })
    await assert.rejects(
      migrate(db, url),
      refusal(
        'POSTGRES_MIGRATION_FAILED',
        /^002-bad\.sql, line 4: syntax error at or near "tabel" \(SQLSTATE 42601\); nothing of it was kept\n {2}create tabel bad \(\n {9}\^$/,
        { file: '002-bad.sql', line: 4 },
      ),
    )
    assert.deepEqual(await tables(db), ['good', 'migrations'])
    await writeFile(join(path, '002-bad.sql'), 'create table repaired ()')
    await migrate(db, url)
    assert.deepEqual(await tables(db), ['good', 'migrations', 'repaired'])
  })

  test('a row that breaks a rule is blamed on its statement, and what only the commit finds on the file', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '001-rows.sql': 'create table t (n int not null);\n\ninsert into t values (1);\n  insert into t values (null);\n',
    })
    const failure = refusal('POSTGRES_MIGRATION_FAILED', /line 4: null value in column "n"/, { line: 4 })
    await assert.rejects(migrate(db, url), error => {
      assert.ok((error as Error).cause instanceof QueryError)
      return failure(error)
    })
    await writeFile(
      join(path, '001-rows.sql'),
      `create table a (n int primary key);
       create table b (n int references a deferrable initially deferred);
       insert into b values (1)`,
    )
    await assert.rejects(
      migrate(db, url),
      refusal('POSTGRES_MIGRATION_FAILED', /001-rows\.sql: .*foreign key.* at its commit; nothing of it was kept/),
    )
    assert.deepEqual(await tables(db), [])
  })

  test('refuse a history that was rewritten: a file edited, removed or slipped in', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({ '001-a.sql': 'create table a ()', '003-c.sql': 'create table c ()' })
    await migrate(db, url)
    const rewritten = (message: RegExp) => refusal('POSTGRES_MIGRATION_HISTORY', message)
    const states = async () => (await migrationStatus(db, url)).map(({ name, state }) => `${name} ${state}`)

    await writeFile(join(path, '001-a.sql'), 'create table a (n int)')
    await assert.rejects(migrate(db, url), rewritten(/001-a\.sql was edited/))
    assert.deepEqual(await states(), ['001-a.sql edited', '003-c.sql applied'])
    await writeFile(join(path, '001-a.sql'), 'create table a ()')

    await writeFile(join(path, '002-b.sql'), 'create table b ()')
    await assert.rejects(migrate(db, url), rewritten(/002-b\.sql comes before 003-c\.sql/))
    assert.deepEqual(await states(), ['001-a.sql applied', '002-b.sql late', '003-c.sql applied'])
    await rm(join(path, '002-b.sql'))

    await rename(join(path, '001-a.sql'), join(path, 'a.sql.gone'))
    await assert.rejects(migrate(db, url), rewritten(/001-a\.sql has been applied, and its file is gone/))
    assert.deepEqual(await states(), ['001-a.sql missing', '003-c.sql applied'])
    await rename(join(path, 'a.sql.gone'), join(path, '001-a.sql'))
    assert.deepEqual(await migrate(db, url), [])
    assert.deepEqual(await tables(db), ['a', 'c', 'migrations'])
  })

  test('accept other ends of lines, and a database that a newer release has migrated further', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({ '001-a.sql': 'create table a (\n)', '002-b.sql': 'create table b ()' })
    assert.deepEqual(
      (await migrationStatus(db, url)).map(({ state }) => state),
      ['pending', 'pending'],
    )
    await migrate(db, url)
    await writeFile(join(path, '001-a.sql'), '\uFEFFcreate table a (\r\n)')
    await rm(join(path, '002-b.sql'))
    assert.deepEqual(await migrate(db, url), [])
    const statuses = await migrationStatus(db, url)
    assert.deepEqual(
      statuses.map(({ state }) => state),
      ['applied', 'newer'],
    )
    assert.ok(statuses.every(({ appliedAt }) => appliedAt instanceof Date))
  })

  test('one that says so runs outside of a transaction, and what ran before a failure stays', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '001-table.sql': 'create table t (n int, m int)',
      '002-index.sql': `-- Built while the table is used.
-- millrace: no transaction
create index concurrently if not exists t_n on t (n);
create index concurrently if not exists t_o on t (o);
`,
    })
    await assert.rejects(
      migrate(db, url),
      refusal('POSTGRES_MIGRATION_FAILED', /line 4: column "o" does not exist .*has run and stays/, { line: 4 }),
    )
    const indexes = async () =>
      (await db.sql<{ name: string }>`select indexname as name from pg_indexes where tablename = 't'`).map(
        ({ name }) => name,
      )
    assert.deepEqual(await indexes(), ['t_n'])
    const text = await readFile(join(path, '002-index.sql'), 'utf8')
    await writeFile(join(path, '002-index.sql'), text.replace('t (o)', 't (m)'))
    assert.deepEqual(await migrate(db, url), ['002-index.sql'])
    assert.deepEqual(await indexes(), ['t_n', 't_o'])
  })

  test('without that line say why it is needed', async () => {
    const db = await fresh()
    const { url } = await folderOf({ '001-index.sql': 'create table t (n int); create index concurrently on t (n)' })
    await assert.rejects(
      migrate(db, url),
      refusal('POSTGRES_MIGRATION_FAILED', /cannot run inside a transaction block.*"-- millrace: no transaction"/s),
    )
  })

  test('wait for the runner that works, say so, and find nothing left to do', async () => {
    const db = await fresh()
    const { url } = await folderOf({ '001-slow.sql': 'create table t (); select pg_advisory_lock(1)' })
    const gate = await db.begin()
    await gate.sql`select pg_advisory_xact_lock(1)`
    const first = migrate(db, url)
    await eventually(async () => {
      const waiting =
        await root.sql`select from pg_stat_activity where query like 'select pg_advisory_lock(1)%'`.count()
      return waiting === 1 || undefined
    })
    const second = await open({ url: server.url.replace('/app?', `/fresh_${made - 1}?`), maxConnections: 1 })
    const waits = Promise.withResolvers<void>()
    const later = migrate(second, url, { onWait: waits.resolve })
    await waits.promise
    await gate.rollback()
    await gate.close()
    assert.deepEqual(await first, ['001-slow.sql'])
    assert.deepEqual(await later, [])
  })

  test('make an index concurrently while others wait for their turn, and nobody waits for each other', async () => {
    const db = await fresh()
    await db.script('create table t as select n from generate_series(1, 50000) n')
    const { url } = await folderOf({
      '001-index.sql':
        '-- millrace: no transaction\nselect pg_advisory_lock(1);\ncreate index concurrently t_n on t (n);\n' +
        'select pg_advisory_unlock(1);',
    })
    const gate = await db.begin()
    await gate.sql`select pg_advisory_xact_lock(1)`
    const runners = await Promise.all(
      [1, 2, 3].map(() => open({ url: server.url.replace('/app?', `/fresh_${made - 1}?`), maxConnections: 1 })),
    )
    const waiting = runners.map(() => Promise.withResolvers<void>())
    const applied = runners.map((runner, index) => migrate(runner, url, { onWait: waiting[index]!.resolve }))
    await Promise.any([0, 1, 2].map(left => Promise.all(waiting.filter((_, at) => at !== left).map(w => w.promise))))
    await gate.rollback()
    await gate.close()
    assert.deepEqual((await Promise.all(applied)).flat(), ['001-index.sql'])
  })

  test('run each as if alone: what a file sets on its session, a search path or a role, ends with it', async () => {
    const db = await fresh()
    await db.script('create schema other; create role clerk; grant create on schema public to clerk')
    const { url } = await folderOf({
      // As pg_dump begins.
      '001-dump.sql':
        "set statement_timeout = 1; select pg_catalog.set_config('search_path', '', false); create table public.a ();",
      '002-role.sql': 'set role clerk; create table b ();',
      '003-path.sql':
        '-- millrace: no transaction\nset search_path = other; create table c (); set role clerk; select 1;',
      '004-none.sql':
        'create table d (); select pg_sleep(0.1); create table e (made_by text default current_user); insert into e values (default);',
    })
    assert.equal((await migrate(db, url)).length, 4)
    assert.deepEqual(await tables(db), ['a', 'b', 'd', 'e', 'migrations'])
    assert.deepEqual(await db.sql`select made_by from e`, [{ made_by: 'postgres' }])
  })

  test("with a line of psql's own say so", async () => {
    const db = await fresh()
    const { url } = await folderOf({ '001-dump.sql': '\\restrict abc\n\ncreate table a ();' })
    await assert.rejects(migrate(db, url), refusal('POSTGRES_MIGRATION_FAILED', /line 1: .*psql's own, take them out/))
  })

  test('take as long as they need, whatever the time-outs of the pool, and one connection', async () => {
    await fresh()
    const url = server.url.replace('/app?', `/fresh_${made}?`)
    const hasty = await open({ url, maxConnections: 1, statementTimeout: 50, idleInTransactionTimeout: 50 })
    const { url: folder } = await folderOf({ '001-slow.sql': 'select pg_sleep(0.3); create table t ()' })
    assert.deepEqual(await migrate(hasty, folder), ['001-slow.sql'])
    // The settings went with the connection.
    await assert.rejects(Promise.resolve(hasty.sql`select pg_sleep(1)`), { code: 'POSTGRES_QUERY_TIMEOUT' })
  })

  test('keep their history in the table that is named, and leave one alone that is somebody else’s', async () => {
    const db = await fresh()
    await db.script('create schema audit; create table migrations (id int, timestamp bigint)')
    const { url } = await folderOf({ '001-a.sql': 'create table a ()' })
    await assert.rejects(migrate(db, url), refusal('POSTGRES_MIGRATION_TABLE', /expected the columns name, checksum/))
    assert.deepEqual(await migrate(db, url, { table: 'audit.history' }), ['001-a.sql'])
    assert.equal(await db.sql`select from ${sql.identifier('audit', 'history')}`.count(), 1)
  })

  test('need no right to make tables when nothing is pending', async () => {
    const db = await fresh()
    const { url } = await folderOf({ '001-a.sql': 'create table a ()' })
    await migrate(db, url)
    await db.script('create role reader login; grant select on migrations to reader')
    const reader = await open({
      url: server.url.replace('/app?', `/fresh_${made - 1}?`).replace('user=postgres', 'user=reader'),
    })
    assert.deepEqual(await migrate(reader, url), [])
  })
})

describe('a folder of migrations', () => {
  const refused = (files: Readonly<Record<string, string>>, message: RegExp) => async () => {
    const db = await fresh()
    const { url } = await folderOf(files)
    await assert.rejects(migrate(db, url), refusal('POSTGRES_MIGRATION_FILE', message))
    assert.ok(!(await tables(db)).includes('a'))
  }

  test('has to be there', async () => {
    await assert.rejects(
      migrate(root, join(scratch, 'nowhere')),
      refusal('POSTGRES_MIGRATION_FOLDER', /there is no folder .*nowhere; "millrace migrate new" makes it/),
    )
  })
  test('holds no file without a number', refused({ 'init.sql': 'create table a ()' }, /init\.sql has no number/))
  test(
    'holds no two of one number',
    refused({ '01-a.sql': 'create table a ()', '1-b.sql': '' }, /01-a\.sql and 1-b\.sql have the same number/),
  )
  test(
    'holds none that ends its transaction',
    refused(
      { '001-a.sql': 'create table a ();\nCOMMIT;\ncreate table b ()' },
      /001-a\.sql, line 2: COMMIT has no place/,
    ),
  )
  test('holds none that has not been written', refused({ '001-a.sql': '-- a\n' }, /001-a\.sql holds no statement/))

  test('lets savepoints be, and functions with a begin of their own', () => {
    const text = `savepoint s; rollback to savepoint s; rollback transaction to s; release s;
      create function f() returns int begin atomic select 1; end; do $$ begin end $$`
    assert.equal(migrationOf('001-a.sql', text).statements.length, 6)
  })

  test('gets its next file named and numbered, empty but for what it is for', async () => {
    const folder = join(scratch, 'new')
    assert.equal(basename(await newMigration(folder, 'Add prices!')), '001-add-prices.sql')
    await rename(join(folder, '001-add-prices.sql'), join(folder, '0099-add-prices.sql'))
    const next = await newMigration(folder, 'Ünïcode & more')
    assert.equal(basename(next), '0100-n-code-more.sql')
    assert.equal(await readFile(next, 'utf8'), '-- Ünïcode & more\n\n')
    await assert.rejects(newMigration(folder, '!?'), refusal('POSTGRES_MIGRATION_FILE', /makes no name of a file/))
  })
})
