import { App, dependency } from 'millrace'
import { postgres, type Queryable } from 'millrace/postgres'
import { asc, eq, sql } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pg-proxy'
import * as z from 'zod'

/** Drizzle on Millrace's pool, or on one transaction of it, for one request: its statements end with the signal. */
function drizzleOn(db: Queryable, signal?: AbortSignal) {
  return drizzle(async (text, values: unknown[], method) => ({
    // Columns of a join may have one name, so rows are arrays; `db.execute` gives rows by name.
    rows: method === 'all' ? await db.rowArrays(text, values, { signal }) : await db.query(text, values).signal(signal),
  }))
}

const products = pgTable('products', {
  id: integer().primaryKey(),
  name: text().notNull(),
  priceCents: integer('price_cents').notNull(),
  stock: integer().notNull(),
})

const db = postgres()
const tables = dependency({ uses: { db } }, ({ db, signal }) => drizzleOn(db, signal))

const app = new App({ title: 'Stock', version: '1.0.0' })
const Product = z.object({ id: z.int(), name: z.string(), stock: z.int() })

app.get('/products', { returns: z.array(Product), uses: { tables } }, ({ tables }) =>
  tables.select().from(products).orderBy(asc(products.id)).limit(20),
)

app.post(
  '/products/{id}/sales',
  { params: z.object({ id: z.int() }), returns: { 201: Product, 404: null }, uses: { db } },
  ({ params, db, signal, reply }) =>
    // The transaction is Millrace's, and ends with the signal; Drizzle writes its statements.
    db.transaction(
      async tx => {
        const [sold] = await drizzleOn(tx)
          .update(products)
          .set({ stock: sql`${products.stock} - 1` })
          .where(eq(products.id, params.id))
          .returning()
        return sold ?? reply(404, null)
      },
      { signal },
    ),
)

export { drizzleOn }
export default app
