// How does an application grow beyond one file?
import { App, dependency, fail, type Middleware, Router } from 'millrace'
import { compress, cors, requestId } from 'millrace/middleware'
import * as z from 'zod'

// Middleware runs around what is inside it. `next()` always gives an answer: errors have become one.
const noStore: Middleware = async (_context, next) => {
  const answer = await next()
  answer.headers.set('cache-control', 'no-store')
}

const admin = dependency({ headers: z.object({ 'x-api-key': z.string() }) }, ({ headers }) => {
  if (headers['x-api-key'] !== 'secret') fail(403, 'Wrong key')
})

// A router gives its routes a prefix, dependencies, middleware and tags. It would live in its own file.
const reports = new Router({ prefix: '/reports', tags: ['reports'], uses: { admin }, use: [noStore] })
reports.get('/daily', () => ({ visits: 31 }))
reports.get('/{year}', { params: z.object({ year: z.int() }) }, ({ params }) => ({ year: params.year, visits: 12_000 }))

const app = new App({ title: 'Routers', version: '1.0.0' })
app.use(requestId(), cors({ origins: ['https://shop.example'] }), compress())
app.include(reports, { prefix: '/v1' })

app.get('/words', () => ({ words: Array.from({ length: 1000 }, (_, n) => `word${n % 7}`) }))

export default app
