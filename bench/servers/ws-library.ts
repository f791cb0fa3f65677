// The library ws on node:http, by hand: what the frames cost where nothing is validated, waited for or kept account of.
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'

interface Socket {
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this
  on(event: 'error', listener: () => void): this
  send(data: Buffer, options: { binary: boolean }): void
}
interface Library {
  readonly WebSocketServer: new (options: object) => {
    handleUpgrade(request: object, socket: Duplex, head: Buffer, opened: (ws: Socket) => void): void
  }
}

// It has no types of its own, and this is all that is used.
const name = 'ws'
const { WebSocketServer } = (await import(name)) as Library

const sockets = new WebSocketServer({ noServer: true, clientTracking: false })
const server = createServer((_request, response) => response.end('ready'))
server.on('upgrade', (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, ws => {
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }))
    ws.on('error', () => {})
  }),
)
server.listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())
