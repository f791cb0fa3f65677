// Where reviews are kept: MongoDB where MONGODB_URL names one, else PostgreSQL. Both keep the same promise, and the same tests.
import { dependency, type Dependency } from 'millrace'
import { mongo } from 'millrace/mongo'
import { db } from '../database.ts'
import { mongoReviews } from './mongo-store.ts'
import { postgresReviews } from './postgres-store.ts'
import type { NewReview, Review, Reviews } from './schema.ts'

export interface Options {
  readonly signal?: AbortSignal | undefined
}

export interface ReviewStore {
  add(productId: number, review: NewReview, options?: Options): Promise<Review>
  /** @returns the newest `limit`, with count and average of all */
  list(productId: number, limit: number, options?: Options): Promise<Reviews>
}

/** One for each worker, ready with its table or its index. */
export const reviewStore: Dependency<ReviewStore, 'worker'> = process.env['MONGODB_URL']
  ? dependency(
      { scope: 'worker', name: 'reviews', uses: { mongodb: mongo({ applicationName: 'shop' }) } },
      ({ mongodb }) => mongoReviews(mongodb),
    )
  : dependency({ scope: 'worker', name: 'reviews', uses: { db } }, ({ db }) => postgresReviews(db))
