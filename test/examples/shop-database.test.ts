// The shop's database: migrations run once and are never rewritten; the seed is the same everywhere and leaves real data alone.
import assert from 'node:assert/strict'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Database } from 'millrace/postgres'
import { migrate } from '../../examples/shop/migrate.ts'
import { makeProducts } from '../../examples/shop/seed/products.ts'
import { seed } from '../../examples/shop/seed/seed.ts'
import { temporaryFolder, testServer } from '../data/support/server.ts'

const { server, open } = await testServer()
const root = await open()
const scratch = await temporaryFolder()
const SHOP = new URL('../../examples/shop/migrations/', import.meta.url)
let made = 0

/** A database of its own. */
async function fresh(): Promise<Database> {
  const name = `fresh_${++made}`
  await root.script(`create database ${name}`)
  return open({ url: server.url.replace('/app?', `/${name}?`) })
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

describe('migrations', () => {
  test('run in the order of their names, each once', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '002-second.sql': 'insert into log values (2)',
      '001-first.sql': 'create table log (n int); insert into log values (1)',
      'notes.txt': 'not a migration',
    })
    assert.deepEqual(await migrate(db, url), ['001-first.sql', '002-second.sql'])
    assert.deepEqual(await migrate(db, url), [])
    await writeFile(join(path, '003-third.sql'), 'insert into log values (3)')
    assert.deepEqual(await migrate(db, url), ['003-third.sql'])
    assert.deepEqual(await db.sql`select n from log`, [{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  test('run once when several processes start together', async () => {
    const db = await fresh()
    const applied = await Promise.all(Array.from({ length: 6 }, () => migrate(db, SHOP)))
    assert.deepEqual(applied.flat(), (await readdir(SHOP)).sort())
  })

  test('leave nothing behind when one of them fails', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({
      '001-good.sql': 'create table good ()',
      '002-bad.sql': 'create tabel bad ()',
    })
    await assert.rejects(migrate(db, url), /syntax error/)
    assert.deepEqual(await tables(db), [])
    await writeFile(join(path, '002-bad.sql'), 'create table repaired ()')
    await migrate(db, url)
    assert.deepEqual(await tables(db), ['good', 'migrations', 'repaired'])
  })

  test('refuse a history that was rewritten: a file edited, removed or slipped in', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({ '001-a.sql': 'create table a ()', '003-c.sql': 'create table c ()' })
    await migrate(db, url)

    await writeFile(join(path, '001-a.sql'), 'create table a (n int)')
    await assert.rejects(migrate(db, url), /001-a\.sql was edited/)
    await writeFile(join(path, '001-a.sql'), 'create table a ()')

    await writeFile(join(path, '002-b.sql'), 'create table b ()')
    await assert.rejects(migrate(db, url), /002-b\.sql comes before 003-c\.sql/)
    await rm(join(path, '002-b.sql'))

    await rename(join(path, '001-a.sql'), join(path, 'a.sql.gone'))
    await assert.rejects(migrate(db, url), /001-a\.sql has been applied, and its file is gone/)
    await rename(join(path, 'a.sql.gone'), join(path, '001-a.sql'))
    assert.deepEqual(await migrate(db, url), [])
  })

  test('accept other ends of lines, and a database that a newer release has migrated further', async () => {
    const db = await fresh()
    const { url, path } = await folderOf({ '001-a.sql': 'create table a (\n)', '002-b.sql': 'create table b ()' })
    await migrate(db, url)
    await writeFile(join(path, '001-a.sql'), 'create table a (\r\n)')
    await rm(join(path, '002-b.sql'))
    assert.deepEqual(await migrate(db, url), [])
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
