import { App, cache } from 'millrace'
import { redis, redisCache, script } from 'millrace/redis'
import * as z from 'zod'

// The second tier of all caches: what a worker of any host has loaded, the others find.
const app = new App({ title: 'Tickets', version: '1.0.0', lifespan: redisCache({ prefix: 'tickets-1' }) })

// One connection in each worker. REDIS_URL says where.
const store = redis({ commandTimeout: '500ms' })

const params = z.object({ event: z.string().regex(/^[a-z]+$/) })
const left = z.object({ left: z.int() })

// Every command of the driver. It ends with the request, and fails at once while Redis is away.
app.put('/events/{event}', { params, body: left, uses: { store } }, async ({ params, body, store, signal }) => {
  await store.with({ signal }).set(`left:${params.event}`, body.left)
  await cache.invalidate(`event:${params.event}`)
})

// Several steps that nothing may come between are a script. Its keys and arguments are variables in it.
const take = script({
  keys: ['left'],
  args: ['quantity'],
  lua: `
    local now = tonumber(redis.call('get', left) or '0')
    if now < tonumber(quantity) then return -1 end
    return redis.call('decrby', left, quantity)`,
  read: reply => Number(reply),
})

app.post(
  '/events/{event}/tickets',
  { params, body: z.object({ quantity: z.int().positive() }), returns: { 201: left, 409: left }, uses: { store } },
  async ({ params, body, store, signal, reply }) => {
    const key = `left:${params.event}`
    const now = await store.run(take, { keys: { left: key }, args: { quantity: body.quantity }, signal })
    if (now < 0) return reply(409, { left: Number(await store.with({ signal }).get(key)) })
    await cache.invalidate(`event:${params.event}`)
    return reply(201, { left: now })
  },
)

// A cached answer: one load for all workers of all hosts, until one of them invalidates it.
app.get(
  '/events/{event}',
  {
    params,
    returns: left,
    uses: { store },
    cache: { ttl: '1m', tags: ({ params }) => [`event:${params.event}`] },
  },
  async ({ params, store, signal }) => ({ left: Number(await store.with({ signal }).get(`left:${params.event}`)) }),
)

export default app
