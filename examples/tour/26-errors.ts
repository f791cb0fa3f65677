// How do I say in my own words what went wrong?
import { App, fail, HttpError, type Middleware } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Errors', version: '1.0.0' })

class OutOfStock extends Error {
  readonly left: number

  constructor(left: number) {
    super(`only ${left} left`)
    this.left = left
  }
}

// One place for what the rest of the application throws: `error` is what was thrown, the answer is still to be changed.
const shopErrors: Middleware = async (_context, next) => {
  const { error } = await next()
  if (error instanceof OutOfStock) return Response.json({ title: 'Out of stock', left: error.left }, { status: 409 })
}
app.use(shopErrors)

const Problem = z.object({ title: z.string(), left: z.int().optional() })

const Account = z
  .object({
    name: z.string({ error: 'A name, please' }).min(2, 'Two letters at least'),
    password: z.string().min(12).meta({ secret: true }),
    repeated: z.string().meta({ secret: true }),
  })
  .refine(one => one.password === one.repeated, { error: 'The passwords differ', path: ['repeated'] })

// The schema's own messages are told, and never what is secret.
app.post('/accounts', { body: Account, returns: { 201: z.object({ name: z.string() }) } }, ({ body }) => ({
  name: body.name,
}))

app.get(
  '/items/{id}',
  { params: z.object({ id: z.int() }), returns: { 200: z.object({ id: z.int() }), 404: Problem, 409: Problem } },
  ({ params: { id }, reply }) => {
    if (id > 9) return reply(404, { title: 'No such item' }) // declared, so the compiler checks it
    if (id > 8) fail(403, 'Not for you') // thrown: a problem document
    if (id > 7) throw new HttpError(401, 'Log in first', { headers: { 'www-authenticate': 'Bearer' } })
    if (id > 6) throw new OutOfStock(2)
    if (id > 5) throw new Error('a secret that no client sees')
    return { id }
  },
)

export default app
