// How do I answer a request?
import { App } from 'millrace'

const app = new App({ title: 'Hello', version: '1.0.0' })

// A returned value is the answer, as JSON.
app.get('/', async () => ({ message: 'Hello High Concurrency API' }))

// A name in braces is one segment of the path. Without a schema it is a string.
app.get('/hello/{name}', ({ params }) => ({ message: `Hello ${params.name}` }))

export default app
