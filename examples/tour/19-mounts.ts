// How do I put other applications below a path?
import type { IncomingMessage, ServerResponse } from 'node:http'
import { App, dependency, fail } from 'millrace'

// An app of its own: docs, document, lifespan. It starts and drains with the one around it.
const reports = new App({
  title: 'Reports',
  version: '1.0.0',
  async *lifespan({ log }) {
    log.info('reports are ready')
    yield
  },
})
reports.route({ method: 'GET', path: '/daily', handler: () => ({ visits: 31 }) })

// Whatever answers a Request: Hono, another runtime's handler, a proxy made of fetch().
const pages = (request: Request) => new Response(`${request.method} ${new URL(request.url).pathname}\n`)

// What was there before: a listener of node:http, or an Express app.
const listener = (req: IncomingMessage, res: ServerResponse) => {
  res.setHeader('content-type', 'text/plain')
  res.end(`${req.url} was here first\n`)
}

const guard = dependency(({ request }) => {
  if (!request.headers.has('x-key')) fail(401, 'A key, please')
})

const app = new App({ title: 'Mounts', version: '1.0.0' })
app.mount('/reports', reports)
app.mount('/pages', pages)
// Guarded and bounded like a route.
app.mount('/old', { node: listener }, { uses: { guard }, timeout: '5s' })

// A route below a mount wins.
app.get('/pages/hello', () => 'from the app itself')

export default app
