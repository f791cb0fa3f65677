import { App } from 'millrace'

const app = new App({ title: 'Squares', version: '1.0.0' })

// A plain JSON Schema works as it is, and its type is inferred.
app.get(
  '/squares/{n}',
  { params: { type: 'object', properties: { n: { type: 'integer', maximum: 1000 } }, required: ['n'] } },
  ({ params }) => ({ square: params.n ** 2 }),
)

export default app
