// How do I describe my API?
import { App, Router } from 'millrace'
import * as z from 'zod'

// An id makes it a component of the document; descriptions and examples stand where they are given.
const Item = z
  .object({
    name: z
      .string()
      .max(80)
      .meta({ description: 'As it is on the shelf', examples: ['Lamp'] }),
    price: z
      .number()
      .positive()
      .meta({ description: 'In euros, tax included', examples: [49.5] }),
  })
  .meta({ id: 'Item' })

const items = new Router({ prefix: '/items', tags: ['items'] })

items.post(
  '',
  {
    summary: 'Put an item on the shelf',
    description: 'A name that is there already is *replaced*.',
    body: Item,
    returns: { 201: Item },
    responses: { 201: { description: 'It is on the shelf' } },
  },
  ({ body }) => body,
)

items.get('/first', { deprecated: true, operationId: 'firstItem', returns: Item }, () => ({
  name: 'Lamp',
  price: 49.5,
}))

const app = new App({
  title: 'Shelf',
  version: '2.1.0',
  description: 'Everything on the **shelf**.',
  contact: { name: 'Ada', email: 'ada@example.com' },
  license: { name: 'MIT', identifier: 'MIT' },
  openapiTags: [{ name: 'items', description: 'What is on the shelf' }],
  docs: { docs: '/api', redoc: false },
})
app.include(items)

// Answers, but is not in the document.
app.get('/health', { hidden: true }, () => ({ fine: true }))

export default app
