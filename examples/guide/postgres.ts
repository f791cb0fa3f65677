import { App } from 'millrace'
import { postgres, sql, UniqueViolation } from 'millrace/postgres'
import * as z from 'zod'

const app = new App({ title: 'Stock', version: '1.0.0' })

// One pool in each worker, of at most ten connections; callers wait up to two seconds for one.
const db = postgres({ maxConnections: 10, acquireTimeout: '2s' })

const Product = z.object({ id: z.int(), name: z.string(), priceCents: z.int(), stock: z.int() }).meta({ id: 'Product' })
type Product = z.infer<typeof Product>
const columns = sql`id, name, price_cents as "priceCents", stock`

// `${...}` is a parameter, or a fragment made by `sql`; never text.
app.get(
  '/products',
  { query: z.object({ maxPriceCents: z.int().optional() }), returns: z.array(Product), uses: { db } },
  ({ query, db, signal }) => {
    const cheap = query.maxPriceCents === undefined ? sql.empty : sql`where price_cents <= ${query.maxPriceCents}`
    return db.sql<Product>`select ${columns} from products ${cheap} order by id limit 20`.signal(signal)
  },
)

// Committed when the function returns, rolled back when it throws.
app.post(
  '/products/{id}/sales',
  {
    params: z.object({ id: z.int() }),
    body: z.object({ quantity: z.int().positive() }),
    returns: { 201: Product, 404: z.object({ title: z.string() }), 409: z.object({ left: z.int() }) },
    uses: { db },
  },
  ({ params, body, db, signal, reply }) =>
    db.transaction(
      async tx => {
        const found = await tx.sql<{ stock: number }>`
          select stock from products where id = ${params.id} for update`.maybe()
        if (!found) return reply(404, { title: 'No such product' })
        if (found.stock < body.quantity) return reply(409, { left: found.stock })
        return tx.sql<Product>`
          update products set stock = stock - ${body.quantity} where id = ${params.id} returning ${columns}`.one()
      },
      { signal },
    ),
)

// A constraint that was broken is an error of its own kind.
app.post(
  '/products',
  { body: Product, returns: { 201: Product, 409: z.object({ title: z.string() }) }, uses: { db } },
  async ({ body, db, reply }) => {
    try {
      return await db.sql<Product>`
        insert into products values (${body.id}, ${body.name}, ${body.priceCents}, ${body.stock}) returning ${columns}`.one()
    } catch (error) {
      if (error instanceof UniqueViolation) return reply(409, { title: `Product ${body.id} is there already` })
      throw error
    }
  },
)

export default app
