// Elysia on Bun as its own first page shows it.
import { Elysia } from 'elysia'

new Elysia()
  .get('/', () => ({ message: 'Hello High Concurrency API' }))
  .listen({ port: Number(process.argv[2]), hostname: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
