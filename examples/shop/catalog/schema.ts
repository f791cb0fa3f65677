// What the catalogue takes and gives.
import * as z from 'zod'
import { text } from '../text.ts'

// PostgreSQL's integer: what is above it names no product.
export const ProductId = z
  .int()
  .min(1)
  .max(2_147_483_647)
  .meta({ examples: [7] })

const name = text(200).meta({ examples: ['Walnut desk'] })
const description = text(5000).meta({ examples: ['Oiled, with one drawer.'] })
const category = text(60).meta({ examples: ['kitchen'] })
const priceCents = z
  .int()
  .min(0)
  .max(100_000_000)
  .describe('In cents')
  .meta({ examples: [1999] })
const stock = z
  .int()
  .min(0)
  .max(1_000_000)
  .describe('How many there are to sell')
  .meta({ examples: [12] })

export const Product = z
  .object({
    id: ProductId,
    name: z.string().meta({ examples: ['Walnut desk'] }),
    description: z.string().meta({ examples: ['Oiled, with one drawer.'] }),
    category: z.string().meta({ examples: ['kitchen'] }),
    priceCents: z.int().meta({ examples: [1999] }),
    stock: z.int().meta({ examples: [12] }),
    createdAt: z.iso.datetime().meta({ examples: ['2026-01-02T03:04:05.000Z'] }),
    updatedAt: z.iso.datetime().meta({ examples: ['2026-01-02T03:04:05.000Z'] }),
  })
  .meta({ id: 'Product' })
export type Product = z.output<typeof Product>

export const NewProduct = z.strictObject({ name, description, category, priceCents, stock }).meta({ id: 'NewProduct' })
export type NewProduct = z.output<typeof NewProduct>

export const ProductChanges = NewProduct.partial()
  .refine(changes => Object.keys(changes).length > 0, 'Name at least one thing to change')
  .meta({ id: 'ProductChanges', description: 'What is left out stays as it is', minProperties: 1 })
export type ProductChanges = z.output<typeof ProductChanges>

export const Sort = z.enum(['newest', 'price', '-price', 'name'])
export type Sort = z.output<typeof Sort>

const limit = z.int().min(1).max(100).default(20).describe('How many to give at most')

export const ListQuery = z.object({
  limit,
  cursor: z
    .string()
    .max(1000)
    .optional()
    .meta({ description: '`nextCursor` of the page before', pattern: '^[\\w-]+$' }),
  category: category.optional(),
  sort: Sort.default('newest').describe('`-price` is the highest price first'),
})
export type ListQuery = z.output<typeof ListQuery>

export const Page = z
  .object({
    items: z.array(Product),
    nextCursor: z.string().nullable().describe('For the next page; null on the last one'),
  })
  .meta({ id: 'ProductPage' })

export const SearchQuery = z.object({
  q: text(200)
    .describe('Words, "phrases", -without, this or that')
    .meta({ examples: ['walnut desk -standing'] }),
  limit,
})
export type SearchQuery = z.output<typeof SearchQuery>

export const Found = z.object({ items: z.array(Product).describe('The best first') }).meta({ id: 'FoundProducts' })
