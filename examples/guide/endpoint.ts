import { App } from 'millrace'
import { postgres } from 'millrace/postgres'
import * as z from 'zod'

const app = new App({ title: 'Catalogue', version: '1.0.0' })

// One pool in each worker. DATABASE_URL says where; without it an embedded server is started.
const db = postgres()

const Product = z.object({ id: z.int(), name: z.string(), priceCents: z.int(), stock: z.int() }).meta({ id: 'Product' })

export const getProduct = app.get(
  '/products/{id}',
  {
    params: z.object({ id: z.int().positive() }),
    returns: { 200: Product, 404: z.object({ title: z.string() }) },
    uses: { db },
    timeout: '2s',
    limit: { concurrent: 200, queue: 50 },
    cache: { ttl: '5s', staleFor: '30s', tags: ({ params }) => [`product:${params.id}`] },
  },
  async ({ params, db, signal, reply }) => {
    const found = db.sql<z.infer<typeof Product>>`
      select id, name, price_cents as "priceCents", stock from products where id = ${params.id}`
    return (await found.signal(signal).maybe()) ?? reply(404, { title: 'No such product' })
  },
)

export default app
