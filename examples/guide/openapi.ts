import { App, Router } from 'millrace'
import * as z from 'zod'

const Product = z
  .object({
    id: z.int().max(1_000_000),
    name: z
      .string()
      .min(1)
      .meta({ examples: ['Lamp'] }),
    tags: z.array(z.string()).default([]),
  })
  .meta({ id: 'Product', description: 'What can be bought' })

const products = new Router({
  prefix: '/products',
  tags: ['products'],
  returns: { 404: z.object({ title: z.string() }).meta({ id: 'NoSuchThing' }) },
  operationIds: ({ method, path }) => `products-${method.toLowerCase()}${path.replaceAll(/[^a-z]+/g, '-')}`,
})

products.get(
  '/{id}',
  {
    summary: 'Read a product',
    description: 'Prices are in *cents*.',
    operationId: 'getProduct',
    params: Product.pick({ id: true }),
    returns: Product,
    examples: { returns: { 200: { lamp: { summary: 'The usual', value: { id: 7, name: 'Lamp', tags: [] } } } } },
    responses: { 200: { description: 'It is there', headers: { 'X-Count': z.int() } } },
    openapi: { 'x-audience': 'everybody' },
  },
  ({ params }) => ({ id: params.id, name: 'Lamp', tags: [] }),
)
products.post('/', { body: Product, returns: { 201: Product } }, ({ body, reply }) => reply(201, body))

const app = new App({
  title: 'Described',
  version: '1.0.0',
  license: { name: 'MIT', identifier: 'MIT' },
  contact: { name: 'Us', email: 'us@shop.example' },
  openapiTags: [{ name: 'products', description: 'What can be bought' }],
  webhooks: { 'product-sold-out': { body: Product, returns: { 204: null } } },
  openapi: { info: { 'x-logo': { url: '/logo.png' } } },
})
app.include(products)

export default app
