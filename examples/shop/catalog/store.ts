// Products in PostgreSQL.
import { sql, type Fragment, type Queryable } from 'millrace/postgres'
import { writeCursor, type Cursor } from './cursor.ts'
import type { ListQuery, NewProduct, Product, ProductChanges, SearchQuery, Sort } from './schema.ts'

interface Options {
  readonly signal?: AbortSignal
}

const COLUMNS = sql`id, name, description, category, price_cents as "priceCents", stock,
  created_at as "createdAt", updated_at as "updatedAt"`

// Each order is total (the id decides between equals) and has an index, so a page starts where the last one ended however far in it is.
const ORDERS: Readonly<
  Record<Sort, { by: Fragment; after: (cursor: Cursor) => Fragment; key: (of: Product) => number | string }>
> = {
  newest: { by: sql`id desc`, after: ({ id }) => sql`id < ${id}`, key: ({ id }) => id },
  price: {
    by: sql`price_cents, id`,
    after: ({ key, id }) => sql`(price_cents, id) > (${key}, ${id})`,
    key: ({ priceCents }) => priceCents,
  },
  '-price': {
    by: sql`price_cents desc, id desc`,
    after: ({ key, id }) => sql`(price_cents, id) < (${key}, ${id})`,
    key: ({ priceCents }) => priceCents,
  },
  name: {
    by: sql`name, id`,
    after: ({ key, id }) => sql`(name, id) > (${key}, ${id})`,
    key: ({ name }) => name,
  },
}

/** @param cursor  where the page before ended */
export async function listProducts(
  db: Queryable,
  { limit, category, sort }: Pick<ListQuery, 'limit' | 'category' | 'sort'>,
  cursor: Cursor | undefined,
  { signal }: Options = {},
): Promise<{ items: Product[]; nextCursor: string | null }> {
  const order = ORDERS[sort]
  const conditions = [sql`true`]
  if (category !== undefined) conditions.push(sql`category = ${category}`)
  if (cursor) conditions.push(order.after(cursor))
  // One more than asked for tells whether there is another page.
  const rows = await db.sql<Product>`
    select ${COLUMNS} from products
    where ${sql.join(conditions, sql` and `)}
    order by ${order.by} limit ${limit + 1}`.signal(signal)
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return { items, nextCursor: hasMore ? writeCursor(sort, { key: order.key(last), id: last.id }) : null }
}

// PostgreSQL fails at a word with more than 32 exclusions in front of it. One says the same, and more than one was hardly meant.
const EXCLUSIONS = /-(?:[^\p{L}\p{N}"]*-)+/gu

/** The best first; among equals the newest. */
export async function searchProducts(
  db: Queryable,
  { q, limit }: SearchQuery,
  { signal }: Options = {},
): Promise<Product[]> {
  return db.sql<Product>`
    select ${COLUMNS} from products, websearch_to_tsquery('english', ${q.replace(EXCLUSIONS, '-')}) as wanted
    where words @@ wanted
    order by ts_rank(words, wanted) desc, id desc limit ${limit}`.signal(signal)
}

export async function findProduct(db: Queryable, id: number, { signal }: Options = {}): Promise<Product | null> {
  return db.sql<Product>`select ${COLUMNS} from products where id = ${id}`.signal(signal).maybe()
}

export async function addProduct(db: Queryable, of: NewProduct): Promise<Product> {
  return db.sql<Product>`
    insert into products (name, description, category, price_cents, stock)
    values (${of.name}, ${of.description}, ${of.category}, ${of.priceCents}, ${of.stock})
    returning ${COLUMNS}`.one()
}

/** @returns null when there is no such product */
export async function changeProduct(db: Queryable, id: number, to: ProductChanges): Promise<Product | null> {
  return db.sql<Product>`
    update products set
      name = coalesce(${to.name ?? null}, name),
      description = coalesce(${to.description ?? null}, description),
      category = coalesce(${to.category ?? null}, category),
      price_cents = coalesce(${to.priceCents ?? null}, price_cents),
      stock = coalesce(${to.stock ?? null}, stock),
      updated_at = now()
    where id = ${id}
    returning ${COLUMNS}`.maybe()
}
