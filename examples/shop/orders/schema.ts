// What an order is.
import * as z from 'zod'

export const OrderId = z.uuid()

export const OrderItem = z
  .object({
    productId: z.int(),
    name: z.string(),
    quantity: z.int(),
    priceCents: z.int().describe('Of one, in cents, as it was when the order was placed'),
  })
  .meta({ id: 'OrderItem' })
export type OrderItem = z.output<typeof OrderItem>

export const Order = z
  .object({
    id: OrderId,
    email: z.string(),
    status: z.enum(['placed']),
    items: z.array(OrderItem),
    totalCents: z.int(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Order' })
export type Order = z.output<typeof Order>
