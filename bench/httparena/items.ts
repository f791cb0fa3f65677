// The profiles of HttpArena with a database: async-db and crud. Only where DATABASE_URL names one.
import { cache, fail, Router } from 'millrace'
import { postgres, sql } from 'millrace/postgres'
import * as z from 'zod'

/** As many connections as DATABASE_MAX_CONN leaves to each worker; thousands of clients wait for one of them, and none is sent away. */
const db = postgres({ maxWaiting: 100_000, acquireTimeout: '30s' })

const Item = z.object({
  id: z.int(),
  name: z.string(),
  category: z.string(),
  price: z.int(),
  quantity: z.int(),
  active: z.boolean(),
  tags: z.array(z.string()),
  rating: z.object({ score: z.int(), count: z.int() }),
})
type Item = z.infer<typeof Item>

interface Row extends Omit<Item, 'rating'> {
  readonly score: number
  readonly count: number
}

const COLUMNS = sql`id, name, category, price, quantity, active, tags, rating_score as score, rating_count as count`

function item({ score, count, ...row }: Row): Item {
  return { ...row, rating: { score, count } }
}

const id = z.int().min(1).max(2_147_483_647)
const price = z.int().min(0).max(2_147_483_647)
const params = z.object({ id })

export const items = new Router({ uses: { db } })

items.get(
  '/async-db',
  {
    query: z.object({ min: price, max: price, limit: z.int().min(1).max(50) }),
    returns: z.object({ items: z.array(Item), count: z.int() }),
  },
  async ({ query, db }) => {
    const rows = await db.sql<Row>`
      select ${COLUMNS} from items where price between ${query.min} and ${query.max} limit ${query.limit}`
    return { items: rows.map(item), count: rows.length }
  },
)

const tagOf = (id: number): string => `item:${id}`

items.get(
  '/crud/items/{id}',
  {
    params,
    returns: { 200: Item, 404: z.object({ title: z.string() }) },
    // HttpArena wants reads that are loaded when somebody waits for them.
    cache: { ttl: '200ms', earlyRefresh: false, tags: ({ params }) => [tagOf(params.id)], xCache: true },
  },
  async ({ params, db }) => {
    const row = await db.sql<Row>`select ${COLUMNS} from items where id = ${params.id}`.maybe()
    return row ? item(row) : fail(404, 'No such item')
  },
)

items.get(
  '/crud/items',
  {
    query: z.object({
      category: z.string().default('electronics'),
      page: z.int().min(1).max(1_000_000).default(1),
      limit: z.int().min(1).max(50).default(10),
    }),
    returns: z.object({ items: z.array(Item), total: z.int(), page: z.int(), limit: z.int() }),
  },
  async ({ query: { category, page, limit }, db }) => {
    const rows = await db.sql<Row>`
      select ${COLUMNS} from items where category = ${category}
      order by id limit ${limit} offset ${(page - 1) * limit}`
    return { items: rows.map(item), total: rows.length, page, limit }
  },
)

const written = { name: z.string(), price, quantity: price }

items.put(
  '/crud/items/{id}',
  {
    params,
    body: z.object(written),
    returns: { 200: z.object({ id, ...written }), 404: z.object({ title: z.string() }) },
  },
  async ({ params, body: { name, price, quantity }, db }) => {
    const changed = await db.sql`
      update items set name = ${name}, price = ${price}, quantity = ${quantity} where id = ${params.id}`.count()
    if (changed === 0) fail(404, 'No such item')
    await cache.invalidate(tagOf(params.id))
    return { id: params.id, name, price, quantity }
  },
)

const NewItem = z.object({ id, name: z.string(), category: z.string(), price, quantity: price })

items.post(
  '/crud/items',
  { body: NewItem, returns: { 201: NewItem } },
  async ({ body: { id, name, category, price, quantity }, db }) => {
    await db.sql`
      insert into items (id, name, category, price, quantity, active, tags, rating_score, rating_count)
      values (${id}, ${name}, ${category}, ${price}, ${quantity}, true, '["bench"]', 0, 0)
      on conflict (id) do update set name = excluded.name, price = excluded.price, quantity = excluded.quantity`
    await cache.invalidate(tagOf(id))
    return { id, name, category, price, quantity }
  },
)
