// `millrace doctor` as people run it, on a real server with max_connections 100.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { embeddedPostgres } from '../../src/data/postgres/index.ts'
import { temporaryFolder as folder, testServer } from '../data/support/server.ts'
import { withStandby } from '../data/support/standby.ts'
import { APPS, type CommandOptions, RunningCommand, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }
const { server, open } = await testServer()
delete process.env['DATABASE_URL']
const root = await open({ applicationName: 'other program' })

async function doctor(args: readonly string[], options: CommandOptions = {}) {
  const command = new RunningCommand(['doctor', ...args], {
    environment: { DATABASE_URL: server.url },
    ...options,
  })
  const { code } = await command.exited
  // Paragraphs in one line each; the path of the socket is as long as it is.
  return { code, said: command.output, flat: command.output.replaceAll(/\n {2,}(?=\S)/g, ' '), errors: command.errors }
}

describe('millrace doctor', limit, () => {
  test('8 workers on each of 4 hosts fit into 100 connections, with pools of 1, and it says what takes 2', async () => {
    const { code, said, flat, errors } = await doctor(['pooled.ts', '--workers', '8', '--replicas', '4'])
    assert.deepEqual([code, errors], [0, ''])
    assert.match(said, /^PostgreSQL at \S+\/app\n {2}answer +after [\d.]+ ms\n {2}version +\d+\.\d+\n/m)
    for (const row of [
      /^ {2}max_connections of the server +100$/m,
      /^ {2}superuser_reserved_connections +- +3$/m,
      /^ {2}there are, for this app += +97$/m,
      /^ {2}workers on a host at most .* +8$/m,
      /^ {2}beside them while one replaces another +\+ +1$/m,
      /^ {2}hosts \(--replicas\) +x +4$/m,
      /^ {2}each: a pool of 1, 1 to listen +x +2$/m,
      /^ {2}taken at most += +73$/m,
    ])
      assert.match(said, row)
    assert.match(
      flat,
      /~ It fits, 73 of 97, with pools of 1: .* For pools of 2 set max_connections of the server to at least 112, or run at most 7 workers on each host .*, or run on at most 3 hosts/,
    )
  })

  test('what cannot fit ends with code 1, and any one of the numbers that it names mends it', async () => {
    const { code, flat } = await doctor(['pooled.ts', '--workers', '12', '--replicas', '4'])
    assert.equal(code, 1)
    assert.match(
      flat,
      /! It does not fit: 105 of 97\. Set max_connections of the server to at least 108, or run at most 11 workers on each host \(--workers, --max-workers\), or run on at most 3 hosts \(--replicas\)\./,
    )
    assert.equal((await doctor(['pooled.ts', '--workers', '11', '--replicas', '4'])).code, 0)
    assert.equal((await doctor(['pooled.ts', '--workers', '12', '--replicas', '3'])).code, 0)
  })

  test('counts pools as they are given, for workers at their most, and looks at the database that it is told', async () => {
    const args = ['pooled.ts', '--workers', '2', '--max-workers', '4', '--url', server.url]
    const { code, said, flat } = await doctor(args, {
      environment: { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/x', POOL_SIZE: '30' },
    })
    assert.equal(code, 1)
    assert.match(said, /^ {2}workers on a host at most .* +4$/m)
    assert.match(said, /^ {2}each: a pool of 30 as given, 1 to listen +x +31$/m)
    assert.match(flat, /give the largest pool at most 18 \(maxConnections of postgres\(\)\)/)
  })

  test('without an app it looks at DATABASE_URL of .env, and at who else is connected', async context => {
    const directory = await temporaryFolder(context)
    await writeFile(join(directory, '.env'), `DATABASE_URL=${server.url}\nDATABASE_MAX_CONN=60\n`)
    await root.warm(3)
    const { code, said } = await doctor([], { directory, environment: {} })
    assert.equal(code, 0)
    assert.match(said, /^ {2}connections +[3-9] now of other programs$/m)
    assert.match(said, /^ {2}or DATABASE_MAX_CONN 60 x hosts \+ 1, if less +61$/m)
    assert.match(said, /^ {2}each: a pool of 29, 1 to listen +x +30$/m)
  })

  test('warns of connections of others that would not fit beside this app', async () => {
    await root.warm(10)
    const { flat } = await doctor(['--workers', '7'])
    assert.match(
      flat,
      /~ connections +\d\d now of other programs, and there is no room for them: postgres\(\{ leaveConnections: \d\d \}\)/,
    )
  })

  test('tells which index is missing and the line that makes it, and how to learn more', async () => {
    await root.script(`
      create table parent (id int primary key);
      create table child (id int primary key, parent_id int references parent, name text);
      insert into child select n, null, 'n' || n from generate_series(1, 20000) n;
      analyze child`)
    for (let n = 0; n < 50; n++) await root.sql`select count(*) from child where name = ${'x'}`
    await root.sql`select pg_stat_force_next_flush()`
    const { code, said, flat } = await doctor([])
    assert.equal(code, 0)
    assert.match(
      flat,
      /^~ missing index +child, 20 thousand rows, is read whole 5\d times, by statements that are not known/m,
    )
    assert.match(said, /^ {2}create index concurrently on child \(parent_id\);$/m)
    assert.match(said, /^ {2}slow statements +are not known without pg_stat_statements/m)
    assert.match(said, /^ {2}create extension pg_stat_statements;$/m)
    for (const line of said.split('\n')) assert.ok(line.length <= 80 || line.startsWith('PostgreSQL at '), line)
  })

  test('a database that does not answer ends with code 1, and no password is told', async () => {
    const { code, said, errors } = await doctor([], {
      environment: { DATABASE_URL: 'postgresql://user:secret@127.0.0.1:1/x' },
    })
    assert.equal(code, 1)
    assert.match(said, /^! answer +PostgreSQL at 127\.0\.0\.1:1\/x: connection refused$/m)
    assert.doesNotMatch(said + errors, /secret/)
  })

  test('asks each replica whether it answers and follows', async () => {
    const dataDir = await folder()
    const { primary, standby } = await withStandby(await embeddedPostgres({ dataDir }), dataDir)
    after(() => Promise.all([primary.stop(), standby.stop()]))
    const away = 'postgresql://user:secret@127.0.0.1:1/x'
    const { code, flat, said } = await doctor(['placed.ts'], {
      environment: { URLS: primary.url, REPLICAS: `${standby.url} ${server.url} ${away}` },
    })
    assert.equal(code, 1)
    assert.match(flat, / replica +\S+ follows, answers after [\d.]+ ms$/m)
    assert.match(flat, /^~ replica +\S+ follows nobody: it takes writes of its own, answers after/m)
    assert.match(flat, /^! replica +PostgreSQL at 127\.0\.0\.1:1\/x: connection refused$/m)
    assert.doesNotMatch(said, /secret/)
  })

  test('an embedded server that does not run is not started for it', async () => {
    const { code, said } = await doctor(['pooled.ts'], { environment: {} })
    assert.equal(code, 0)
    assert.match(said, /^ {2}server +embedded, and not running; this is what it will have$/m)
    assert.match(said, /It fits: 23 of 97\./)
    assert.ok(!existsSync(join(APPS, '.millrace')))
  })

  test('looks at the machine: descriptors that are too few, workers that are too many', async () => {
    const few = await doctor(['--max-connections', '1000'], { descriptors: 900, environment: {} })
    assert.equal(few.code, 1)
    assert.match(
      few.flat,
      /! open files +900 in each process; a worker takes at most 1000 connections .*raise the limit/,
    )
    const many = await doctor(['--workers', '1000'], { environment: {} })
    assert.equal(many.code, 0)
    assert.match(many.flat, /~ processors +.*1000 workers at most, more than can run at a time/)
    assert.match(many.said, /^ {2}Node +\d+\.\d+\.\d+ on /m)
  })
})
