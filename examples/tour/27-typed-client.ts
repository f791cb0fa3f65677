// How do I call an app from TypeScript?
import { App, fail } from 'millrace'
import { client } from 'millrace/client'
import * as z from 'zod'

const app = new App({ title: 'Typed client', version: '1.0.0' })

const Problem = z.object({ title: z.string() })
const params = z.object({ id: z.int().positive() })
const shelves = new Map([
  [7, 12],
  [8, 0],
])

// What is called. It would be an app of its own, in a module that exports its endpoints.
export const stock = app.get(
  '/stock/{id}',
  { params, returns: { 200: z.object({ left: z.int() }), 404: Problem } },
  of => {
    const left = shelves.get(of.params.id)
    return left === undefined ? of.reply(404, { title: 'Nothing of that kind' }) : { left }
  },
)

// Types are all that it takes (`typeof endpoints` of an `import type * as endpoints`), and the URL. This one is answered in this process.
const { get } = client<{ stock: typeof stock }>('http://warehouse', { timeout: '2s', fetch: app.fetch })

app.get(
  '/offers/{id}',
  { params, returns: { 200: z.object({ text: z.string() }), 404: Problem } },
  async ({ params, signal, reply }) => {
    // Busy and lost answers are tried again, within the two seconds; `signal` gives up with whoever asked us.
    const answer = await get('/stock/{id}', { params, signal })
    // `status` narrows `body`: what the route declares, then the problems that any route may answer with.
    if (answer.status === 200) return { text: answer.body.left > 0 ? `${answer.body.left} left` : 'sold out' }
    if (answer.status === 404) return reply(404, answer.body)
    return fail(502, `The warehouse says: ${answer.body.title}`)
  },
)

export default app
