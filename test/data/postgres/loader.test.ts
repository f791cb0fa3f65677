import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency } from 'millrace'
import { testClient } from 'millrace/testing'
import { QueryError, sql, type SqlValue } from '../../../src/data/postgres/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { open } = await testServer()
const db = await open({ maxConnections: 4 })

before(async () => {
  await db.script(`
    create sequence sent;
    create table product (id int primary key, name text not null, big bigint not null, tag uuid not null);
    insert into product select n, 'product ' || n, n, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid
      from generate_series(1, 100) n;
    create table review (product_id int, stars int);
    insert into review values (1, 5), (2, 3), (1, 4)`)
  await statements()
})

interface Product {
  id: number
  name: string
  big: string
  tag: string
}
interface Review {
  product_id: number
  stars: number
}

// Each statement takes a number, whatever it finds.
const counted = sql`from (select nextval('sent')) statement left join product on true`
const products = db.loader<Product>`select id, name, big, tag ${counted} where id = any(${sql.keys})`.byKey('id')
/** How many statements were sent since it was last asked. */
const statements = async () =>
  (await db.sql<{ n: number }>`select last_value::int - 1 as n, setval('sent', 1) from sent`.one()).n

describe('a loader', () => {
  test('gives each key its row, and undefined where there is none', async () => {
    const [seven, none, eight] = await products.loadMany([7, 1000, 8])
    assert.deepEqual(seven, { id: 7, name: 'product 7', big: '7', tag: '00000000-0000-0000-0000-000000000007' })
    assert.equal(none, undefined)
    assert.equal(eight?.name, 'product 8')
    assert.equal(await statements(), 1)
  })

  test('finds bigints and uuids as they arrive', async () => {
    const byBig = db.loader<Product>`select * from product where big = any(${sql.keys})`.byKey('big')
    assert.equal((await byBig.load('9'))?.name, 'product 9')
    const byTag = db.loader<Product>`select * from product where tag = any(${sql.keys})`.byKey('tag')
    assert.equal((await byTag.load('00000000-0000-0000-0000-000000000012'))?.name, 'product 12')
  })

  test('finds what is the same to PostgreSQL and written in another way, or says that it cannot', async () => {
    await db.script(`create table moment (at timestamptz, tag uuid, text text, price numeric);
      insert into moment values ('2026-01-01T00:00:00.5Z', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ABCDEF00-9c0b-4ef8-bb6d-6bb9bd380a11', 1.0),
        ('2026-01-02', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'abcdef00-9c0b-4ef8-bb6d-6bb9bd380a11', 2)`)
    const by = (column: string) =>
      db.loader`select * from moment where ${sql.identifier(column)} = any(${sql.keys})`.byKey(column)
    const prices = async (column: string, keys: readonly SqlValue[]) =>
      (await by(column).loadMany(keys)).map(row => row?.['price'])
    assert.deepEqual(await prices('at', [new Date('2026-01-01T00:00:00.5Z'), new Date('2026-01-02')]), ['1.0', '2'])
    const tags = ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']
    assert.deepEqual(await prices('tag', [...tags, ...tags.map(tag => tag.toUpperCase())]), ['1.0', '2', '1.0', '2'])
    assert.deepEqual(await prices('tag', ['F0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']), [undefined])
    const texts = ['ABCDEF00-9c0b-4ef8-bb6d-6bb9bd380a11', 'abcdef00-9c0b-4ef8-bb6d-6bb9bd380a11']
    assert.deepEqual(await prices('text', [...texts, 'Abcdef00-9c0b-4ef8-bb6d-6bb9bd380a11']), ['1.0', '2', undefined])
    // Only who asks so is told: the others have their rows, or none.
    const byPrice = by('price')
    const found = await Promise.allSettled(['2', '1', '7', '8'].map(key => byPrice.load(key)))
    assert.deepEqual(
      found.map(each => (each.status === 'fulfilled' ? each.value?.['price'] : (each.reason as { code: string }).code)),
      ['2', 'POSTGRES_LOADER_KEYS', undefined, undefined],
    )
  })

  test('a key that cannot be sent is the error of who asked for it', async () => {
    const found = await Promise.allSettled([products.load(7), products.load(undefined as never), products.load(8)])
    assert.deepEqual(
      found.map(each => (each.status === 'fulfilled' ? each.value?.id : (each.reason as { code: string }).code)),
      [7, 'POSTGRES_UNDEFINED_VALUE', 8],
    )
  })

  test('may have other values and fragments', async () => {
    const named =
      db.loader<Product>`select * from product where name <> ${'product 3'} and id = any(${sql.keys})`.byKey('id')
    assert.deepEqual(
      (await named.loadMany([2, 3])).map(product => product?.id),
      [2, undefined],
    )
  })

  test('gives all rows of each key where there may be several', async () => {
    const reviews = db.loader<Review>`select * from review where product_id = any(${sql.keys}) order by stars`.groupBy(
      'product_id',
    )
    const stars = (await reviews.loadMany([1, 2, 3])).map(found => found.map(review => review.stars))
    assert.deepEqual(stars, [[4, 5], [3], []])
  })

  test('gives an error to the keys that PostgreSQL cannot read, and the others their rows', async () => {
    const byTag = db.loader<Product>`select * from product where tag = any(${sql.keys})`.byKey('tag')
    const tags = Array.from({ length: 20 }, (_, n) => `00000000-0000-0000-0000-0000000000${10 + n}`)
    tags[3] = 'abc'
    tags[17] = 'x'
    const found = await Promise.allSettled(tags.map(tag => byTag.load(tag)))
    for (const [n, result] of found.entries())
      if (n === 3 || n === 17) {
        const { reason } = result as PromiseRejectedResult
        assert.ok(reason instanceof QueryError && reason.sqlState === '22P02')
      } else assert.equal((result as PromiseFulfilledResult<Product>).value.tag, tags[n])
  })

  test('whose statement is wrong fails for every key', async () => {
    const wrong = db.loader<Product>`select * from no_such where id = any(${sql.keys})`.byKey('id')
    for (const { reason } of (await Promise.allSettled([wrong.load(1), wrong.load(2)])) as PromiseRejectedResult[])
      assert.equal((reason as QueryError).sqlState, '42P01')
  })

  test('takes its keys from sql.keys, once', () => {
    const code = { code: 'POSTGRES_LOADER_KEYS' }
    assert.throws(() => db.loader`select * from product`, code)
    assert.throws(() => db.loader`select * from product where id = any(${[1]})`, code)
    assert.throws(() => db.loader`select * from product where id = any(${sql.keys}) or id = any(${sql.keys})`, code)
  })

  test('is the only place where sql.keys has a meaning', async () => {
    await assert.rejects(async () => db.sql`select ${sql.keys}`, { code: 'POSTGRES_BAD_VALUE' })
  })

  test('a caller that leaves ends the statement only when it is the last', async () => {
    const slow =
      db.loader<Product>`select product.*, pg_sleep(60), 'mark-a' from product where id = any(${sql.keys})`.byKey('id')
    const gone = [new AbortController(), new AbortController()]
    const left = gone.map(({ signal }, n) => assert.rejects(slow.load(n, { signal }), /client left/))
    const running = async () =>
      (
        await db.sql`select 1 from pg_stat_activity where state = 'active' and query like '%mark-a%' and pid <> pg_backend_pid()`
      ).length
    await eventually(async () => ((await running()) === 1 ? true : undefined))
    gone[0]!.abort(new Error('client left'))
    await left[0]
    assert.equal(await running(), 1)
    gone[1]!.abort(new Error('client left'))
    await left[1]
    await eventually(async () => ((await running()) === 0 ? true : undefined))
  })
})

describe('a loader in an app', () => {
  const Product = z.object({ id: z.int(), name: z.string() })
  const database = dependency({ scope: 'worker' }, () => db)
  const make = (of: typeof db) => of.loader<Product>`select id, name ${counted} where id = any(${sql.keys})`.byKey('id')
  const ofWorker = dependency({ scope: 'worker', uses: { db: database } }, ({ db }) => make(db))
  const ofRequest = dependency({ scope: 'request', uses: { db: database } }, ({ db }) => make(db))
  const app = new App()
  const shape = { params: z.object({ id: z.int() }), returns: { 200: Product, 404: z.object({}) } }
  app.get('/shared/{id}', { ...shape, uses: { products: ofWorker } }, async ({ params, products, reply }) => {
    const product = await products.load(params.id)
    return product ?? reply(404, {})
  })
  app.get('/own/{id}', { ...shape, uses: { products: ofRequest } }, async ({ params, products, reply }) => {
    const [product] = await Promise.all([products.load(params.id), products.load(1), products.load(2)])
    return product ?? reply(404, {})
  })
  const api = testClient(app)
  after(() => api.close())
  const ids = Array.from({ length: 20 }, (_, n) => n + 1)

  test('of a worker joins the lookups of requests that come together', async () => {
    const answers = await Promise.all(ids.map(async id => (await api.fetch(`/shared/${id}`)).json()))
    assert.deepEqual(answers, ids.map(id => ({ id, name: `product ${id}` }))) // prettier-ignore
    const sent = await statements()
    assert.ok(sent >= 1 && sent < 10, `${sent} statements for 20 requests`)
  })

  test('of a request joins the lookups of each request alone', async () => {
    await Promise.all(ids.map(async id => (await api.fetch(`/own/${id}`)).json()))
    assert.equal(await statements(), 20)
  })
})
