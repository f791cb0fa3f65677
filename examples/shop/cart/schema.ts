// What carts take and give.
import * as z from 'zod'
import { ProductId } from '../catalog/schema.ts'
import { MAX_QUANTITY } from './rules.ts'

export const CartId = z.uuid()

export const CartItem = z
  .object({
    productId: z.int(),
    name: z.string(),
    quantity: z.int(),
    priceCents: z.int().describe('Of one, in cents, as it is now'),
  })
  .meta({ id: 'CartItem' })
export type CartItem = z.output<typeof CartItem>

export const Cart = z.object({ id: CartId, items: z.array(CartItem), totalCents: z.int() }).meta({ id: 'Cart' })
export type Cart = z.output<typeof Cart>

export const NewItem = z
  .strictObject({ productId: ProductId, quantity: z.int().min(1).max(MAX_QUANTITY) })
  .meta({ id: 'NewCartItem' })
export type NewItem = z.output<typeof NewItem>
