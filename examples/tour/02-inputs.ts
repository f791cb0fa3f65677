// How do I read what a client sends?
import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Inputs', version: '1.0.0' })

// Path, query, headers and cookies arrive as text; the schema's type says what they become.
app.get('/books/{id}', { params: z.object({ id: z.int().positive() }) }, ({ params }) => ({
  id: params.id,
  next: params.id + 1,
}))

app.get(
  '/books',
  {
    query: z.object({
      q: z.string().min(2),
      page: z.int().min(1).default(1),
      tag: z.array(z.string()).default([]),
    }),
  },
  ({ query }) => query,
)

// A JSON body. All that is wrong, in every place, is told in one answer.
app.post(
  '/books',
  {
    body: z.object({ title: z.string().min(1), pages: z.int().positive(), published: z.date() }),
    headers: z.object({ 'x-editor': z.string() }),
  },
  ({ body, headers }) => ({
    title: body.title,
    year: body.published.getUTCFullYear(),
    editor: headers['x-editor'],
  }),
)

export default app
