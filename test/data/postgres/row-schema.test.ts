import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import { RowShapeError } from '../../../src/data/postgres/index.ts'
import { App, dependency, raw } from '../../../src/index.ts'
import { testClient } from '../../../src/testing/index.ts'
import { testServer } from '../support/server.ts'

const { open } = await testServer()
const db = await open()

before(() =>
  db.script(`
    create table item (id bigint primary key, price numeric(10, 2), added timestamptz, doc jsonb, note text);
    insert into item values
      (1, 19.90, '2026-11-26 10:00:00.25+01', '{"tags": ["a", "b"], "big": 12345678901234567890}', 'first'),
      (2, null, '2026-11-27 00:00:00Z', null, 'second')`),
)

const Item = z.object({ id: z.int(), price: z.number().nullable(), added: z.date() })

describe('rows by a schema', () => {
  test('are decoded: numbers from bigint and numeric, dates from moments, nothing that it does not declare', async () => {
    const rows = await db.sql`select * from item order by id`.as(Item)
    assert.deepEqual(rows, [
      { id: 1, price: 19.9, added: new Date('2026-11-26T09:00:00.250Z') },
      { id: 2, price: null, added: new Date('2026-11-27T00:00:00Z') },
    ])
    // Typed by it.
    assert.equal(rows[0]!.added.getUTCFullYear(), 2026)
  })

  test('as an option of db.query and tx.query, with one() and maybe()', async () => {
    const item = await db.query('select * from item where id = $1', [1], { schema: Item }).one()
    assert.equal(item.price, 19.9)
    const found = await db.transaction(tx =>
      tx.query('select id from item where id = $1', [9], { schema: z.object({ id: z.bigint() }) }).maybe(),
    )
    assert.equal(found, null)
  })

  test('a bigint where the schema says bigint, and text where it says string', async () => {
    const Large = z.object({ large: z.bigint(), text: z.string() })
    const row = await db.sql`select 9007199254740993::bigint as large, 12::bigint as text`.as(Large).one()
    assert.deepEqual(row, { large: 9007199254740993n, text: '12' })
  })

  test('a number that a double cannot hold is refused, not rounded', async () => {
    await assert.rejects(db.sql`select 9007199254740993 as id`.as(z.object({ id: z.int() })).one(), RowShapeError)
  })

  test('nor is text that is no number taken for one', async () => {
    for (const text of ['', ' 7', '0x10', 'NaN'])
      await assert.rejects(
        db.query('select $1::text as n', [text], { schema: z.object({ n: z.number() }) }).one(),
        RowShapeError,
      )
  })

  test('a row that does not fit is an error that names row and column, and no value', async () => {
    const query = db.sql`select id, note as price, added from item order by id`.as(Item)
    await assert.rejects(query.one(), (error: RowShapeError) => {
      assert.ok(error instanceof RowShapeError)
      assert.deepEqual([error.code, error.status, error.row], ['POSTGRES_ROW_SHAPE', 500, 0])
      assert.match(error.message, /^row 0 is not what its schema declares: price: /)
      assert.doesNotMatch(error.message, /first/)
      return true
    })
  })

  test('a schema that validates asynchronously is waited for', async () => {
    const Even = z.object({ n: z.int().refine(async n => Promise.resolve(n % 2 === 0), 'odd') })
    assert.deepEqual(await db.sql`select 2 as n`.as(Even), [{ n: 2 }])
    await assert.rejects(db.sql`select n from generate_series(2, 3) n`.as(Even), { row: 1 })
  })
})

describe('raw JSON', () => {
  test('is the text of the column, which nobody parses', async () => {
    const text = await db.sql`select doc from item where id = 1`.raw().one()
    // A number that parsing would have rounded.
    assert.equal(text, '{"big": 12345678901234567890, "tags": ["a", "b"]}')
    assert.deepEqual(await db.sql`select doc from item order by id`.raw(), [text, 'null'])
    assert.equal(await db.sql`select doc from item where id = 9`.raw().maybe(), null)
  })

  test('also from a prepared statement, which gives values to others', async () => {
    for (let round = 0; round < 3; round++) {
      assert.equal(await db.sql`select '[1]'::json as doc`.raw().one(), '[1]')
      assert.deepEqual(await db.sql`select '[1]'::json as doc`.one(), { doc: [1] })
    }
  })

  test('of a column that is none, or of several, is refused, and the connection goes on', async () => {
    for (const query of [db.sql`select note from item`, db.sql`select doc, doc as again from item`])
      await assert.rejects(query.raw().one(), { code: 'POSTGRES_NOT_JSON' })
    assert.equal(db.pool.idle, db.pool.open)
  })

  test('goes into an answer as it is, and is held to its schema in development', async () => {
    const app = new App()
    const worker = dependency({ scope: 'worker' }, () => db)
    const Doc = z.object({ tags: z.array(z.string()), big: z.number() })
    app.get('/doc', { uses: { db: worker }, returns: raw(Doc) }, ({ db }) =>
      db.sql`select doc from item where id = 1`.raw().one(),
    )
    app.get('/all', { uses: { db: worker }, returns: raw(z.array(z.object({ id: z.int() }))) }, ({ db }) =>
      db.sql`select json_agg(json_build_object('id', id) order by id) from item`.raw().one(),
    )
    app.get('/wrong', { uses: { db: worker }, returns: raw(Doc) }, ({ db }) =>
      db.sql`select doc from item where id = 2`.raw().one(),
    )
    const api = testClient(app)
    after(() => api.close())
    const answer = await api.fetch('/doc')
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.equal(await answer.text(), '{"big": 12345678901234567890, "tags": ["a", "b"]}')
    assert.deepEqual(await (await api.fetch('/all')).json(), [{ id: 1 }, { id: 2 }])
    assert.equal((await api.fetch('/wrong')).status, 500)
  })
})
