// Reviews in PostgreSQL, as documents: what is looked for has columns, what is said is JSONB.
import { json, type Queryable } from 'millrace/postgres'
import { summary, type Stars } from './rules.ts'
import type { Review } from './schema.ts'
import type { ReviewStore } from './store.ts'

export function postgresReviews(db: Queryable): ReviewStore {
  return {
    async add(productId, review, { signal } = {}) {
      const { id, createdAt } = await db.sql<Pick<Review, 'id' | 'createdAt'>>`
        insert into reviews (product_id, document) values (${productId}, ${json(review)})
        returning id, created_at as "createdAt"`
        .signal(signal)
        .one()
      return { id, productId, ...review, createdAt }
    },
    async list(productId, limit, { signal } = {}) {
      const [rows, stars] = await Promise.all([
        db.sql<{ id: string; createdAt: string; document: Omit<Review, 'id' | 'productId' | 'createdAt'> }>`
          select id, created_at as "createdAt", document from reviews
          where product_id = ${productId} order by created_at desc, id desc limit ${limit}`.signal(signal),
        db.sql<Stars>`
          select (document->>'rating')::int as rating, count(*)::int as count from reviews
          where product_id = ${productId} group by 1`.signal(signal),
      ])
      const items = rows.map(({ id, createdAt, document }) => ({ id, productId, ...document, createdAt }))
      return { ...summary(stars), items }
    },
  }
}
