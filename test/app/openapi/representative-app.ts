// One app with something of everything that a document can hold, for the tests that put the document before other people's tools.
import * as z from 'zod'
import { App, dependency, Router } from 'millrace'

const Money = z.int().min(0).meta({ id: 'Money', description: 'In minor units' })
const Review = z.object({ stars: z.int().min(1).max(5), text: z.string().max(2000).optional() }).meta({ id: 'Review' })
const Product = z
  .object({
    id: z.int().positive(),
    name: z.string().min(1),
    sku: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .optional(),
    priceCents: Money,
    tags: z.array(z.string()).default([]),
    reviews: z.array(Review),
    createdAt: z.date(),
  })
  .meta({ id: 'Product', description: 'What can be bought' })
const Category = z
  .object({
    name: z.string(),
    get children() {
      return z.array(Category)
    },
  })
  .meta({ id: 'Category' })
const Payment = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('card'), number: z.string() }).meta({ id: 'CardPayment' }),
  z.object({ kind: z.literal('invoice'), email: z.email() }).meta({ id: 'InvoicePayment' }),
])
const NotFound = z.object({ title: z.string() }).meta({ id: 'NotFound' })

export const apiKey = dependency(
  { headers: z.object({ 'x-api-key': z.string().describe('The admin key') }), returns: { 401: null } },
  ({ headers }) => headers['x-api-key'],
)
export const session = dependency(
  {
    uses: { apiKey },
    cookies: z.object({ session: z.string().optional() }),
    query: z.object({ trace: z.stringbool().optional() }),
  },
  ({ cookies }) => cookies.session,
)

export function representativeApp(options: ConstructorParameters<typeof App>[0] = {}): App {
  const app = new App({
    title: 'Shop',
    version: '1.2.3',
    summary: 'Things for money',
    description: 'All of **it**.',
    contact: { name: 'Us', url: 'https://shop.test', email: 'us@shop.test' },
    license: { name: 'MIT', identifier: 'MIT' },
    openapiTags: [{ name: 'catalog', description: 'What there is' }],
    ...options,
  } as object)
  app.get('/', () => ({ message: 'hello' }))
  const catalog = new Router({ tags: ['catalog'], returns: { 404: NotFound } })
  catalog.get(
    '/products',
    {
      query: z.object({
        limit: z.int().min(1).max(100).default(20).describe('How many at most'),
        tag: z.array(z.string()).optional(),
        sort: z.enum(['price', 'name']).optional(),
      }),
      returns: z.object({ items: z.array(Product), next: z.string().nullable() }),
      summary: 'List products',
      description: 'In pages.',
    },
    () => ({ items: [], next: null }),
  )
  catalog.get(
    '/products/{id}',
    {
      params: z.object({ id: z.int().positive() }),
      returns: { 200: Product },
      limit: { concurrent: 10 },
      timeout: '2s',
    },
    ({ params }) => ({ id: params.id, name: 'x', priceCents: 1, tags: [], reviews: [], createdAt: new Date(0) }),
  )
  catalog.post(
    '/products',
    {
      body: Product.omit({ id: true }).meta({ id: 'NewProduct' }),
      returns: { 201: Product },
      uses: { session },
      tags: ['admin'],
    },
    ({ body, reply }) => reply(201, { id: 1, ...body }),
  )
  catalog.put(
    '/products/{productId}/category',
    { params: z.object({ productId: z.int() }), body: Category.optional(), returns: { 200: Category, 204: null } },
    ({ reply }) => reply(204),
  )
  catalog.delete('/products/{id}', { returns: { 204: null }, deprecated: true }, () => {})
  app.include(catalog, { tags: ['shop'] })
  app.post('/payments', { body: Payment, returns: { 200: Payment } }, ({ body }) => body)
  app.get('/files/{path*}', ({ params }) => params.path)
  app.post('/subscriptions', { form: z.object({ email: z.email(), topics: z.array(z.string()).optional() }) }, () => 1)
  app.post(
    '/photos',
    {
      form: z.object({ title: z.string(), price: Money.optional() }).meta({ id: 'Photo' }),
      files: { photo: { types: ['image/png', 'image/jpeg'] }, more: { many: true, max: 3, optional: true } },
      returns: { 204: null },
    },
    ({ reply }) => reply(204),
  )
  app.get('/hidden', { hidden: true }, () => 'x')
  return app
}
