// Orders in PostgreSQL, for reading; checkout/store.ts places them.
import type { Queryable } from 'millrace/postgres'
import type { Order } from './schema.ts'

/** @returns null when there is no such order */
export async function findOrder(
  db: Queryable,
  id: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Order | null> {
  // A bigint arrives as a string, because not all of them fit into a number; totals do (cart/rules.ts).
  const order = await db.sql<Omit<Order, 'totalCents'> & { totalCents: string }>`
    select id, email, status, total_cents as "totalCents", created_at as "createdAt",
      (
        select json_agg(
          json_build_object('productId', product_id, 'name', name, 'quantity', quantity, 'priceCents', price_cents)
          order by product_id
        )
        from order_items where order_id = orders.id
      ) as items
    from orders where id = ${id}`
    .signal(signal)
    .maybe()
  return order && { ...order, totalCents: Number(order.totalCents) }
}
