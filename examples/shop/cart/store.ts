// Carts in PostgreSQL.
import { CheckViolation, type Database, type Queryable } from 'millrace/postgres'
import { MAX_LINES, totalCents } from './rules.ts'
import type { Cart, CartItem, NewItem } from './schema.ts'

export async function addCart(db: Queryable): Promise<Cart> {
  const { id } = await db.sql<{ id: string }>`insert into carts default values returning id`.one()
  return { id, items: [], totalCents: 0 }
}

/** @returns null when there is no such cart */
export async function findCart(
  db: Queryable,
  id: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Cart | null> {
  const cart = await db.sql<{ items: CartItem[] }>`
    select coalesce(
      (
        select json_agg(
          json_build_object('productId', p.id, 'name', p.name, 'quantity', i.quantity, 'priceCents', p.price_cents)
          order by p.id
        )
        from cart_items i join products p on p.id = i.product_id
        where i.cart_id = carts.id
      ),
      '[]'
    ) as items
    from carts where id = ${id}`
    .signal(signal)
    .maybe()
  return cart && { id, items: cart.items, totalCents: totalCents(cart.items) }
}

export type Added = 'added' | 'no cart' | 'no product' | 'ordered already' | 'too many lines' | 'too many of one'

/** Adds to what is in the cart already. The lock makes it wait for an order of the same cart, and see that there is one. */
export async function addItem(db: Database, cartId: string, { productId, quantity }: NewItem): Promise<Added> {
  try {
    return await db.transaction(async tx => {
      const cart = await tx.sql<{ ordered: boolean }>`
        select ordered_at is not null as ordered from carts where id = ${cartId} for no key update`.maybe()
      if (!cart) return 'no cart'
      if (cart.ordered) return 'ordered already'
      // A statement of its own: it counts what those whom the lock was waited for have put in, which the one that waited would not see.
      const { product, added } = await tx.sql<{ product: boolean; added: boolean }>`
        with product as (
          select id from products where id = ${productId}
        ), added as (
          insert into cart_items (cart_id, product_id, quantity)
          select ${cartId}, product.id, ${quantity} from product
          where (select count(*) from cart_items where cart_id = ${cartId} and product_id <> ${productId}) < ${MAX_LINES}
          on conflict (cart_id, product_id) do update set quantity = cart_items.quantity + excluded.quantity
          returning true
        )
        select exists (select from product) as product, exists (select from added) as added`.one()
      if (added) return 'added'
      return product ? 'too many lines' : 'no product'
    })
  } catch (error) {
    if (error instanceof CheckViolation && error.constraint === 'cart_items_quantity') return 'too many of one'
    throw error
  }
}
