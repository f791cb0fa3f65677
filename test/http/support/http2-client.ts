// A client of node:http2 on a connection to an engine, and one that speaks bare frames, for what no well-behaved client does.
import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import net from 'node:net'
import { acceptHttp2 } from '../../../src/http/accept-http2.ts'
import type { Engine } from '../../../src/http/engine.ts'

export interface Connected {
  readonly session: ClientHttp2Session
  close(): void
}

async function listen(engine: Engine): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, socket => acceptHttp2(engine, socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

export async function connect(engine: Engine, options: http2.ClientSessionOptions = {}): Promise<Connected> {
  const server = await listen(engine)
  const { port } = server.address() as net.AddressInfo
  const session = http2.connect(`http://127.0.0.1:${port}`, options)
  session.on('error', () => {})
  session.on('close', () => server.close())
  await once(session, 'connect')
  return { session, close: () => session.destroy() }
}

export interface StreamAnswer {
  readonly status: number
  readonly fields: http2.IncomingHttpHeaders
  readonly body: string
  readonly trailers: http2.IncomingHttpHeaders | undefined
  readonly interim: readonly http2.IncomingHttpHeaders[]
  /** Of the RST_STREAM that ended it; 0 for none. */
  readonly code: number
}

/** @param body  undefined: the request ends with its head */
export function ask(
  { session }: Connected,
  fields: OutgoingHttpHeaders = {},
  body?: string | Uint8Array,
): Promise<StreamAnswer> {
  const stream = session.request(
    { ':path': '/', ':authority': 'a', ':scheme': 'http', ...fields },
    { endStream: body === undefined },
  )
  if (body !== undefined) stream.end(body)
  return answerOf(stream)
}

/** Resolves when the stream has closed, however it did. */
export function answerOf(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  return new Promise(resolve => {
    let [status, body] = [0, '']
    let fields: http2.IncomingHttpHeaders = {}
    let trailers: http2.IncomingHttpHeaders | undefined
    const interim: http2.IncomingHttpHeaders[] = []
    stream.on('headers', found => interim.push(found))
    stream.on('response', found => {
      fields = found
      status = Number(found[':status'])
    })
    stream.on('trailers', found => (trailers = found))
    stream.on('data', (piece: Buffer) => (body += piece.toString('latin1')))
    stream.on('error', () => {})
    stream.on('close', () => resolve({ status, fields, body, trailers, interim, code: stream.rstCode }))
  })
}

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const
export const END_STREAM = 1
export const END_HEADERS = 4

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Literal fields without indexing (RFC 7541 §6.2.2), each name and value under 127 bytes. */
export function fieldBlock(...lines: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let n = 0; n < lines.length; n += 2) {
    const [name, value] = [Buffer.from(lines[n]!, 'latin1'), Buffer.from(lines[n + 1]!, 'latin1')]
    parts.push(Buffer.from([0, name.length]), name, Buffer.from([value.length]), value)
  }
  return Buffer.concat(parts)
}

export function request(stream: number, flags: number, ...more: readonly string[]): Buffer {
  const head = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a']
  return frame(FRAME.headers, flags | END_HEADERS, stream, fieldBlock(...head, ...more))
}

export class FrameClient {
  readonly socket: net.Socket
  readonly frames: Frame[] = []
  hasClosed = false
  #rest: Buffer = Buffer.alloc(0)
  readonly #wakers: (() => void)[] = []

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.hasClosed = true
      this.#wake()
    })
  }

  /** The preface and empty settings have been sent. */
  static async open(engine: Engine): Promise<FrameClient> {
    const server = await listen(engine)
    const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    socket.on('close', () => server.close())
    await once(socket, 'connect')
    const client = new FrameClient(socket)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(frame(FRAME.settings, 0, 0))
    return client
  }

  send(...frames: readonly Buffer[]): this {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames))
    return this
  }

  /** The first frame that is so, now or later. @throws when the connection closes without one */
  async sees(isIt: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(isIt)
      if (found) return found
      if (this.hasClosed)
        throw new Error(`closed without it; saw ${JSON.stringify(this.frames.map(({ type }) => type))}`)
      await new Promise<void>(resolve => this.#wakers.push(resolve))
    }
  }

  async closed(): Promise<void> {
    while (!this.hasClosed) await new Promise<void>(resolve => this.#wakers.push(resolve))
  }

  destroy(): void {
    this.socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) break
      this.frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: this.#rest.subarray(9, 9 + length),
      })
      this.#rest = this.#rest.subarray(9 + length)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}
