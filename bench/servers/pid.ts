// Which process answers.
import { App } from 'millrace'

const app = new App({ title: 'Pid', version: '1.0.0' })
app.get('/', async () => ({ pid: process.pid }))

export default app
