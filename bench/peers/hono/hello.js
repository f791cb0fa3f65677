// Hono on its node-server as its own first page shows it.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const app = new Hono()
app.get('/', c => c.json({ message: 'Hello High Concurrency API' }))
serve({ fetch: app.fetch, port: Number(process.argv[2]), hostname: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
