// The same by hand on node:http: responses in a set, written to in turn.
import { createServer } from 'node:http'

const clients = new Set()

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://a')
  if (url.pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.write('event: tick\ndata: {"n":0,"at":0}\nid: 0\n\n')
    clients.add(response)
    response.on('close', () => clients.delete(response))
  } else if (url.pathname === '/broadcast') {
    const n = Number(url.searchParams.get('n'))
    const text = `event: tick\ndata: ${JSON.stringify({ n, at: performance.now() })}\nid: ${n}\n\n`
    for (const client of clients) client.write(text)
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ sent: n }))
  } else response.setHeader('content-type', 'application/json').end('{"ok":true}')
})
server.listen(Number(process.argv[2]), '127.0.0.1')
process.on('SIGTERM', () => {
  for (const client of clients) client.end()
  server.close(() => process.exit(0))
})
