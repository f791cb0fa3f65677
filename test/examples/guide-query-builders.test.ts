// Kysely and Drizzle on the pool, as docs/guide/postgres.md shows them.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { testClient } from 'millrace/testing'
import { eq, sql as sqlOfDrizzle } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { Kysely, sql as sqlOfKysely } from 'kysely'
import { eventually, testServer } from '../data/support/server.ts'

const { server, open } = await testServer()
process.env['DATABASE_URL'] = server.url
const { default: kyselyApp, MillraceDialect } = await import('../../examples/guide/kysely.ts')
const { default: drizzleApp, drizzleOn } = await import('../../examples/guide/drizzle.ts')
const db = await open({ maxConnections: 2 })

before(() =>
  db.script(
    'create table products (id int primary key, name text not null, price_cents int not null, stock int not null)',
  ),
)
beforeEach(() => db.script(`truncate products; insert into products values (7, 'Lamp', 4900, 12), (8, 'Rug', 900, 1)`))

const assertNothingLent = () => assert.equal(db.pool.idle, db.pool.open, 'a connection has not come back')
const stocks = async () =>
  (await db.sql<{ stock: number }>`select stock from products order by id`).map(row => row.stock)

for (const [name, app] of [
  ['Kysely', kyselyApp],
  ['Drizzle', drizzleApp],
] as const)
  test(`an app on ${name} reads, and writes in transactions`, async () => {
    const api = testClient(app)
    after(() => api.close())
    const lamp = { id: 7, name: 'Lamp', stock: 12 }
    assert.deepEqual(await (await api.fetch('/products')).json(), [lamp, { id: 8, name: 'Rug', stock: 1 }])
    const sold = await api.fetch('/products/7/sales', { method: 'POST' })
    assert.deepEqual([sold.status, await sold.json()], [201, { ...lamp, stock: 11 }])
    assert.equal((await api.fetch('/products/9/sales', { method: 'POST' })).status, 404)
    assert.deepEqual(await stocks(), [11, 1])
  })

/** Resolves when such a statement runs, or none does. */
const sleeping = (isSo: boolean) =>
  eventually(async () => {
    const [row] = await db.sql`select from pg_stat_activity where wait_event = 'PgSleep'`
    return (row !== undefined) === isSo ? true : undefined
  })

describe('Kysely', () => {
  const kysely = new Kysely<{ products: { id: number; name: string; price_cents: number; stock: number } }>({
    dialect: new MillraceDialect(db),
  })

  test('commits and rolls back, and counts', async () => {
    const work = kysely.transaction().execute(async tx => {
      await tx.updateTable('products').set({ stock: 0 }).execute()
      throw new Error('no')
    })
    await assert.rejects(work, /no/)
    assert.deepEqual(await stocks(), [12, 1])
    const isolated = kysely.transaction().setIsolationLevel('serializable')
    const result = await isolated.execute(tx => tx.updateTable('products').set({ stock: 5 }).executeTakeFirst())
    assert.equal(result.numUpdatedRows, 2n)
    assert.deepEqual(await stocks(), [5, 5])
    assertNothingLent()
  })

  test('streams', async () => {
    const names: string[] = []
    for await (const { name } of kysely.selectFrom('products').select('name').orderBy('id').stream(1)) names.push(name)
    assert.deepEqual(names, ['Lamp', 'Rug'])
    for await (const _ of kysely.selectFrom('products').selectAll().stream(1)) break
    assertNothingLent()
  })

  test('ends its statement on the server when the signal aborts', async () => {
    const gone = new AbortController()
    const slow = sqlOfKysely`select pg_sleep(60)`.execute(kysely, { signal: gone.signal })
    const failed = assert.rejects(slow, { name: 'AbortError' })
    await sleeping(true)
    gone.abort()
    await failed
    await sleeping(false)
    await eventually(() => db.pool.idle === db.pool.open || undefined)
  })

  test('describes its tables', async () => {
    const tables = await kysely.introspection.getTables()
    assert.deepEqual(tables.map(({ name }) => name), ['products']) // prettier-ignore
  })
})

describe('Drizzle', () => {
  const products = pgTable('products', {
    id: integer().primaryKey(),
    name: text().notNull(),
    stock: integer().notNull(),
  })

  test('ends its statement on the server when the signal aborts', async () => {
    const gone = new AbortController()
    const slow = drizzleOn(db, gone.signal).execute(sqlOfDrizzle`select pg_sleep(60)`)
    const failed = assert.rejects(Promise.resolve(slow))
    await sleeping(true)
    gone.abort()
    await failed
    await sleeping(false)
    await eventually(() => db.pool.idle === db.pool.open || undefined)
  })

  test('joins tables whose columns have one name', async () => {
    await db.script('create table reviews (id int, product_id int); insert into reviews values (1, 7)')
    const reviews = pgTable('reviews', { id: integer().notNull(), productId: integer('product_id').notNull() })
    const found = await drizzleOn(db).select().from(reviews).innerJoin(products, eq(products.id, reviews.productId))
    assert.deepEqual(found, [{ reviews: { id: 1, productId: 7 }, products: { id: 7, name: 'Lamp', stock: 12 } }])
  })

  test('writes in a transaction of the database', async () => {
    const work = db.transaction(async tx => {
      await drizzleOn(tx).update(products).set({ stock: 0 })
      assert.deepEqual(await drizzleOn(tx).select({ stock: products.stock }).from(products), [
        { stock: 0 },
        { stock: 0 },
      ])
      throw new Error('no')
    })
    await assert.rejects(work, /no/)
    assert.deepEqual(await stocks(), [12, 1])
    assertNothingLent()
  })

  test('runs statements by hand, with rows by name', async () => {
    assert.deepEqual(await drizzleOn(db).execute('select 1 as a, null as b'), [{ a: 1, b: null }])
  })
})
