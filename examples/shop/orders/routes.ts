// Orders that have been placed. The id is random and known only to whoever placed the order.
import { events, fail, Router } from 'millrace'
import * as z from 'zod'
import { shopkeeper } from '../admin-key.ts'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { findProgress, LAST, progressEvents, setProgress, watchProgress } from './progress.ts'
import { Order, OrderId, OrderProgress, OrderStatus } from './schema.ts'
import { findOrder } from './store.ts'

export const orders = new Router({ tags: ['Orders'] })

export const getOrder = orders.get(
  '/orders/{id}',
  {
    operationId: 'getOrder',
    summary: 'Show an order',
    params: z.object({ id: OrderId }),
    returns: { 200: Order, 404: Problem },
    uses: { db },
  },
  async ({ params, db, signal }) => (await findOrder(db, params.id, { signal })) ?? fail(404, 'No such order'),
)

export const watchOrder = orders.get(
  '/orders/{id}/progress',
  {
    operationId: 'watchOrder',
    summary: 'Watch an order',
    description:
      'Where it stands, and then each change, as events called `progress`. 204 for who knows the last: a browser does not come back then.',
    params: z.object({ id: OrderId }),
    headers: z.object({ 'last-event-id': z.string().optional().describe('The status that is known already') }),
    returns: { 200: events(OrderProgress), 204: null, 404: Problem },
    uses: { db },
  },
  async ({ params, headers, db, signal, reply }) => {
    const known = headers['last-event-id']
    const progress = (await findProgress(db, params.id, { signal })) ?? fail(404, 'No such order')
    if (progress.status === LAST && known === LAST) return reply(204)
    return progressEvents(watchProgress(db, progress, known, { signal }))
  },
)

export const followOrder = orders.ws(
  '/orders/{id}/live',
  {
    summary: 'Watch an order over a WebSocket',
    description: 'Where it stands, and then each change, until it has been shipped. 1008 where there is no such order.',
    params: z.object({ id: OrderId }),
    uses: { db },
    receives: null,
    sends: OrderProgress,
  },
  async ({ params, db, socket, signal }) => {
    const progress = (await findProgress(db, params.id, { signal })) ?? fail(404, 'No such order')
    for await (const told of watchProgress(db, progress, undefined, { signal })) await socket.send(told)
  },
)

export const changeOrder = orders.patch(
  '/orders/{id}',
  {
    operationId: 'changeOrder',
    summary: 'Say how an order gets on',
    params: z.object({ id: OrderId }),
    body: z.object({ status: OrderStatus }).meta({ id: 'OrderChange' }),
    returns: { 200: OrderProgress, 404: Problem, 409: Problem },
    uses: { db, shopkeeper },
  },
  async ({ params, body, db }) => {
    const changed = await setProgress(db, params.id, body.status)
    if (changed) return changed
    const { status } = (await findProgress(db, params.id)) ?? fail(404, 'No such order')
    return fail(409, `This order is ${status} already`)
  },
)
