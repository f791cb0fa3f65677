// How do I describe a body that holds other things?
import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Body models', version: '1.0.0' })

// An id makes a component of it in the document. A discriminated union is told by its tag, so errors are about the member that was meant.
const Card = z
  .object({
    by: z.literal('card'),
    number: z
      .string()
      .regex(/^\d{16}$/)
      .meta({ secret: true }),
  })
  .meta({ id: 'Card' })
const Invoice = z
  .object({ by: z.literal('invoice'), email: z.email(), days: z.int().max(60).default(30) })
  .meta({ id: 'Invoice' })

const Order = z
  .strictObject({
    payment: z.discriminatedUnion('by', [Card, Invoice]),
    lines: z.array(z.object({ sku: z.string().length(4), quantity: z.int().min(1) })).min(1),
    labels: z.set(z.string()).default(new Set()), // an array on the wire
    prices: z.record(z.string().length(4), z.int()).optional(), // keys are checked too
    deliver: z.date().nullish(), // null and absent are two things
  })
  .meta({ id: 'Order' })

app.post('/orders', { body: Order }, ({ body }) => ({
  payment: body.payment.by,
  pieces: body.lines.reduce((sum, line) => sum + line.quantity, 0),
  labels: [...body.labels],
  deliver:
    body.deliver === undefined ? 'when you like' : body.deliver === null ? 'not at all' : body.deliver.getUTCFullYear(),
}))

// A recursive model: a getter may speak of the object that it is in.
const Folder = z
  .object({
    name: z.string().min(1),
    get folders() {
      return z.array(Folder).optional()
    },
  })
  .meta({ id: 'Folder' })

const count = (folder: z.infer<typeof Folder>): number =>
  1 + (folder.folders ?? []).reduce((sum, inner) => sum + count(inner), 0)

// Several models in one body are the keys of one object.
app.post('/folders', { body: z.object({ root: Folder, owner: z.object({ name: z.string() }) }) }, ({ body }) => ({
  owner: body.owner.name,
  folders: count(body.root),
}))

export default app
