// What checkout takes, and what it says when something is missing.
import * as z from 'zod'
import { Email } from '../accounts/schema.ts'
import { CartId } from '../cart/schema.ts'
import { OrderId } from '../orders/schema.ts'
import { Problem } from '../problem.ts'

export const NewOrder = z
  .strictObject({
    cartId: CartId,
    email: Email.optional().describe(
      'Where the confirmation goes. Guests have to give one; default: that of the account',
    ),
  })
  .meta({ id: 'NewOrder' })
export type NewOrder = z.output<typeof NewOrder>

export const Shortage = z
  .object({
    productId: z.int().meta({ examples: [7] }),
    name: z.string().meta({ examples: ['Walnut desk'] }),
    wanted: z.int().meta({ examples: [2] }),
    left: z.int().meta({ examples: [1] }),
  })
  .meta({ id: 'Shortage' })
export type Shortage = z.output<typeof Shortage>

export const OrderRefused = Problem.extend({
  shortages: z.array(Shortage).optional().describe('What there is too little of'),
  orderId: OrderId.optional().describe('Of the order that you have placed with this cart before'),
}).meta({ id: 'OrderRefused', description: 'Why the order was not placed' })
export type OrderRefused = z.output<typeof OrderRefused>
