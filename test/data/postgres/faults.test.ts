// What databases and networks do, and what callers and clients notice of it: typed errors, 503 with Retry-After, and nothing left over.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Database, DatabaseUnavailableError, PoolFullError, sql } from '../../../src/data/postgres/index.ts'
import { App, dependency } from '../../../src/index.ts'
import { testClient } from '../../../src/testing/index.ts'
import { proxied } from '../support/proxied.ts'
import { eventually, testServer } from '../support/server.ts'

const { server, open } = await testServer()
const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })

before(() =>
  watcher.script(`
    create table account (id int primary key, cents int not null);
    insert into account values (1, 100), (2, 0);
    create role app login connection limit 4`),
)

const sessions = (name: string): Promise<number> =>
  watcher.sql`select from pg_stat_activity where application_name = ${name}`.count()

/** A transfer that stops half-way until told to go on. */
function transfer(db: Database) {
  const half = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const done = db.transaction(async tx => {
    await tx.sql`update account set cents = cents - 30 where id = 1`
    half.resolve()
    await goOn.promise
    await tx.sql`update account set cents = cents + 30 where id = 2`
  })
  done.catch(() => {})
  return { done, half: half.promise, goOn: goOn.resolve }
}

const balances = async (): Promise<unknown[]> =>
  (await watcher.sql<{ cents: number }>`select cents from account order by id`).map(({ cents }) => cents)

describe('a server that is out of connections', () => {
  // Of a role that may have four: the server says the same of that as of its own limit (53300).
  const url = server.url.replace(/user=\w+/, 'user=app')

  test('makes callers wait where there is one, is a 503 with Retry-After where there is none, and gives one as soon as it can', async () => {
    const database = await open({ url, applicationName: 'poor', maxConnections: 3, acquireTimeout: '2s' })
    const db = dependency({ scope: 'worker' }, () => database)
    const app = new App()
    app.get('/', { uses: { db } }, ({ db }) => db.sql`select 1 as a, pg_sleep(0.02)`)
    const api = testClient(app)
    after(() => api.close())
    const hog = await open({ url, applicationName: 'hog', maxConnections: 4 })
    await hog.warm(3)

    const answers = await Promise.all(Array.from({ length: 6 }, () => api.fetch('/')))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 200],
    )
    assert.equal(database.pool.open, 1)

    await watcher.sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'poor'`
    await eventually(() => (database.pool.open === 0 ? true : undefined))
    await eventually(() =>
      hog
        .warm(4)
        .then(() => true)
        .catch(() => undefined),
    )
    const refused = await api.fetch('/')
    assert.equal(refused.status, 503)
    assert.match(refused.headers.get('retry-after')!, /^[1-9]\d*$/)
    assert.doesNotMatch(await refused.text(), /role|connections/)

    await hog.close()
    const again = await eventually(async () => {
      const answer = await api.fetch('/')
      return answer.status === 200 ? answer : undefined
    })
    assert.equal(again.status, 200)
    await database.close()
    await eventually(async () => ((await sessions('poor')) + (await sessions('hog')) === 0 ? true : undefined))
  })
})

describe('a transaction', () => {
  test('whose connection the server ends half-way is undone, and told as 503', async () => {
    const db = await open({ applicationName: 'ended', maxConnections: 2 })
    const work = transfer(db)
    await work.half
    await watcher.sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'ended'`
    work.goOn()
    await assert.rejects(work.done, { code: 'POSTGRES_UNAVAILABLE', status: 503 })
    assert.deepEqual(await balances(), [100, 0])
    assert.deepEqual(await db.sql`select 1 as a`, [{ a: 1 }])
  })

  test('whose network is reset half-way is undone, and its locks are free at once', async () => {
    const { proxy, url } = await proxied(server)
    const db = await open({ url, applicationName: 'reset', maxConnections: 2 })
    const work = transfer(db)
    await work.half
    proxy.resetOpen()
    work.goOn()
    await assert.rejects(work.done, DatabaseUnavailableError)
    await watcher.sql`update account set cents = cents where id = 1`
    assert.deepEqual(await balances(), [100, 0])
    assert.deepEqual(await db.sql`select 1 as a`, [{ a: 1 }])
    await db.close(0)
    await proxy.close()
  })
})

describe('a slow network', () => {
  test('makes callers wait in the order they came, refuses those beyond the line, and serves on when it is quick again', async () => {
    const { proxy, url } = await proxied(server)
    const db = await open({ url, applicationName: 'slow', maxConnections: 2, maxWaiting: 4, acquireTimeout: '10s' })
    await db.warm(2)
    proxy.slow({ latencyMs: 50, trickle: { bytes: 16, everyMs: 1 } })
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => db.sql`select ${n}::int as n`.one()))
    assert.deepEqual(
      results.map(result => (result.status === 'fulfilled' ? result.value['n'] : (result.reason as Error).constructor)),
      [0, 1, 2, 3, 4, 5, PoolFullError, PoolFullError, PoolFullError, PoolFullError],
    )
    proxy.heal()
    assert.deepEqual(await db.sql`select 1 as a`, [{ a: 1 }])
    assert.equal(db.pool.idle, db.pool.open)
    await db.close(0)
    await proxy.close()
  })

  test('that says nothing any more costs a caller no longer than its signal allows, and the pool a connection', async () => {
    const { proxy, url } = await proxied(server)
    const db = await open({ url, applicationName: 'silent', maxConnections: 1, connectTimeout: '1s' })
    proxy.hold()
    await assert.rejects(db.sql`select 1`.signal(AbortSignal.timeout(50)).one(), { name: 'TimeoutError' })
    proxy.heal()
    assert.deepEqual(await eventually(() => db.sql`select 1 as a`.catch(() => undefined)), [{ a: 1 }])
    assert.ok((await sessions('silent')) <= 1)
    await db.close(0)
    await proxy.close()
  })
})

describe('what clients send', () => {
  const attacks = fc.oneof(
    fc.constantFrom(
      `'; drop table account; --`,
      `1 or 1=1`,
      `") or ""="`,
      `\\'; drop table account; --`,
      `$1`,
      `$$; drop table account; $$`,
      `/* */ union select null`,
      `\u0000`.replace('\u0000', '%00'),
      `''`,
      `"account"`,
      `E'\\x27'`,
      `{"$gt": ""}`,
    ),
    // Text in PostgreSQL has no NUL and no lone surrogates.
    fc.string({ unit: 'binary' }).map(text => text.replaceAll('\0', '').toWellFormed()),
  )

  test('stays a value, in a parameter, an array, JSON, a fragment and a name, whatever it holds', async () => {
    const db = await open()
    const tables = async () =>
      (await db.sql<{ n: number }>`select count(*)::int as n from pg_class where relname = 'account'`.one()).n
    await fc.assert(
      fc.asyncProperty(attacks, attacks, async (text, other) => {
        const filter = sql`where t.v = ${text} and ${sql.join([sql`v <> ${`${other}x`}`, sql`true`], sql` or `)}`
        const row = await db.sql`
          select t.v, ${[text, other]}::text[] as list, ${{ [text]: other }}::jsonb as doc
          from (select ${text}::text as v) t ${filter}`.one()
        assert.deepEqual(row, { v: text, list: [text, other], doc: { [text]: other } })
        const named = await db.query('select $1::text as v', [text]).one()
        assert.equal(named['v'], text)
        // Names are cut by the server at 63 bytes; a name is never empty.
        const name = `n${text}`
        const columns = await db.sql`select 1 as ${sql.identifier(name)}`.one()
        assert.equal(Object.keys(columns).length, 1)
        assert.ok(name.startsWith(Object.keys(columns)[0]!.replace(/\ufffd+$/, '')))
      }),
      { numRuns: 300 },
    )
    assert.equal(await tables(), 1)
    assert.deepEqual(await balances(), [100, 0])
  })

  test('that no text can hold is refused as a bad value by the server, and the connection goes on', async () => {
    const db = await open({ maxConnections: 1 })
    await assert.rejects(db.sql`select ${'a\0b'}::text as v`.one(), { code: 'POSTGRES_QUERY' })
    assert.deepEqual(await db.sql`select 1 as a`, [{ a: 1 }])
  })
})
