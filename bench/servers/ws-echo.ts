// What an application writes for the bench `ws`: text comes back as it came. GET /ready says that it is up.
import { App } from 'millrace'

const app = new App({ title: 'Echo', version: '1.0.0' })

app.get('/ready', () => 'ready')

app.ws('/ws', { messages: 'mixed' }, async ({ socket }) => {
  for await (const message of socket) await socket.send(message)
})

export default app
