// Opens keep-alive connections, makes one request on each, and holds them all until it is stopped.
import { connect, type Socket } from 'node:net'

export interface IdleLoad {
  readonly port: number
  readonly connections: number
}

export interface IdleReport {
  readonly held: number
}

/** Opened at a time: a backlog holds them, and no handshake is lost. */
const AT_ONCE = 200

process.on('message', message => {
  void hold(message as IdleLoad).then(report => process.send!(report))
})
process.on('disconnect', () => process.exit())

async function hold({ port, connections }: IdleLoad): Promise<IdleReport> {
  let held = 0
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < connections) {
        next++
        await open(port)
        held++
      }
    }),
  )
  return { held }
}

/** @throws Error when the connection ends, before its answer or while it is held: the figure would be of fewer */
function open(port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let text = ''
  const read = (piece: Buffer) => {
    text += piece.toString('latin1')
    if (!text.includes('\r\n\r\n') || !text.endsWith('}')) return
    socket.off('data', read).resume()
    resolve(socket)
  }
  socket.on('data', read).on('error', reject)
  socket.on('close', () => {
    reject(new Error('a connection was closed before its answer'))
    process.exitCode = 1
    process.disconnect!()
  })
  socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  return promise
}
