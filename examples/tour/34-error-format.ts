// How do all errors get the form that my clients know?
import { App, fail, type Middleware, ValidationError } from 'millrace'
import * as z from 'zod'

// One middleware of the app sees every answer: of routes, of inputs that are not valid, of paths that are not there. What it leaves alone
// stays: the status, and fields such as Allow, Retry-After and WWW-Authenticate.
const envelope: Middleware = async (_context, next) => {
  const answer = await next()
  if (answer.status < 400) return
  const { error } = answer
  const body =
    error instanceof ValidationError
      ? {
          code: 'INVALID',
          fields: error.issues.map(({ loc, msg }) => ({ field: loc.slice(1).join('.'), message: msg })),
        }
      : { code: `HTTP_${answer.status}` }
  answer.headers.set('content-type', 'application/json')
  answer.body = JSON.stringify({ error: body })
}

// The document cannot know what a middleware does. Declared for the app, the form is in the answers of every route.
const Envelope = z.object({
  error: z.object({
    code: z.string(),
    fields: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  }),
})
const returns = { 400: Envelope, 404: Envelope, 422: Envelope }

const app = new App({ title: 'Error format', version: '1.0.0', use: [envelope], returns })

app.get('/items/{id}', { params: z.object({ id: z.int().positive() }) }, ({ params }) => {
  if (params.id > 9) fail(404, 'No such item')
  return { id: params.id }
})

app.post('/items', { body: z.object({ name: z.string().min(2), price: z.number().positive() }) }, ({ body }) => body)

// For clients that speak FastAPI's form there is no middleware to write: new App({ errorFormat: 'fastapi' }).

export default app
