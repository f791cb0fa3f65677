// What an order is.
import * as z from 'zod'

export const OrderId = z.uuid().meta({ examples: ['7c9e6679-7425-40de-944b-e07fc1f90ae7'] })

export const OrderItem = z
  .object({
    productId: z.int().meta({ examples: [7] }),
    name: z.string().meta({ examples: ['Walnut desk'] }),
    quantity: z.int().meta({ examples: [2] }),
    priceCents: z
      .int()
      .describe('Of one, in cents, as it was when the order was placed')
      .meta({ examples: [1999] }),
  })
  .meta({ id: 'OrderItem' })
export type OrderItem = z.output<typeof OrderItem>

export const OrderStatus = z.enum(['placed', 'packed', 'shipped'])
export type OrderStatus = z.output<typeof OrderStatus>

/** Where an order stands. */
export const OrderProgress = z.object({ id: OrderId, status: OrderStatus }).meta({ id: 'OrderProgress' })
export type OrderProgress = z.output<typeof OrderProgress>

export const Order = z
  .object({
    id: OrderId,
    email: z.string().meta({ examples: ['ada@example.com'] }),
    status: OrderStatus,
    items: z.array(OrderItem),
    totalCents: z.int().meta({ examples: [3998] }),
    createdAt: z.iso.datetime().meta({ examples: ['2026-01-02T03:04:05.000Z'] }),
  })
  .meta({ id: 'Order' })
export type Order = z.output<typeof Order>
