// Orders in PostgreSQL, for reading; checkout/store.ts places them.
import { type Queryable, sql } from 'millrace/postgres'
import type { Order } from './schema.ts'

/** As PostgreSQL gives it: a bigint arrives as a string, because not all of them fit into a number; totals do (cart/rules.ts). */
export type OrderRow = Omit<Order, 'totalCents'> & { readonly totalCents: string }

export const ORDER_COLUMNS = sql`
  id, email, status, total_cents as "totalCents", created_at as "createdAt",
  (
    select json_agg(
      json_build_object('productId', product_id, 'name', name, 'quantity', quantity, 'priceCents', price_cents)
      order by product_id
    )
    from order_items where order_id = orders.id
  ) as items`

export function readOrder(row: OrderRow): Order {
  return { ...row, totalCents: Number(row.totalCents) }
}

/** @returns null when there is no such order */
export async function findOrder(
  db: Queryable,
  id: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Order | null> {
  const order = await db.sql<OrderRow>`select ${ORDER_COLUMNS} from orders where id = ${id}`.signal(signal).maybe()
  return order && readOrder(order)
}
