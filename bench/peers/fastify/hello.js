// Fastify as its own first page shows it: shipped defaults, no logger.
import Fastify from 'fastify'

const app = Fastify()
app.get('/', async () => ({ message: 'Hello High Concurrency API' }))
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.once('SIGTERM', () => process.exit())
