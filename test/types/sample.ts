// An app with nothing annotated, for app.types.ts to ask questions about.
import * as z from 'zod'
import { App, dependency, fail, Router } from 'millrace'

interface Tx {
  order(id: number, owner: string): Promise<{ id: number; total: number } | null>
  commit(): Promise<void>
  close(): Promise<void>
}
interface Pool {
  begin(of: { signal: AbortSignal }): Promise<Tx>
  end(): Promise<void>
  userByToken(token: string): Promise<{ id: string; admin: boolean } | null>
  product(
    id: number,
    of: { signal: AbortSignal },
  ): Promise<{ id: number; name: string; priceCents: number; stock: number; secret: string } | null>
}
declare function connect(url: string): Promise<Pool>

export const app = new App({ title: 'Shop', version: '1.0.0' })
export const hello = app.get('/', async () => ({ message: 'Hello High Concurrency API', at: new Date() }))
export const greet = app.get('/hello/{name}', ({ params }) => `Hello ${params.name}`)

export const Product = z
  .object({ id: z.int(), name: z.string(), priceCents: z.int(), stock: z.int() })
  .meta({ id: 'Product' })
export const Problem = z.object({ title: z.string() })

export const db = dependency({ scope: 'worker' }, async function* () {
  const pool = await connect('postgres://')
  yield pool
  await pool.end()
})
export const currentUser = dependency(
  { uses: { db }, headers: z.object({ authorization: z.string() }), returns: { 401: Problem } },
  async ({ db, headers }) => (await db.userByToken(headers.authorization)) ?? fail(401, 'Bad token'),
)
export const admin = dependency({ uses: { currentUser } }, ({ currentUser }) => {
  if (!currentUser.admin) fail(403)
  return { ...currentUser, admin: true as const }
})
export const transaction = dependency({ scope: 'call', uses: { db, currentUser } }, async function* ({ db, signal }) {
  const tx = await db.begin({ signal })
  try {
    yield tx
    await tx.commit()
  } finally {
    await tx.close()
  }
})

export const getProduct = app.get(
  '/products/{id}',
  {
    params: z.object({ id: z.int().positive() }),
    returns: { 200: Product, 404: Problem },
    uses: { db },
    timeout: '2s',
    limit: { concurrent: 200, queue: 50 },
    priority: 'normal',
    cache: { ttl: '5s', staleFor: '30s', tags: ({ params }) => [`product:${params.id}`] },
  },
  async ({ params, db, signal, reply }) =>
    (await db.product(params.id, { signal })) ?? reply(404, { title: 'No such product' }),
)

export const placeOrder = app.post(
  '/orders',
  {
    body: z.object({
      items: z.array(z.object({ product: z.int(), quantity: z.int().default(1) })),
      note: z.string().optional(),
    }),
    headers: z.object({ 'idempotency-key': z.string() }),
    query: z.object({ dryRun: z.stringbool().default(false) }),
    returns: { 201: z.object({ id: z.int(), total: z.number(), status: z.enum(['open', 'paid']) }), 409: Problem },
    uses: { tx: transaction, admin },
  },
  async ({ body, headers, query, tx, admin, reply, defer }) => {
    const quantities = body.items.map(item => item.quantity)
    if (quantities.length === 0) return reply(409, { title: headers['idempotency-key'] })
    const order = await tx.order(1, admin.id)
    if (!order) fail(404, 'No such order')
    defer(() => console.log(order.id))
    return { id: order.id, total: query.dryRun ? 0 : order.total, status: 'open' }
  },
)

export const removeProduct = app.delete(
  '/products/{id}',
  { params: z.object({ id: z.int() }), returns: { 204: null }, uses: { admin } },
  async () => {},
)

export const cart = new Router({ prefix: '/carts/{cart}', uses: { user: currentUser }, returns: { 410: Problem } })
export const getCart = cart.get('/items/{item}', { returns: Product }, ({ params, user, reply }) =>
  params.cart === user.id ? { id: 1, name: params.item, priceCents: 1, stock: 1 } : reply(410, { title: 'gone' }),
)
app.include(cart, { prefix: '/v1' })

export const asObject = app.route({
  method: 'PUT',
  path: '/things/{id}',
  params: z.object({ id: z.int() }),
  body: Product,
  returns: Product,
  handler: ({ body, params }) => ({ ...body, id: params.id }),
})
export default app
