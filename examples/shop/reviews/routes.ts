// Reviews: what people say about a product.
import { cache, fail, Router } from 'millrace'
import { compress } from 'millrace/middleware'
import * as z from 'zod'
import { ProductId } from '../catalog/schema.ts'
import { findProduct } from '../catalog/store.ts'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { NewReview, Review, Reviews, ReviewsQuery } from './schema.ts'
import { reviewStore } from './store.ts'

export const reviews = new Router({ tags: ['Reviews'] })

const params = z.object({ id: ProductId })

/** What cached reviews of a product are tagged with; a new one invalidates them, and nothing else. */
const reviewsTag = (productId: number): string => `reviews:${productId}`

export const listReviews = reviews.get(
  '/products/{id}/reviews',
  {
    operationId: 'listReviews',
    summary: 'Read what people say',
    description: 'The newest, and how many stars all of them give.',
    params,
    query: ReviewsQuery,
    returns: { 200: Reviews, 404: Problem },
    uses: { db, reviewStore },
    use: [compress()],
    timeout: '5s',
    cache: { ttl: '1m', staleFor: '5m', tags: ({ params }) => [reviewsTag(params.id)] },
  },
  async ({ params, query, db, reviewStore, signal }) => {
    const found = await reviewStore.list(params.id, query.limit, { signal })
    // Only where nobody has said anything it may be that there is nothing to be said.
    if (found.count === 0 && !(await findProduct(db, params.id, { signal }))) fail(404, 'No such product')
    return found
  },
)

export const addReview = reviews.post(
  '/products/{id}/reviews',
  {
    operationId: 'addReview',
    summary: 'Say something about a product',
    params,
    body: NewReview,
    returns: { 201: Review, 404: Problem },
    uses: { db, reviewStore },
    timeout: '5s',
  },
  async ({ params, body, db, reviewStore, signal }) => {
    if (!(await findProduct(db, params.id, { signal }))) fail(404, 'No such product')
    // Without the signal: what has been sent may be stored, and is then to be seen.
    const review = await reviewStore.add(params.id, body)
    await cache.invalidate(reviewsTag(params.id))
    return review
  },
)
