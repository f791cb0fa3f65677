// Checkout: a cart becomes an order.
import { cache, fail, Router } from 'millrace'
import { visitor } from '../accounts/login.ts'
import { productTag } from '../catalog/routes.ts'
import { db } from '../database.ts'
import { outbox } from '../mail.ts'
import { Order } from '../orders/schema.ts'
import { Problem } from '../problem.ts'
import { confirmation, tellShortages } from './rules.ts'
import { NewOrder, OrderRefused } from './schema.ts'
import { placeOrder as place } from './store.ts'

export const checkout = new Router({ tags: ['Orders'] })

export const placeOrder = checkout.post(
  '/orders',
  {
    operationId: 'placeOrder',
    summary: 'Order what is in a cart',
    description:
      'All of it or nothing. Each cart can be ordered once; who has lost the answer asks again, and is told the `orderId`. A confirmation is mailed afterwards. ' +
      'Who is signed in finds the order among theirs; guests keep its id.',
    body: NewOrder,
    returns: { 201: Order, 404: Problem, 409: OrderRefused, 422: Problem },
    uses: { db, outbox, visitor },
    // Every buyer gets an answer, also in a rush for the last few: they wait here, where waiting costs no connection. Fewer at once than
    // there are connections (10), so that buyers who wait for each other's locks leave some to the readers.
    limit: { concurrent: 8, queue: 5000 },
    priority: 'critical',
    timeout: '30s',
  },
  async ({ body, db, outbox, visitor, signal, defer, reply }) => {
    if (!visitor && body.email === undefined) fail(422, 'Give an email for the confirmation, or sign in')
    const placed = await place(db, { ...body, accountId: visitor?.id ?? null }, signal)
    switch (placed.outcome) {
      case 'no account':
        return fail(401, 'This account is gone')
      case 'no cart':
        return fail(404, 'No such cart')
      case 'ordered already': {
        const { orderId } = placed
        return reply(
          409,
          conflict('This cart has been ordered already', orderId === undefined ? {} : { orderId }),
          PROBLEM,
        )
      }
      case 'empty':
        return fail(409, 'The cart is empty')
      case 'short': {
        const { shortages } = placed
        return reply(409, conflict(tellShortages(shortages), { shortages }), PROBLEM)
      }
      case 'placed':
        // After the commit: before it, a reader could put the old stock back into the cache.
        await cache.invalidate(...placed.order.items.map(({ productId }) => productTag(productId)))
        defer(() => outbox.send(confirmation(placed.order)))
        return placed.order
    }
  },
)

const PROBLEM = { headers: { 'content-type': 'application/problem+json' } }

function conflict(detail: string, more: Pick<OrderRefused, 'shortages' | 'orderId'>): OrderRefused {
  return { type: 'about:blank', title: 'Conflict', status: 409, detail, ...more }
}
