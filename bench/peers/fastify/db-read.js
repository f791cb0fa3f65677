// One row by key on Fastify and pg: validated id, prepared statement, serializer made from the schema.
import Fastify from 'fastify'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

const integer = { type: 'integer' }
const string = { type: 'string' }
const product = {
  type: 'object',
  required: ['id', 'name', 'description', 'category', 'priceCents', 'stock'],
  properties: {
    id: integer,
    name: string,
    description: string,
    category: string,
    priceCents: integer,
    stock: integer,
  },
}
const params = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } },
}

const app = Fastify()
app.get('/products/:id', { schema: { params, response: { 200: product } } }, async (request, reply) => {
  const { rows } = await pool.query({
    name: 'find-product',
    text: 'select id, name, description, category, price_cents as "priceCents", stock from products where id = $1',
    values: [request.params.id],
  })
  return rows[0] ?? reply.code(404).send({ title: 'No such product' })
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
