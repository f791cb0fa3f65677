// The HttpArena profiles on Elysia: validated input; compression in its mapResponse hook on the one route that wants it, since it has
// no plugin for it (its documentation shows this hook).
import { readFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { RedisClient, SQL } from 'bun'
import { Elysia, status, t } from 'elysia'

const items = JSON.parse(readFileSync(process.env.DATASET_PATH, 'utf8'))
const terms = { query: t.Object({ a: t.Integer(), b: t.Integer() }) }
// The same quality as everybody's here: brotli's own default, 11, is for files that are compressed once.
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const codings = { br: body => brotliCompressSync(body, brotli), gzip: body => gzipSync(body) }

function compressed({ responseValue, headers, set }) {
  const coding = ['br', 'gzip'].find(name => headers['accept-encoding']?.includes(name))
  if (!coding) return
  const plain = JSON.stringify(responseValue)
  if (plain.length < 1024) return
  return new Response(codings[coding](plain), {
    headers: { ...set.headers, 'content-type': 'application/json', 'content-encoding': coding },
  })
}

// The profiles with a database: Bun's own clients, as in HttpArena's own entry.
const { DATABASE_URL, DATABASE_MAX_CONN = '10', REDIS_URL } = process.env
const db = DATABASE_URL && new SQL({ ...address(DATABASE_URL), max: Number(DATABASE_MAX_CONN) })
const redis = REDIS_URL && new RedisClient(REDIS_URL)

/** Bun reads no socket's folder out of a URL. */
function address(text) {
  const url = new URL(text)
  const folder = url.searchParams.get('host')
  if (!folder) return { url: text }
  const username = url.searchParams.get('user') ?? decodeURIComponent(url.username)
  return { adapter: 'postgres', path: `${folder}/.s.PGSQL.5432`, username, database: url.pathname.slice(1) }
}

function item({ rating_score: score, rating_count: count, ...row }) {
  return { ...row, rating: { score, count } }
}

const id = t.Integer({ minimum: 1, maximum: 2_147_483_647 })
const written = { name: t.String(), price: t.Integer(), quantity: t.Integer() }

new Elysia()
  .get('/baseline11', ({ query }) => String(query.a + query.b), terms)
  .post('/baseline11', ({ query, body }) => String(query.a + query.b + Number(body)), { ...terms, parse: 'text' })
  .get('/pipeline', () => 'ok')
  .get(
    '/json/:count',
    ({ params: { count }, query: { m } }) => ({
      items: items.slice(0, count).map(item => ({ ...item, total: item.price * item.quantity * m })),
      count,
    }),
    {
      params: t.Object({ count: t.Integer({ minimum: 0, maximum: items.length }) }),
      query: t.Object({ m: t.Integer() }),
      mapResponse: compressed,
    },
  )
  .post(
    '/upload',
    async ({ request }) => {
      let bytes = 0
      for await (const piece of request.body) bytes += piece.byteLength
      return String(bytes)
    },
    { parse: 'none' },
  )
  .get(
    '/async-db',
    async ({ query: { min, max, limit } }) => {
      const rows = await db`
        select id, name, category, price, quantity, active, tags, rating_score, rating_count
        from items where price between ${min} and ${max} limit ${limit}`
      return { items: rows.map(item), count: rows.length }
    },
    { query: t.Object({ min: t.Integer(), max: t.Integer(), limit: t.Integer({ minimum: 1, maximum: 50 }) }) },
  )
  .get(
    '/crud/items',
    async ({ query: { category, page, limit } }) => {
      const rows = await db`
        select id, name, category, price, quantity, active, tags, rating_score, rating_count
        from items where category = ${category} order by id limit ${limit} offset ${(page - 1) * limit}`
      return { items: rows.map(item), total: rows.length, page, limit }
    },
    {
      query: t.Object({
        category: t.String({ default: 'electronics' }),
        page: t.Integer({ minimum: 1, default: 1 }),
        limit: t.Integer({ minimum: 1, maximum: 50, default: 10 }),
      }),
    },
  )
  .get(
    '/crud/items/:id',
    async ({ params: { id } }) => {
      const key = `crud:${id}`
      const kept = redis && (await redis.get(key))
      if (kept) return new Response(kept, { headers: { 'content-type': 'application/json', 'x-cache': 'HIT' } })
      const [row] = await db`
        select id, name, category, price, quantity, active, tags, rating_score, rating_count
        from items where id = ${id}`
      if (!row) return status(404, 'No such item')
      const body = JSON.stringify(item(row))
      if (redis) await redis.set(key, body, 'PX', '200')
      return new Response(body, { headers: { 'content-type': 'application/json', 'x-cache': 'MISS' } })
    },
    { params: t.Object({ id }) },
  )
  .put(
    '/crud/items/:id',
    async ({ params: { id }, body: { name, price, quantity } }) => {
      const { count } = await db`
        update items set name = ${name}, price = ${price}, quantity = ${quantity} where id = ${id}`
      if (count === 0) return status(404, 'No such item')
      if (redis) await redis.del(`crud:${id}`)
      return { id, name, price, quantity }
    },
    { params: t.Object({ id }), body: t.Object(written) },
  )
  .post(
    '/crud/items',
    async ({ body: { id, name, category, price, quantity } }) => {
      await db`
        insert into items (id, name, category, price, quantity, active, tags, rating_score, rating_count)
        values (${id}, ${name}, ${category}, ${price}, ${quantity}, true, '["bench"]', 0, 0)
        on conflict (id) do update set name = excluded.name, price = excluded.price, quantity = excluded.quantity`
      return status(201, { id, name, category, price, quantity })
    },
    { body: t.Object({ ...written, id, category: t.String() }) },
  )
  .listen({ port: Number(process.argv[2]), hostname: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
