import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Schemas', version: '1.0.0' })

// Handlers hold a schema's output, the wire carries its input, in both directions.
const Event = z
  .object({
    name: z.string(),
    at: z.date(), // Date here, text with an offset there
    views: z.bigint(), // bigint here, digits in a string there
    tags: z.set(z.string()), // Set here, array there
    price: z.codec(z.string().regex(/^\d+\.\d\d$/), z.int(), {
      decode: text => Math.round(Number(text) * 100),
      encode: cents => (cents / 100).toFixed(2),
    }),
  })
  .meta({ id: 'Event' })

app.post('/events', { body: Event, returns: Event }, ({ body }) => ({
  ...body,
  at: new Date(body.at.getTime() + 86_400_000),
  views: body.views + 1n,
  tags: new Set([...body.tags, 'moved']),
  price: body.price + 50,
}))

export default app
