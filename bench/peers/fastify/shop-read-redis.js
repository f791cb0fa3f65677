// The shop's product page on Fastify with its cache in Redis through ioredis: validated id, one GET for a hit, whose text goes out as it is.
import Fastify from 'fastify'
import Redis from 'ioredis'
import pg from 'pg'

// As the shop has them: '2026-11-23 06:34:56.833561+00' (the database runs in UTC).
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, text => text.replace(' ', 'T').replace('+00', 'Z'))

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
// What is asked in one turn of the loop goes out together, as ours does.
const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true })

const params = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } },
}

async function find(id) {
  const key = `product:${id}`
  const kept = await redis.get(key)
  if (kept !== null) return kept
  const { rows } = await pool.query({
    name: 'find-product',
    text: `select id, name, description, category, price_cents as "priceCents", stock,
      created_at as "createdAt", updated_at as "updatedAt" from products where id = $1`,
    values: [id],
  })
  if (rows.length === 0) return undefined
  const text = JSON.stringify(rows[0])
  await redis.set(key, text, 'EX', 3600)
  return text
}

const app = Fastify()
app.get('/products/:id', { schema: { params } }, async (request, reply) => {
  const found = await find(request.params.id)
  if (found === undefined) return reply.code(404).send({ title: 'No such product' })
  return reply.type('application/json; charset=utf-8').send(found)
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
