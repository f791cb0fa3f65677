// One row by key, as a handler writes it: a statement of its own, or, with LOOKUP=batched, together with the lookups of its loop turn.
import { App, dependency } from 'millrace'
import { postgres, sql } from 'millrace/postgres'
import * as z from 'zod'

const app = new App()
const db = postgres({ maxConnections: 10 })

const Product = z.object({
  id: z.int(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  priceCents: z.int(),
  stock: z.int(),
})
type Product = z.infer<typeof Product>

const columns = sql`id, name, description, category, price_cents as "priceCents", stock`
const route = {
  params: z.object({ id: z.int().min(1).max(2_147_483_647) }),
  returns: { 200: Product, 404: z.object({ title: z.string() }) },
}

if (process.env['LOOKUP'] === 'batched') {
  const products = dependency({ scope: 'worker', uses: { db } }, ({ db }) =>
    db.loader<Product>`select ${columns} from products where id = any(${sql.keys})`.byKey('id'),
  )
  app.get('/products/{id}', { ...route, uses: { products } }, async ({ params, products, reply }) => {
    const found = await products.load(params.id)
    return found ?? reply(404, { title: 'No such product' })
  })
} else {
  app.get('/products/{id}', { ...route, uses: { db } }, async ({ params, db, reply }) => {
    const found = await db.sql<Product>`select ${columns} from products where id = ${params.id}`.maybe()
    return found ?? reply(404, { title: 'No such product' })
  })
}

export default app
