// Opens WebSockets and holds them; sends one message at a time on each, for a while; waits for all of them to be closed. Frames are written
// as bytes that never change and read by their length, so that it is the server that is measured.
import { connect, type Socket } from 'node:net'

export type WebSocketLoad =
  | { readonly kind: 'open'; readonly port: number; readonly connections: number }
  | { readonly kind: 'echo'; readonly seconds: number }
  | { readonly kind: 'closed'; readonly withinMs: number }

export interface Opened {
  readonly opened: number
}
export interface Echoed {
  readonly messages: number
  readonly p50Ms: number
  readonly p99Ms: number
}
export interface Closed {
  /** Close frames by their code; 0: the connection ended without one. */
  readonly byCode: Readonly<Record<number, number>>
  /** From the first to the last end of a connection. */
  readonly spreadMs: number
}

/** Opened at a time: a backlog holds them, and no handshake is lost. */
const AT_ONCE = 200

const MASK = Buffer.from([1, 2, 3, 4])

function frame(opcode: number, payload: Buffer): Buffer {
  const masked = payload.map((byte, n) => byte ^ MASK[n % 4]!)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), MASK, masked])
}

const HELLO = frame(1, Buffer.from('hello'))
/** As it comes back. */
const ECHO_BYTES = 7

class Client {
  readonly #socket: Socket
  #rest = Buffer.alloc(0)
  /** Called for each echo. */
  echoed: (() => void) | undefined
  sentMs = 0
  closeCode = 0
  endedMs = 0
  readonly ended: Promise<void>

  constructor(socket: Socket) {
    this.#socket = socket
    this.ended = new Promise(resolve =>
      socket.once('close', () => {
        this.endedMs = performance.now()
        resolve()
      }),
    )
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('data', (piece: Buffer) => this.#read(piece))
  }

  say(): void {
    this.sentMs = performance.now()
    this.#socket.write(HELLO)
  }

  #read(piece: Buffer): void {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]!) {
      const opcode = bytes[0]! & 15
      const payload = bytes.subarray(2, 2 + bytes[1]!)
      if (opcode === 1 && 2 + payload.length === ECHO_BYTES) this.echoed?.()
      if (opcode === 9) this.#socket.write(frame(10, payload))
      if (opcode === 8) {
        this.closeCode = payload.readUInt16BE(0)
        this.#socket.write(frame(8, payload.subarray(0, 2)))
      }
      bytes = bytes.subarray(2 + bytes[1]!)
    }
    this.#rest = Buffer.from(bytes)
  }
}

const clients: Client[] = []

async function open(port: number, connections: number): Promise<Opened> {
  let next = clients.length
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < connections) {
        next++
        clients.push(await shakeHands(port))
      }
    }),
  )
  return { opened: clients.length }
}

function shakeHands(port: number): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let head = ''
  const read = (piece: Buffer) => {
    head += piece.toString('latin1')
    if (!head.includes('\r\n\r\n')) return
    if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`refused: ${head.slice(0, 40)}`))
    socket.off('data', read).off('error', reject)
    resolve(new Client(socket))
  }
  socket.on('data', read).once('error', reject)
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  return promise
}

async function echo(seconds: number): Promise<Echoed> {
  const untilMs = performance.now() + seconds * 1000
  let messages = 0
  const latencies: number[] = []
  await Promise.all(
    clients.map(
      client =>
        new Promise<void>(resolve => {
          client.echoed = () => {
            const nowMs = performance.now()
            messages++
            if (messages % 16 === 0) latencies.push(nowMs - client.sentMs)
            if (nowMs < untilMs) return client.say()
            client.echoed = undefined
            resolve()
          }
          client.say()
        }),
    ),
  )
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0
  return { messages, p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function closed(withinMs: number): Promise<Closed> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise(resolve => (timer = setTimeout(resolve, withinMs)))
  await Promise.race([Promise.all(clients.map(client => client.ended)), late])
  clearTimeout(timer)
  const byCode: Record<number, number> = {}
  for (const { closeCode, endedMs } of clients) if (endedMs > 0) byCode[closeCode] = (byCode[closeCode] ?? 0) + 1
  const ends = clients.flatMap(({ endedMs }) => (endedMs > 0 ? [endedMs] : []))
  return { byCode, spreadMs: Math.max(...ends) - Math.min(...ends) }
}

process.on('message', (load: WebSocketLoad) => {
  const done =
    load.kind === 'open'
      ? open(load.port, load.connections)
      : load.kind === 'echo'
        ? echo(load.seconds)
        : closed(load.withinMs)
  void done.then(report => process.send!(report))
})
process.on('disconnect', () => process.exit())
