// PgBouncer in transaction mode: a server's connection for each transaction, so that nothing may be left on a session.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RequestRecord } from '../../../src/core/request-record.ts'
import { signalOf } from '../../../src/core/request-signal.ts'
import {
  connect,
  type Database,
  PostgresSettingsError,
  type PostgresOptions,
} from '../../../src/data/postgres/index.ts'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.ts'
import { eventually, testServer } from '../support/server.ts'

describe('in transaction mode', { skip: withoutPgBouncer }, async () => {
  const { server, open } = await testServer()
  const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })
  let pooler: PgBouncer
  let db: Database

  before(async () => {
    pooler = await startPgBouncer(server.address, [], { default_pool_size: 2 })
    db = await connect({ url: pooler.url, pooler: 'transaction', maxConnections: 8, applicationName: 'pooled' })
    await db.script('create table stock (id int primary key, n int); insert into stock values (1, 12)')
  })
  after(async () => {
    await db.close(0)
    await pooler.stop()
  })

  const running = (mark: string) =>
    watcher.sql`select from pg_stat_activity where state = 'active' and query like ${`%${mark}%`} and pid <> pg_backend_pid()`.count()

  test('statements run, the same ones many times and at once, on fewer connections of the server than callers', async () => {
    const rows = await Promise.all(
      Array.from({ length: 80 }, (_, n) =>
        db.sql<{ n: number }>`select ${n}::int as n from stock where id = ${1}`.one(),
      ),
    )
    assert.deepEqual(
      rows.map(({ n }) => n),
      Array.from({ length: 80 }, (_, n) => n),
    )
    const used =
      await watcher.sql`select from pg_stat_activity where application_name in ('pooled', 'app - 127.0.0.1')`.count()
    assert.ok(used <= 2, `${used} connections`)
  })

  test('to listen is refused, where nothing would ever be heard', async () => {
    const refused = { name: 'UsageError', code: 'POSTGRES_LISTEN_POOLER' }
    assert.throws(() => db.listen('stock'), refused)
    const alone = await open({ maxConnections: 1 })
    const notes = alone.listen('stock')
    await notes.ready
    await db.notify('stock', '7')
    const { value } = await notes.next()
    assert.equal(value?.type === 'notification' && value.payload, '7')
    await notes.return()
  })

  test('transactions commit, roll back, and have savepoints and cursors', async () => {
    await db.transaction(async tx => {
      await tx.sql`update stock set n = 13`
      await assert.rejects(tx.transaction(inner => inner.sql`select 1/0`))
    })
    await assert.rejects(
      db.transaction(async tx => {
        await tx.sql`update stock set n = 0`
        throw new Error('no')
      }),
      /no/,
    )
    const read: unknown[] = []
    for await (const row of db.cursor`select n from stock`) read.push(row)
    assert.deepEqual(read, [{ n: 13 }])
  })

  test('a transaction is told its time, by its request or by statementTimeout, and leaves none of it behind', async () => {
    const timeOf = (signal?: AbortSignal) =>
      db.transaction(
        async tx => (await tx.sql<{ ms: string }>`select current_setting('statement_timeout') as ms`.one()).ms,
        { signal },
      )
    assert.equal(await timeOf(), '30s')
    const { signal } = new AbortController()
    const ms = await timeOf(signalOf({ limitAtMs: performance.now() + 5000, record: new RequestRecord() }, signal))
    assert.match(ms, /^5[12]\d\dms$/)
    const rows = await Promise.all(
      Array.from({ length: 8 }, () => db.sql<{ ms: string }>`select current_setting('statement_timeout') as ms`.one()),
    )
    assert.ok(rows.every(row => row.ms === '0'))
  })

  test("a signal ends its statement on the server, and never another caller's", async () => {
    const gone = new AbortController()
    const work = db.sql`select pg_sleep(60), 'mark-p'`.signal(gone.signal).one()
    await eventually(async () => ((await running('mark-p')) === 1 ? true : undefined))
    gone.abort(new Error('gone'))
    await assert.rejects(work, /gone/)
    await eventually(async () => ((await running('mark-p')) === 0 ? true : undefined))
    let aborted = 0
    for (let round = 0; round < 60; round++) {
      const left = new AbortController()
      const first = db.sql`select pg_sleep(0.002)`.signal(left.signal).one()
      const others = [1, 2, 3].map(n => db.sql<{ n: number }>`select pg_sleep(0.003), ${n}::int as n`.one())
      await sleep(round % 4)
      left.abort()
      await first.catch(() => aborted++)
      assert.deepEqual(
        (await Promise.all(others)).map(({ n }) => n),
        [1, 2, 3],
      )
    }
    assert.ok(aborted > 0)
  })

  test('without `pooler` the start ends, and says what to do', async () => {
    await assert.rejects(connect({ url: pooler.url }), (error: Error) => {
      assert.ok(error instanceof PostgresSettingsError)
      assert.equal(error.code, 'POSTGRES_REFUSED')
      assert.match(error.message, /pooler: 'transaction'/)
      return true
    })
  })

  test('where it takes all parameters, statements that vanish are noticed: they are sent again, told once, and prepared no more', async () => {
    const lenient = await startPgBouncer(server.address, [
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'options',
    ])
    const warnings: string[] = []
    const options: PostgresOptions = { url: lenient.url, maxConnections: 8 }
    const unaware = await connect({ ...options, log: { warn: (text: unknown) => void warnings.push(String(text)) } })
    for (let round = 0; round < 20; round++)
      await Promise.all(
        Array.from({ length: 16 }, async (_, n) =>
          assert.deepEqual(await unaware.sql`select ${n}::int as n from stock`, [{ n }]),
        ),
      )
    const told = warnings.filter(text => text.includes("pooler: 'transaction'"))
    assert.equal(told.length, 1, warnings.join('\n'))
    await unaware.close(0)
    await lenient.stop()
  })

  test('that keeps prepared statements itself needs no more than being told that it may', async () => {
    const session = await startPgBouncer(server.address, [], { pool_mode: 'session' })
    const prepared = await connect({
      url: session.url,
      pooler: 'transaction',
      preparedStatements: 100,
      maxConnections: 2,
    })
    for (let round = 0; round < 5; round++) assert.deepEqual(await prepared.sql`select 7 as n`, [{ n: 7 }])
    const [row] = await prepared.sql`select count(*)::int as n from pg_prepared_statements`
    assert.ok(Number(row!['n']) >= 1)
    await prepared.close(0)
    await session.stop()
  })
})
