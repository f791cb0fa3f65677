// How do I change only what a client sent?
import { App, fail } from 'millrace'
import * as z from 'zod'

const Item = z
  .object({
    name: z.string().min(1),
    description: z.string().nullable().default(null),
    price: z.number().positive(),
    tags: z.array(z.string()).default([]),
  })
  .meta({ id: 'Item' })

// Every key may be left out. Not `Item.partial()`: its defaults would be filled in, and so overwrite what is stored.
const Change = z
  .object({
    name: z.string().min(1).exactOptional(),
    description: z.string().nullable().exactOptional(),
    price: z.number().positive().exactOptional(),
    tags: z.array(z.string()).exactOptional(),
  })
  .meta({ id: 'Change' })

const params = z.object({ id: z.string() })
const items = new Map<string, z.infer<typeof Item>>([
  ['lamp', { name: 'Lamp', description: 'Warm', price: 49.5, tags: ['new'] }],
])

const app = new App({ title: 'Partial updates', version: '1.0.0' })

app.get('/items/{id}', { params, returns: Item }, ({ params }) => items.get(params.id) ?? fail(404, 'No such item'))

// PUT replaces: what was left out has its default again.
app.put('/items/{id}', { params, body: Item, returns: Item }, ({ params, body }) => {
  items.set(params.id, body)
  return body
})

// PATCH changes what is there. A key that is absent is not in `body`; one that is null is, and empties the field.
app.patch('/items/{id}', { params, body: Change, returns: Item }, ({ params, body }) => {
  const item = items.get(params.id) ?? fail(404, 'No such item')
  const changed = { ...item, ...body }
  items.set(params.id, changed)
  return changed
})

export default app
