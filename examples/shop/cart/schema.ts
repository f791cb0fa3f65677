// What carts take and give.
import * as z from 'zod'
import { ProductId } from '../catalog/schema.ts'
import { MAX_QUANTITY } from './rules.ts'

export const CartId = z.uuid().meta({ examples: ['0b5c1f0e-6f0a-4a57-9d3e-3f1f5a6c7d8e'] })

export const CartItem = z
  .object({
    productId: z.int().meta({ examples: [7] }),
    name: z.string().meta({ examples: ['Walnut desk'] }),
    quantity: z.int().meta({ examples: [2] }),
    priceCents: z
      .int()
      .describe('Of one, in cents, as it is now')
      .meta({ examples: [1999] }),
  })
  .meta({ id: 'CartItem' })
export type CartItem = z.output<typeof CartItem>

export const Cart = z
  .object({ id: CartId, items: z.array(CartItem), totalCents: z.int().meta({ examples: [3998] }) })
  .meta({ id: 'Cart' })
export type Cart = z.output<typeof Cart>

export const NewItem = z
  .strictObject({
    productId: ProductId,
    quantity: z
      .int()
      .min(1)
      .max(MAX_QUANTITY)
      .meta({ examples: [2] }),
  })
  .meta({ id: 'NewCartItem' })
export type NewItem = z.output<typeof NewItem>
