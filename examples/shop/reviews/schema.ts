// What people say about products.
import * as z from 'zod'
import { ProductId } from '../catalog/schema.ts'
import { text } from '../text.ts'

const rating = z
  .int()
  .min(1)
  .max(5)
  .describe('Stars')
  .meta({ examples: [4] })

export const NewReview = z
  .strictObject({
    rating,
    author: text(80).meta({ examples: ['Ada'] }),
    text: text(2000).meta({ examples: ['Stands firmly, smells of oil.'] }),
  })
  .meta({ id: 'NewReview' })
export type NewReview = z.output<typeof NewReview>

export const Review = z
  .object({
    id: z.string().meta({ examples: ['6b0865dc2f1e4a0d9c3b7a10'] }),
    productId: ProductId,
    rating: z.int().meta({ examples: [4] }),
    author: z.string().meta({ examples: ['Ada'] }),
    text: z.string().meta({ examples: ['Stands firmly, smells of oil.'] }),
    createdAt: z.iso.datetime().meta({ examples: ['2026-01-02T03:04:05.000Z'] }),
  })
  .meta({ id: 'Review' })
export type Review = z.output<typeof Review>

export const ReviewsQuery = z.object({
  limit: z.int().min(1).max(100).default(20).describe('How many to give at most'),
})

export const Reviews = z
  .object({
    count: z
      .int()
      .describe('Of all reviews of the product')
      .meta({ examples: [12] }),
    average: z
      .number()
      .nullable()
      .describe('Stars, to one place; null where there is no review')
      .meta({ examples: [4.3] }),
    items: z.array(Review).describe('The newest first'),
  })
  .meta({ id: 'Reviews' })
export type Reviews = z.output<typeof Reviews>
