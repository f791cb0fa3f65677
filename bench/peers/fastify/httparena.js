// The HttpArena profiles on Fastify: validated input, @fastify/compress with its defaults on the one route that wants it, @fastify/static.
import { readFileSync } from 'node:fs'
import compress from '@fastify/compress'
import files from '@fastify/static'
import Fastify from 'fastify'

const items = JSON.parse(readFileSync(process.env.DATASET_PATH, 'utf8'))
const integer = { type: 'integer' }
const object = properties => ({ type: 'object', required: Object.keys(properties), properties })
const terms = { schema: { querystring: object({ a: integer, b: integer }) } }

const app = Fastify()
await app.register(compress, { global: false })

app.get('/baseline11', terms, async ({ query }, reply) => text(reply, query.a + query.b))
app.post('/baseline11', terms, async ({ query, body }, reply) => text(reply, query.a + query.b + Number(body)))

app.get('/pipeline', async (_, reply) => text(reply, 'ok'))

app.get(
  '/json/:count',
  {
    compress: {},
    schema: {
      params: object({ count: { ...integer, minimum: 0, maximum: items.length } }),
      querystring: object({ m: integer }),
    },
  },
  async ({ params: { count }, query: { m } }) => ({
    items: items.slice(0, count).map(item => ({ ...item, total: item.price * item.quantity * m })),
    count,
  }),
)

app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
app.post('/upload', { bodyLimit: 32 * 2 ** 20 }, async ({ body }, reply) => {
  let bytes = 0
  for await (const piece of body) bytes += piece.length
  return text(reply, bytes)
})

if (process.env.STATIC_PATH)
  await app.register(files, { root: process.env.STATIC_PATH, prefix: '/static/', preCompressed: true })

function text(reply, value) {
  return reply.type('text/plain').send(String(value))
}

await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
