// What accounts take and give.
import * as z from 'zod'
import { Order, OrderId } from '../orders/schema.ts'

export const Email = z
  .email()
  .max(254)
  .meta({ examples: ['ada@example.com'] })

export const Account = z
  .object({
    id: z.uuid().meta({ examples: ['3f1f5a6c-7d8e-4a57-9d3e-0b5c1f0e6f0a'] }),
    email: z.string().meta({ examples: ['ada@example.com'] }),
    createdAt: z.iso.datetime().meta({ examples: ['2026-01-02T03:04:05.000Z'] }),
  })
  .meta({ id: 'Account' })
export type Account = z.output<typeof Account>

export const NewAccount = z
  .strictObject({
    email: Email,
    password: z
      .string()
      .min(8)
      .max(200)
      .meta({ format: 'password', examples: ['correct horse battery'] }),
  })
  .meta({ id: 'NewAccount' })
export type NewAccount = z.output<typeof NewAccount>

export const MyOrdersQuery = z.strictObject({
  limit: z
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ examples: [20] }),
  cursor: OrderId.optional().describe('The `nextCursor` of the page before'),
})
export type MyOrdersQuery = z.output<typeof MyOrdersQuery>

export const MyOrders = z
  .object({ items: z.array(Order), nextCursor: OrderId.nullable().describe('Null on the last page') })
  .meta({ id: 'MyOrders' })
export type MyOrders = z.output<typeof MyOrders>
