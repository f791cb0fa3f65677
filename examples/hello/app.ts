import { App } from 'millrace'

const app = new App({ title: 'Hello', version: '1.0.0' })

app.get('/', async () => ({ message: 'Hello High Concurrency API' }))

export default app
