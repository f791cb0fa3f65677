// Turns a cart into an order, in one transaction: all of it happens, or nothing.
//
//   1. lock the cart, so that it is ordered once
//   2. lock its products in the order of their ids: two orders of the same products wait for each other and never in a circle
//   3. enough of everything? take it, write the order, close the cart
import { type Database, ForeignKeyViolation, type Transaction } from 'millrace/postgres'
import type { Order } from '../orders/schema.ts'
import { findOrder } from '../orders/store.ts'
import { type Line, shortagesOf } from './rules.ts'
import type { NewOrder, Shortage } from './schema.ts'

/** By somebody signed in, or with the address of a guest. */
export type PlacedBy = NewOrder & { readonly accountId: string | null }

export type Placed =
  | { readonly outcome: 'placed'; readonly order: Order }
  | { readonly outcome: 'no account' | 'no cart' | 'empty' }
  /** `orderId` where it was this buyer who ordered it. */
  | { readonly outcome: 'ordered already'; readonly orderId: string | undefined }
  | { readonly outcome: 'short'; readonly shortages: Shortage[] }

/** @param signal  until the commit: who has gone by then has ordered nothing */
export async function placeOrder(db: Database, of: PlacedBy, signal: AbortSignal): Promise<Placed> {
  try {
    return await db.transaction(tx => place(tx, of), { signal })
  } catch (error) {
    if (error instanceof ForeignKeyViolation && error.constraint === 'orders_account_id_fkey')
      return { outcome: 'no account' }
    throw error
  }
}

async function place(tx: Transaction, { cartId, accountId, email: given }: PlacedBy): Promise<Placed> {
  const email = given ?? (await emailOf(tx, accountId))
  if (email === undefined) return { outcome: 'no account' }
  const cart = await tx.sql<{ ordered: boolean }>`
    select ordered_at is not null as ordered from carts where id = ${cartId} for update`.maybe()
  if (!cart) return { outcome: 'no cart' }
  if (cart.ordered) return { outcome: 'ordered already', orderId: await orderOf(tx, { cartId, accountId, email }) }
  // `no key`: others may go on putting these products into their carts, which only asks that the product's id stays.
  const lines = await tx.sql<Line>`
    select p.id as "productId", p.name, p.stock, i.quantity
    from cart_items i join products p on p.id = i.product_id
    where i.cart_id = ${cartId}
    order by p.id for no key update of p`
  if (lines.length === 0) return { outcome: 'empty' }
  const shortages = shortagesOf(lines)
  if (shortages.length > 0) return { outcome: 'short', shortages }
  const { id } = await tx.sql<{ id: string }>`
    with taken as (
      update products set stock = stock - i.quantity, updated_at = now()
      from cart_items i where i.cart_id = ${cartId} and products.id = i.product_id
      returning products.id, products.name, products.price_cents, i.quantity
    ), closed as (
      update carts set ordered_at = now() where id = ${cartId}
    ), placed as (
      insert into orders (cart_id, account_id, email, total_cents)
      select ${cartId}, ${accountId}, ${email}, sum(price_cents::bigint * quantity) from taken
      returning id
    ), items as (
      insert into order_items (order_id, product_id, name, quantity, price_cents)
      select placed.id, taken.id, taken.name, taken.quantity, taken.price_cents from placed, taken
    )
    select id from placed`.one()
  return { outcome: 'placed', order: (await findOrder(tx, id))! }
}

/** For who has lost the answer and asks again: the order, if it is theirs. */
async function orderOf(
  tx: Transaction,
  { cartId, accountId, email }: { cartId: string; accountId: string | null; email: string },
): Promise<string | undefined> {
  const order = await tx.sql<{ id: string }>`
    select id from orders where cart_id = ${cartId} and account_id is not distinct from ${accountId} and email = ${email}`.maybe()
  return order?.id
}

async function emailOf(tx: Transaction, accountId: string | null): Promise<string | undefined> {
  const account = await tx.sql<{ email: string }>`select email from accounts where id = ${accountId}`.maybe()
  return account?.email
}
