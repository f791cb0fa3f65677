// `millrace migrate` as people run it: real processes, a real server, and what they say and end with.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { embeddedPostgres } from '../../src/data/postgres/index.ts'
import { eventually, testServer } from '../data/support/server.ts'
import { atEnd, RunningCommand, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }
const { server, open } = await testServer()
const root = await open({ maxConnections: 3 })
let made = 0

/** A working directory with migrations, and a database of its own. */
async function place(context: TestContext, files: Readonly<Record<string, string>>) {
  const directory = await temporaryFolder(context)
  const name = `place_${++made}`
  await root.script(`create database ${name}`)
  const url = server.url.replace('/app?', `/${name}?`)
  const write = (file: string, text: string) => writeFile(join(directory, 'migrations', file), text)
  await mkdir(join(directory, 'migrations'))
  for (const [file, text] of Object.entries(files)) await write(file, text)
  const start = (...args: string[]) => {
    const command = new RunningCommand(['migrate', ...args], { directory, environment: { DATABASE_URL: url } })
    atEnd(context, () => {
      command.child.kill('SIGKILL')
      return command.exited
    })
    return command
  }
  const ran = async (...args: string[]) => {
    const command = start(...args)
    const { code } = await command.exited
    return { code, said: command.output, errors: command.errors }
  }
  /** Resolves once a statement like this runs. */
  const runs = (pattern: string) =>
    eventually(async () => {
      const found = await root.sql`
        select from pg_stat_activity where datname = ${name} and state = 'active' and query like ${pattern}`.count()
      return found > 0 || undefined
    }, 60_000)
  const db = await open({ url })
  return { directory, url, write, start, ran, runs, db }
}

describe('millrace migrate', limit, () => {
  test('makes files, applies them, and says how far a database is', async context => {
    const { directory, write, ran } = await place(context, {})
    const { code, said } = await ran('new', 'add', 'prices')
    assert.deepEqual({ code, said }, { code: 0, said: join('migrations', '001-add-prices.sql\n') })
    assert.match((await ran('up')).errors, /^error: 001-add-prices\.sql holds no statement/)
    await write('001-add-prices.sql', '-- add prices\ncreate table prices (cents int);')
    await write('002-fill.sql', 'insert into prices values (1);')
    assert.equal(
      (await ran('status')).said,
      '001-add-prices.sql  pending\n002-fill.sql        pending\n\n0 applied, 2 pending\n',
    )
    const up = await ran('up')
    assert.deepEqual([up.code, up.errors], [0, ''])
    assert.match(up.said, /^applied 001-add-prices\.sql in \d+ ms\napplied 002-fill\.sql in \d+ ms\n$/)
    assert.deepEqual(await ran('up', '--dir', join(directory, 'migrations')), {
      code: 0,
      said: 'nothing is pending\n',
      errors: '',
    })
    assert.match((await ran('status')).said, /^001-add-prices\.sql {2}applied {2}20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m)
  })

  test('refuses edited history with code 1, and the SQL that PostgreSQL refuses by file and line', async context => {
    const { write, ran, db } = await place(context, { '001-a.sql': 'create table a ()' })
    await ran('up')
    await write('002-b.sql', 'create table b ();\ncreate table b ();\n')
    const bad = await ran('up')
    assert.equal(bad.code, 1)
    assert.match(bad.errors, /^error: 002-b\.sql, line 2: relation "b" already exists .*nothing of it was kept\n/)
    assert.deepEqual(await db.sql`select to_regclass('b') as found`, [{ found: null }])
    await write('001-a.sql', 'create table a (n int)')
    const edited = await ran('up')
    assert.equal(edited.code, 1)
    assert.match(edited.errors, /^error: 001-a\.sql was edited after it had been applied/)
    const status = await ran('status')
    assert.equal(status.code, 1)
    assert.match(status.said, /^001-a\.sql {2}edited .*\n {2}changed since.*\n002-b\.sql {2}pending\n\n.*1 wrong\n$/)
  })

  test('of two at once the second waits, and then finds nothing to do', async context => {
    const { start, runs, db } = await place(context, {
      '001-slow.sql': 'create table t (); select pg_advisory_lock(1)',
      '002-more.sql': 'create table u ()',
    })
    const gate = await db.begin()
    await gate.sql`select pg_advisory_xact_lock(1)`
    const first = start('up')
    await runs('select pg_advisory_lock(1)%')
    const second = start('up')
    await second.says(/another process is migrating this database; waiting for it/)
    await gate.rollback()
    await gate.close()
    assert.equal((await first.exited).code, 0)
    assert.match(first.output, /applied 001-slow\.sql .*\napplied 002-more\.sql /)
    assert.equal((await second.exited).code, 0)
    assert.match(second.output, /waiting for it\nnothing is pending\n$/)
  })

  for (const [kind, head] of [
    ['a transaction', ''],
    ['none', '-- millrace: no transaction\n'],
  ] as const)
    test(`killed by -9 in the middle of ${kind} it lets go of the lock, and the next one goes on`, async context => {
      const { start, ran, runs, write, db } = await place(context, {
        '001-first.sql': 'create table first ()',
        '002-slow.sql': `${head}create table if not exists half ();\nselect pg_sleep(600);\n`,
      })
      const victim = start('up')
      await runs('select pg_sleep(600)%')
      victim.signal('SIGKILL')
      await victim.exited
      await write('002-slow.sql', `${head}create table if not exists half (); create table whole ();`)
      const next = await ran('up')
      assert.deepEqual([next.code, next.errors], [0, ''])
      // Of the killed one the first file was kept, and of the second nothing, unless it ran outside of a transaction.
      assert.match(next.said, /^(another process .*\n)?applied 002-slow\.sql/)
      assert.equal(await db.sql`select from migrations`.count(), 2)
    })

  test('finds the database that an app names in its code, where it names one', async context => {
    const { directory, url, db } = await place(context, { '001-a.sql': 'create table a ()' })
    const ran = async (urls: readonly string[]) => {
      const args = ['migrate', 'up', '--dir', join(directory, 'migrations'), '--app', 'placed.ts']
      const environment = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/x', URLS: urls.join(' ') }
      const command = new RunningCommand(args, { environment })
      const { code } = await command.exited
      return { code, said: command.output, errors: command.errors }
    }
    const none = await ran([])
    assert.deepEqual([none.code, none.said], [2, ''])
    assert.match(none.errors, /^error: placed\.ts declares no postgres\(\); name the database by --url/)
    const several = await ran([url, 'postgresql://127.0.0.1:1/other'])
    assert.equal(several.code, 2)
    assert.match(several.errors, /^error: placed\.ts has 2 databases; name the one that is meant by --url/)
    const one = await ran([url, url])
    assert.deepEqual([one.code, one.errors], [0, ''])
    assert.match(one.said, /^applied 001-a\.sql /)
    assert.deepEqual(await db.sql`select to_regclass('a')::text as found`, [{ found: 'a' }])
  })

  test('has the embedded server without a URL: one that runs for another process, or its own for as long as it takes', async context => {
    const { directory } = await place(context, { '001-a.sql': 'create table a ()' })
    const ran = async (...args: string[]) => {
      const { DATABASE_URL: _url, ...environment } = process.env as Record<string, string>
      const command = new RunningCommand(['migrate', ...args], { directory, environment })
      const { code } = await command.exited
      return { code, said: command.output, errors: command.errors }
    }
    const first = await ran('up')
    assert.deepEqual([first.code, first.errors], [0, ''])
    assert.match(first.said, /^applied 001-a\.sql /)
    assert.ok(!existsSync(join(directory, '.millrace/postgres/data/postmaster.pid')))
    const running = await embeddedPostgres({ dataDir: join(directory, '.millrace/postgres') })
    try {
      const second = await ran('up')
      assert.deepEqual([second.code, second.said, second.errors], [0, 'nothing is pending\n', ''])
    } finally {
      await running.stop()
    }
  })

  test('what it does not understand it refuses with code 2', async context => {
    const { ran } = await place(context, {})
    for (const [args, message] of [
      [[], /^error: millrace migrate needs an action: up, status, new/],
      [['down'], /^error: millrace migrate has no action down/],
      [['up', 'now'], /^error: migrate up does not take now as well/],
      [['new'], /^error: migrate new needs to know what changes/],
      [['up', '--dri', 'x'], /^error: millrace migrate has no option --dri.*--dir/],
      [['up', '--url', 'x', '--app', 'y'], /^error: --url and --app both name the database/],
      [['up', '--url'], /^error: --url needs a value/],
    ] as const) {
      const { code, errors } = await ran(...args)
      assert.equal(code, 2)
      assert.match(errors, message)
    }
    assert.match((await ran('--help')).said, /^Usage: millrace migrate ACTION\n/)
    const unreadable = await ran('up', '--url', 'mysql://x')
    assert.equal(unreadable.code, 1)
    assert.match(unreadable.errors, /^error: The database URL cannot be read/)
  })
})
