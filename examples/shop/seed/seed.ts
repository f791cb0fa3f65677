// Fills an empty shop, in batches: each is one statement with an array for every column, made while the one before is on its way.
import type { Database } from 'millrace/postgres'
import { makeProducts, type SeedProduct } from './products.ts'

// A few megabytes: large enough that round trips do not count, small enough to be made while PostgreSQL works on the last one.
const BATCH = 5000

// Any number will do, as long as nobody else takes the same lock in this database.
const LOCK = 7_204_502

/**
 * Puts `count` products into the shop, all or none; the same ones on every machine. Does nothing where there are products already.
 *
 * @returns undefined when there was nothing to do
 */
export async function seed(
  db: Database,
  count: number,
): Promise<{ readonly products: number; readonly tookMs: number } | undefined> {
  const beganMs = performance.now()
  return db.transaction(async tx => {
    await tx.sql`set local statement_timeout = 0`
    await tx.sql`select pg_advisory_xact_lock(${LOCK})`
    const { isStocked } = await tx.sql<{ isStocked: boolean }>`
      select exists (select from products) as "isStocked"`.one()
    if (isStocked || count === 0) return undefined
    for (let first = 1, sent: Promise<unknown> = Promise.resolve(); ; first += BATCH) {
      const batch = first <= count ? makeProducts(first, Math.min(BATCH, count - first + 1)) : []
      await sent
      if (batch.length === 0) break
      const column = (name: keyof SeedProduct) => batch.map(product => product[name])
      sent = tx.sql`
        insert into products (id, name, description, category, price_cents, stock, created_at, updated_at)
        select product.*, moment, moment from unnest(
          ${column('id')}::int[], ${column('name')}::text[], ${column('description')}::text[],
          ${column('category')}::text[], ${column('priceCents')}::int[], ${column('stock')}::int[]
        ) as product (id, name, description, category, price_cents, stock),
        lateral (select timestamptz '2026-01-01 00:00Z' + id * interval '1 second') as at (moment)`.count()
    }
    await tx.sql`select setval(pg_get_serial_sequence('products', 'id'), ${count})`
    await tx.sql`analyze products`
    return { products: count, tookMs: performance.now() - beganMs }
  })
}
