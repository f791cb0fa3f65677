// Reviews in MongoDB: a collection with a schema.
import type { Collections, MongoDatabase, Stored } from 'millrace/mongo'
import * as z from 'zod'
import { summary } from './rules.ts'
import type { Review } from './schema.ts'
import type { ReviewStore } from './store.ts'

const Document = z.object({
  productId: z.int(),
  rating: z.int().min(1).max(5),
  author: z.string(),
  text: z.string(),
  createdAt: z.date(),
})

const Stars = z.object({ _id: z.int(), count: z.int() })

export async function mongoReviews(mongodb: MongoDatabase): Promise<ReviewStore> {
  const reviews = (of: Collections) => of.collection('reviews', Document)
  // The order of the list; also what the sum of one product reads.
  await reviews(mongodb).createIndex({ productId: 1, createdAt: -1, _id: -1 })
  return {
    async add(productId, review, options) {
      return read(await reviews(mongodb).insert({ productId, ...review, createdAt: new Date() }, options))
    },
    async list(productId, limit, options) {
      const [items, stars] = await Promise.all([
        reviews(mongodb).find({ productId }, { sort: { createdAt: -1, _id: -1 }, limit, ...options }),
        reviews(mongodb).aggregate(
          [reviews(mongodb).match({ productId }), { $group: { _id: '$rating', count: { $sum: 1 } } }],
          { returns: Stars, ...options },
        ),
      ])
      return { ...summary(stars.map(({ _id: rating, count }) => ({ rating, count }))), items: items.map(read) }
    },
  }
}

function read({ _id: id, createdAt, ...review }: Stored<typeof Document>): Review {
  return { id, ...review, createdAt: createdAt.toISOString() }
}
