// Node's own server, routed by hand, with the least that answers correctly.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  if (request.method !== 'GET' || request.url !== '/') {
    response.writeHead(404).end()
    return
  }
  const body = JSON.stringify({ message: 'Hello High Concurrency API' })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
// Only where idle connections are counted; Node's own is 5 s.
if (process.env.KEEP_ALIVE_MS) server.keepAliveTimeout = Number(process.env.KEEP_ALIVE_MS)
server.listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())
