import { App, file, stream, text } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Responses', version: '1.0.0' })

// Not JSON: text() and bytes() send what they are given, with its length.
app.get('/robots.txt', () => text('User-agent: *\nDisallow: /admin\n'))

// Pieces as they are made. The client is never sent more than it takes; when it goes away, the `finally` runs.
async function* numbers(upTo: number) {
  let sum = 0
  try {
    for (let n = 1; n <= upTo; n++) {
      sum += n
      yield `${n}\n`
    }
    yield `sum ${sum}\n`
  } finally {
    // Give back here what the pieces come from.
  }
}

app.get('/numbers', { query: z.object({ upTo: z.int().max(1000) }) }, ({ query }) =>
  stream(numbers(query.upTo), { type: 'text/plain; charset=utf-8' }),
)

// A file from a folder that the client cannot leave.
const folder = new URL('./files/', import.meta.url)
app.get('/files/{name}', ({ params }) => file(params.name, { root: folder, cacheControl: 'public, max-age=300' }))
app.get('/files/{name}/download', ({ params }) => file(params.name, { root: folder, download: true }))

// What the page will need, while it is being made.
app.get('/page', async ({ earlyHints }) => {
  earlyHints({ link: ['</app.css>; rel=preload; as=style', '</app.js>; rel=preload; as=script'] })
  return text('<!doctype html><link rel="stylesheet" href="/app.css">', { type: 'text/html; charset=utf-8' })
})

// Bodies may come compressed, and become at most ten times as long.
app.post(
  '/notes',
  { body: z.object({ note: z.string() }), decompress: { codings: ['br', 'gzip'] } },
  ({ body }) => body.note.length,
)

export default app
