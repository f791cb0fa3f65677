// The shop's database: migrations run once and are never rewritten; the seed is the same everywhere and leaves real data alone.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { type Database, migrate } from 'millrace/postgres'
import { makeProducts } from '../../examples/shop/seed/products.ts'
import { seed } from '../../examples/shop/seed/seed.ts'
import { testServer } from '../data/support/server.ts'

const { server, open } = await testServer()
const root = await open()
const SHOP = new URL('../../examples/shop/migrations/', import.meta.url)
let made = 0

/** A database of its own. */
async function fresh(): Promise<Database> {
  const name = `fresh_${++made}`
  await root.script(`create database ${name}`)
  return open({ url: server.url.replace('/app?', `/${name}?`) })
}

describe('migrations', () => {
  test('run once when several processes start together', async () => {
    const db = await fresh()
    const applied = await Promise.all(Array.from({ length: 6 }, () => migrate(db, SHOP)))
    assert.deepEqual(applied.flat(), (await readdir(SHOP)).sort())
  })

  test('of a database that an earlier shop has migrated are known', async () => {
    const db = await fresh()
    await db.script(`create table migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now())`)
    for (const name of (await readdir(SHOP)).sort().slice(0, 3)) {
      const text = await readFile(new URL(name, SHOP), 'utf8')
      await db.script(text)
      const checksum = createHash('sha256').update(text).digest('hex')
      await db.sql`insert into migrations (name, checksum) values (${name}, ${checksum})`
    }
    assert.deepEqual(await migrate(db, SHOP), ['004-accounts.sql', '005-reviews.sql'])
  })
})

describe('the seed', () => {
  test('is the same on every machine', () => {
    assert.deepEqual(makeProducts(1, 1)[0], {
      id: 1,
      name: 'Lindqvist Weatherproof Recycled Mesh Trainers, forest green',
      description:
        'Weatherproof trainers of recycled mesh in forest green, meant to be handed down. ' +
        'Made from certified and traceable material. Wax before the first rain.',
      category: 'shoes',
      priceCents: 21990,
      stock: 4,
    })
    assert.deepEqual(makeProducts(1, 300).slice(200), makeProducts(201, 100))
  })

  test('fills an empty shop in batches, once, and later products come after it', async () => {
    const db = await fresh()
    await migrate(db, SHOP)
    assert.equal(await seed(db, 0), undefined)
    const outcomes = await Promise.all([seed(db, 7_001), seed(db, 7_001)])
    assert.deepEqual(outcomes.map(outcome => outcome?.products).toSorted(), [7_001, undefined])
    assert.equal(await seed(db, 20_000), undefined)
    const rows = await db.sql`
      select id, name, description, category, price_cents as "priceCents", stock from products order by id`
    assert.deepEqual(rows, makeProducts(1, 7_001))
    const next = await db.sql`
      insert into products (name, description, category, price_cents, stock) values ('n', 'd', 'c', 1, 1) returning id`
    assert.deepEqual(next, [{ id: 7_002 }])
  })

  test('leaves a shop with products of its own alone', async () => {
    const db = await fresh()
    await migrate(db, SHOP)
    await db.sql`insert into products (name, description, category, price_cents, stock) values ('mine', 'd', 'c', 1, 1)`
    assert.equal(await seed(db, 100), undefined)
    assert.equal(await db.sql`select from products`.count(), 1)
  })

  test('holds only what the catalogue itself would take, in plenty of kinds', () => {
    const products = makeProducts(1, 20_000)
    for (const { name, description, priceCents, stock } of products) {
      assert.ok(name.length <= 200 && description.length <= 5000)
      assert.ok(Number.isInteger(priceCents) && priceCents >= 100 && priceCents < 200_000, name)
      assert.ok(Number.isInteger(stock) && stock >= 0 && stock <= 500)
    }
    const share = (of: (product: (typeof products)[number]) => boolean) => products.filter(of).length / products.length
    assert.ok(new Set(products.map(({ name }) => name)).size > 19_000)
    assert.ok(new Set(products.map(({ category }) => category)).size === 12)
    const soldOut = share(({ stock }) => stock === 0)
    assert.ok(soldOut > 0.01 && soldOut < 0.05)
  })
})
