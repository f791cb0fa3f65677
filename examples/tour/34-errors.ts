// How do I answer with errors of my own?
import { App, fail, HttpError, type Middleware } from 'millrace'
import * as z from 'zod'

class OutOfStock extends Error {
  readonly left: number

  constructor(left: number) {
    super(`only ${left} left`)
    this.left = left
  }
}

// In one place for all routes: `next()` has made an answer of whatever was thrown, and `error` is what it was.
const outOfStock: Middleware = async (_context, next) => {
  const { error } = await next()
  if (error instanceof OutOfStock) return Response.json({ title: 'Out of stock', left: error.left }, { status: 409 })
}

// By status, requests that no route takes included.
const notFound: Middleware = async (context, next) => {
  const { status } = await next()
  if (status === 404)
    return Response.json({ title: 'Nothing here', path: new URL(context.request.url).pathname }, { status })
}

const app = new App({ title: 'Errors', version: '1.0.0', use: [outOfStock, notFound] })

const params = z.object({ id: z.int().positive() })

app.get('/items/{id}', { params }, ({ params }) => {
  if (params.id === 2) fail(410, 'It was withdrawn')
  if (params.id === 3) throw new HttpError(401, 'Log in first', { headers: { 'www-authenticate': 'Bearer' } })
  if (params.id > 3) fail(404)
  return { id: params.id }
})

app.post('/items/{id}/buy', { params }, () => {
  throw new OutOfStock(2)
})

// Anything else is a 500 that says nothing; the log has the error, with the frames that are yours.
app.get('/broken', () => {
  throw new Error('the password of the database is hunter2')
})

export default app
