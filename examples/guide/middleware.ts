import { App, type Middleware, Router } from 'millrace'
import { bodyLimit, compress, conditional, cors, requestId, requestIdOf, secureHeaders } from 'millrace/middleware'

// Around everything inside it. `next()` gives the answer, errors included: change it in place, return another, or do not call it.
const timing: Middleware = async (_context, next) => {
  const startedMs = performance.now()
  const answer = await next()
  answer.headers.set('server-timing', `app;dur=${(performance.now() - startedMs).toFixed(1)}`)
}

// Noted fields are on every line that is logged for the request.
const tenant: Middleware = (context, next) => {
  const name = context.headers.get('x-tenant')
  if (name === undefined) return Response.json({ title: 'Say which tenant' }, { status: 400 })
  context.note({ tenant: name })
  return next()
}

const app = new App({ title: 'Middleware', version: '1.0.0' })
app.use(requestId(), cors({ origins: ['https://shop.example'] }), compress(), conditional())

// What is under the prefix of a router goes through its middleware, whether a route takes it or not.
const reports = new Router({ prefix: '/reports', use: [tenant, bodyLimit(10_000)] })
reports.get('/daily', context => ({ visits: 31, request: typeof requestIdOf(context) }))
app.include(reports)

app.get('/slow', { use: [timing, secureHeaders()] }, () => ({ done: true }))
app.get('/plain', () => ({ plain: true }))

export default app
