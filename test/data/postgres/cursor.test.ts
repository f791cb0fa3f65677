import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, jsonLines } from 'millrace'
import { testClient } from 'millrace/testing'
import { QueryError, sql } from '../../../src/data/postgres/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { open } = await testServer()
const db = await open({ maxConnections: 2, applicationName: 'reader' })
const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })

const ROWS = 5000
before(() =>
  db.script(`create table entry (id int primary key, text text); insert into entry
  select n, 'row ' || n from generate_series(1, ${ROWS}) n`),
)

const assertNothingLent = () => assert.equal(db.pool.idle, db.pool.open, 'a connection has not come back')
const whenAllBack = () => eventually(() => (db.pool.idle === db.pool.open ? true : undefined))
const transactions = async () =>
  (await watcher.sql`select 1 from pg_stat_activity where application_name = 'reader' and xact_start is not null`)
    .length
const whenNoTransaction = () => eventually(async () => ((await transactions()) === 0 ? true : undefined))

describe('db.cursor', () => {
  test('gives all rows in order, from a template with values and fragments', async () => {
    const seen: number[] = []
    const some = sql`where id > ${10}`
    for await (const { id } of db.cursor<{ id: number }>`select id from entry ${some} order by id`) seen.push(id)
    assert.deepEqual(
      seen,
      Array.from({ length: ROWS - 10 }, (_, n) => n + 11),
    )
    assertNothingLent()
  })

  test('takes a text with its values, and may be read more than once', async () => {
    const cursor = db.cursor<{ text: string }>('select text from entry where id <= $1 order by id', [3], { batch: 2 })
    for (let round = 0; round < 2; round++) {
      const seen: string[] = []
      for await (const { text } of cursor) seen.push(text)
      assert.deepEqual(seen, ['row 1', 'row 2', 'row 3'])
    }
    assertNothingLent()
  })

  for (const [rows, batch] of [
    [0, 3],
    [1, 3],
    [3, 3],
    [6, 3],
    [7, 3],
  ] as const)
    // prettier-ignore
    test(`${rows} rows in batches of ${batch}`, async () => {
      const sizes: number[] = []
      for await (const batchOf of db.cursor`select * from entry where id <= ${rows}`.batch(batch).batches())
        sizes.push(batchOf.length)
      const expected = Array.from({ length: Math.ceil(rows / batch) }, (_, n) => Math.min(batch, rows - n * batch))
      assert.deepEqual(sizes, expected)
      assertNothingLent()
    })

  test('is read-only', async () => {
    await assert.rejects(async () => {
      for await (const _ of db.cursor`delete from entry returning id`) assert.fail('a row was removed')
    }, /read-only/)
    assertNothingLent()
  })

  test('sends nothing before the first row is asked for', async () => {
    void db.cursor`select 1`
    db.cursor`this is no sql`[Symbol.asyncIterator]()
    assertNothingLent()
    assert.equal(await transactions(), 0)
  })

  test('callers that do not wait for each other get the rows in turn', async () => {
    const rows = db.cursor<{ id: number }>`select id from entry order by id limit 5`.batch(2)[Symbol.asyncIterator]()
    const steps = await Promise.all(Array.from({ length: 7 }, () => rows.next()))
    assert.deepEqual(
      steps.map(step => (step.done ? undefined : step.value.id)),
      [1, 2, 3, 4, 5, undefined, undefined],
    )
    assertNothingLent()
  })

  test('break and throw give the connection back before the loop is left', async () => {
    for await (const _ of db.cursor`select * from entry`.batch(10)) break
    assertNothingLent()
    const error = new Error('enough')
    const loop = async () => {
      for await (const _ of db.cursor`select * from entry`.batch(10)) throw error
    }
    await assert.rejects(loop, thrown => thrown === error)
    assertNothingLent()
    assert.equal(await transactions(), 0)
  })

  test('a loop left while a batch is on its way cancels it', async () => {
    const rows = db.cursor`select pg_sleep(60), 'mark-a'`[Symbol.asyncIterator]()
    const step = rows.next()
    await eventually(async () => ((await transactions()) === 1 ? true : undefined))
    await rows.return!()
    assert.equal((await step).done, true)
    await whenAllBack()
    await whenNoTransaction()
  })

  test('an abort ends the batch on its way, with the reason of the signal', async () => {
    const gone = new AbortController()
    const rows = db.cursor`select pg_sleep(60)`.signal(gone.signal)[Symbol.asyncIterator]()
    const step = rows.next()
    await eventually(async () => ((await transactions()) === 1 ? true : undefined))
    gone.abort(new Error('client left'))
    await assert.rejects(step, /client left/)
    await whenAllBack()
    await whenNoTransaction()
  })

  test('an abort frees the connection also when nobody asks for a row any more', async () => {
    const gone = new AbortController()
    const rows = db.cursor('select * from entry', [], { batch: 10, signal: gone.signal })[Symbol.asyncIterator]()
    await rows.next()
    gone.abort(new Error('client left'))
    await whenAllBack()
    await whenNoTransaction()
    await assert.rejects(rows.next(), /client left/)
    assert.equal((await rows.next()).done, true)
  })

  test('an error in the middle is typed, thrown once, and the connection is as good as before', async () => {
    const seen: number[] = []
    const loop = async () => {
      for await (const { n } of db.cursor<{
        n: number
      }>`select 10 / (25 - n) as n from generate_series(1, 30) n`.batch(10))
        seen.push(n)
    }
    await assert.rejects(loop, (error: unknown) => error instanceof QueryError && error.sqlState === '22012')
    assert.equal(seen.length, 20)
    assertNothingLent()
    assert.equal((await db.sql`select 1 as a`.one())['a'], 1)
  })

  test('a connection that dies in the middle is an error, and is replaced', async () => {
    const rows = db.cursor<{ pid: number }>`select pg_backend_pid() as pid from entry`.batch(2)[Symbol.asyncIterator]()
    const { value } = await rows.next()
    await watcher.sql`select pg_terminate_backend(${value!.pid}, 5000)`
    await rows.next()
    await assert.rejects(rows.next(), { code: 'POSTGRES_UNAVAILABLE', status: 503 })
    await whenAllBack()
    assert.equal((await db.sql`select 1 as a`.one())['a'], 1)
  })
})

describe('tx.cursor', () => {
  test('reads what its transaction wrote, and other statements of it run between two rows', async () => {
    await db.transaction(async tx => {
      await tx.sql`insert into entry values (0, 'zero')`
      const seen: number[] = []
      for await (const { id } of tx.cursor<{ id: number }>`select id from entry order by id limit 7`.batch(3)) {
        await tx.sql`update entry set text = 'seen' where id = ${id}`
        seen.push(id)
      }
      assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6])
      for await (const a of tx.cursor<{ id: number }>`select id from entry order by id`.batch(2)) {
        for await (const b of tx.cursor<{ id: number }>`select id from entry order by id desc`.batch(2)) {
          assert.ok(b.id > a.id)
          break
        }
        break
      }
      const left = await tx.sql`select statement from pg_cursors where name <> ''`
      assert.deepEqual(left, [], 'a loop that was left has closed its portal')
    })
    const { n } = await db.sql<{ n: number }>`select count(*)::int as n from entry where text = 'seen'`.one()
    assert.equal(n, 7)
    assertNothingLent()
  })

  test('asks for the next batch only when the last has been taken', async () => {
    await db.script('create sequence asked')
    const asked = async () => Number((await watcher.sql<{ n: string }>`select last_value as n from asked`.one()).n)
    await db.transaction(async tx => {
      const rows = tx.cursor`select nextval('asked') from generate_series(1, 1000)`.batch(10)[Symbol.asyncIterator]()
      for (let n = 0; n < 10; n++) await rows.next()
      assert.equal(await asked(), 10)
      await rows.next()
      assert.equal(await asked(), 20)
      await rows.return!()
    })
  })

  test('writes, with returning', async () => {
    await db.transaction(async tx => {
      const ids: number[] = []
      for await (const { id } of tx.cursor<{
        id: number
      }>`update entry set text = 'x' where id <= 4 and id > 0 returning id`)
        ids.push(id)
      assert.deepEqual(ids.sort(), [1, 2, 3, 4])
    })
  })

  test('after the end of its transaction it cannot be read', async () => {
    const tx = await db.begin()
    const rows = tx.cursor`select * from entry`.batch(2)[Symbol.asyncIterator]()
    await rows.next()
    await tx.commit()
    await tx.close()
    await rows.next()
    await assert.rejects(rows.next(), { code: 'POSTGRES_TRANSACTION_ENDED' })
    assertNothingLent()
  })
})

describe('a cursor as a streamed answer', () => {
  const Entry = z.object({ id: z.int(), text: z.string() })
  const database = dependency({ scope: 'worker' }, () => db)
  const app = new App()
  app.get('/entries', { uses: { db: database }, returns: jsonLines(Entry) }, ({ db, signal }) =>
    db.cursor<z.infer<typeof Entry>>`select id, text from entry where id > 10 order by id`.signal(signal),
  )
  const api = testClient(app)
  after(() => api.close())

  test('is written whole', async () => {
    const lines = (await (await api.fetch('/entries')).text()).trimEnd().split('\n')
    assert.equal(lines.length, ROWS - 10)
    assert.deepEqual(JSON.parse(lines.at(-1)!), { id: ROWS, text: `row ${ROWS}` })
    assertNothingLent()
  })

  test('holds its connection only until its client leaves', async () => {
    const answer = await api.fetch('/entries')
    const reader = answer.body!.getReader()
    await reader.read()
    await reader.cancel()
    await whenAllBack()
    await whenNoTransaction()
  })
})
