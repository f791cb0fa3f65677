// Orders that have been placed. The id is random and known only to whoever placed the order.
import { fail, Router } from 'millrace'
import * as z from 'zod'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { Order, OrderId } from './schema.ts'
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
