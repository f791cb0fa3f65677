import { App, fail, HttpError, type Middleware } from 'millrace'
import * as z from 'zod'

class OutOfStock extends Error {
  readonly left: number

  constructor(left: number) {
    super(`only ${left} left`)
    this.left = left
  }
}

// Translates an error of the application's own in one place. `next()` has made an answer of it already; `error` is what was thrown.
const outOfStock: Middleware = async (_context, next) => {
  const { error } = await next()
  if (error instanceof OutOfStock) return Response.json({ title: 'Out of stock', left: error.left }, { status: 409 })
}

const app = new App({ title: 'Errors', version: '1.0.0' })
app.use(outOfStock)

const params = z.object({ id: z.int() })

app.get('/items/{id}', { params }, ({ params }) => {
  if (params.id > 9) fail(404, 'No such item')
  if (params.id > 8) throw new HttpError(401, 'Log in first', { headers: { 'www-authenticate': 'Bearer' } })
  if (params.id > 7) throw new Error('the password of the database is hunter2')
  return { id: params.id }
})

app.post('/items/{id}/buy', { params }, () => {
  throw new OutOfStock(2)
})

export default app
