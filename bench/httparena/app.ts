// Millrace in HttpArena: baseline, limited-conn, pipelined, json, json-comp, upload, static and echo-ws, as an application would write them; those with a
// database are in items.ts.
import { readFileSync } from 'node:fs'
import { App, file, text } from 'millrace'
import { compress } from 'millrace/middleware'
import * as z from 'zod'

interface Item {
  readonly price: number
  readonly quantity: number
}

const items = JSON.parse(readFileSync(process.env['DATASET_PATH'] ?? '/data/dataset.json', 'utf8')) as readonly Item[]

const { DATABASE_URL } = process.env

const app = new App({ title: 'HttpArena', version: '1.0.0' })

const Terms = z.object({ a: z.int(), b: z.int() })

app.get('/baseline11', { query: Terms }, ({ query }) => text(`${query.a + query.b}`))

app.post('/baseline11', { query: Terms, body: z.coerce.number().int(), bodyType: 'text/plain' }, ({ query, body }) =>
  text(`${query.a + query.b + body}`),
)

app.get('/pipeline', () => text('ok'))

app.get(
  '/json/{count}',
  {
    params: z.object({ count: z.int().min(0).max(items.length) }),
    query: z.object({ m: z.int() }),
    use: [compress()],
  },
  ({ params, query }) => ({
    items: items.slice(0, params.count).map(item => ({ ...item, total: item.price * item.quantity * query.m })),
    count: params.count,
  }),
)

app.post('/upload', { maxBodyBytes: 32 * 2 ** 20 }, async ({ request }) => {
  let bytes = 0
  if (request.body) for await (const piece of request.body) bytes += piece.byteLength
  return text(`${bytes}`)
})

const root = process.env['STATIC_PATH'] ?? '/data/static'

app.get('/static/{path*}', ({ params }) => file(params.path, { root, precompressed: true }))

app.ws('/ws', { messages: 'mixed' }, async ({ socket }) => {
  for await (const message of socket) await socket.send(message)
})

// Not before it is known that there is a database: without one, one of its own would be started.
if (DATABASE_URL) app.include((await import('./items.ts')).items)

export default app
