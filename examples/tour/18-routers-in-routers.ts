// How do I build an application out of routers?
import { App, dependency, fail, Router } from 'millrace'
import * as z from 'zod'

const Order = z.object({ id: z.int().max(1_000_000), open: z.boolean() }).meta({ id: 'Order' })
const key = dependency({ headers: z.object({ 'x-key': z.string() }), returns: { 403: null } }, ({ headers }) => {
  if (headers['x-key'] !== 'secret') fail(403, 'Wrong key')
})

// Each of them would live in a file of its own.
const lines = new Router({ prefix: '/lines' })
lines.get('', ({ params }) => ({ lines: 2, ...params }))

// A router may include routers; a name in its prefix is one of their params.
const orders = new Router({ prefix: '/orders', tags: ['orders'] })
orders.get('/{id}', { params: Order.pick({ id: true }), returns: Order }, ({ params }) => ({
  id: params.id,
  open: true,
}))
orders.include(lines, { prefix: '/{id}' })

// These answer who asks for version 2, by a request field.
const next = new Router({ prefix: '/orders', tags: ['orders'], version: '2' })
next.get('/{id}', { params: Order.pick({ id: true }) }, ({ params }) => ({ order: params.id }))
const first = new Router({ version: '1' }).include(orders)

const app = new App({ title: 'Routers in routers', version: '1.0.0' })
app.include(first).include(next)
// Once more, under another prefix: with a dependency for this include alone, and left out of the document.
app.include(orders, { prefix: '/legacy', uses: { key }, hidden: true })

export default app
