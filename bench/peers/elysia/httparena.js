// The HttpArena profiles on Elysia: validated input; compression in its mapResponse hook on the one route that wants it, since it has
// no plugin for it (its documentation shows this hook).
import { readFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { Elysia, t } from 'elysia'

const items = JSON.parse(readFileSync(process.env.DATASET_PATH, 'utf8'))
const terms = { query: t.Object({ a: t.Integer(), b: t.Integer() }) }
// The same quality as everybody's here: brotli's own default, 11, is for files that are compressed once.
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const codings = { br: body => brotliCompressSync(body, brotli), gzip: body => gzipSync(body) }

function compressed({ responseValue, headers, set }) {
  const coding = ['br', 'gzip'].find(name => headers['accept-encoding']?.includes(name))
  if (!coding) return
  const plain = JSON.stringify(responseValue)
  if (plain.length < 1024) return
  return new Response(codings[coding](plain), {
    headers: { ...set.headers, 'content-type': 'application/json', 'content-encoding': coding },
  })
}

new Elysia()
  .get('/baseline11', ({ query }) => String(query.a + query.b), terms)
  .post('/baseline11', ({ query, body }) => String(query.a + query.b + Number(body)), { ...terms, parse: 'text' })
  .get('/pipeline', () => 'ok')
  .get(
    '/json/:count',
    ({ params: { count }, query: { m } }) => ({
      items: items.slice(0, count).map(item => ({ ...item, total: item.price * item.quantity * m })),
      count,
    }),
    {
      params: t.Object({ count: t.Integer({ minimum: 0, maximum: items.length }) }),
      query: t.Object({ m: t.Integer() }),
      mapResponse: compressed,
    },
  )
  .post(
    '/upload',
    async ({ request }) => {
      let bytes = 0
      for await (const piece of request.body) bytes += piece.byteLength
      return String(bytes)
    },
    { parse: 'none' },
  )
  .listen({ port: Number(process.argv[2]), hostname: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
