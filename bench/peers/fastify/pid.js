// Which process answers: Fastify under node:cluster, a dead worker forked again, as Node's own documentation has it.
import cluster from 'node:cluster'
import Fastify from 'fastify'

const [port, workers] = process.argv.slice(2).map(Number)

if (cluster.isPrimary) {
  for (let n = 0; n < workers; n++) cluster.fork()
  cluster.on('exit', () => cluster.fork())
  process.once('SIGTERM', () => {
    cluster.removeAllListeners('exit')
    for (const worker of Object.values(cluster.workers)) worker.kill()
    process.exit()
  })
} else {
  const app = Fastify()
  app.get('/', async () => ({ pid: process.pid }))
  await app.listen({ port, host: '127.0.0.1' })
}
