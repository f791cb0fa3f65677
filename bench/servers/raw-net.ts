// The reference for what sockets cost in Node: finds the ends of requests, understands nothing, answers a constant.
import { createServer } from 'node:net'

const body = '{"message":"Hello High Concurrency API"}'
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\ndate: ${new Date().toUTCString()}\r\n\r\n${body}`,
)

const server = createServer({ noDelay: true }, socket => {
  let rest = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1').on('data', (text: string) => {
    const heads = (rest + text).split('\r\n\r\n')
    rest = heads.pop()!
    for (const _ of heads) socket.write(answer)
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())
