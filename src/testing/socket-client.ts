// A WebSocket to an app over a connection in memory, by the client of `ws`: the handshake, the frames and the closing are real.
import type { Duplex } from 'node:stream'
import type { Input } from '../app/call.ts'
import type { Shape } from '../app/route.ts'
import { SocketClosedError } from '../app/websocket/message-socket.ts'
import type { MessageKind, SocketClosing, SocketShape } from '../app/websocket/socket-route.ts'
import { loadWs } from '../app/websocket/ws-library.ts'
import type { In } from '../schema/schema.ts'

export interface SocketOptions {
  /** Offered, in the order of liking. */
  readonly subprotocols?: readonly string[]
  /** As a browser would send it; default none. */
  readonly origin?: string
  /** What messages are, where a path says nothing about it. Default json. */
  readonly messages?: MessageKind
}

/** The client's end. W: what it says; R: what it hears. Messages are as they stand on the wire: JSON is parsed, and no more. */
export interface SocketClient<W, R> extends AsyncIterable<R>, AsyncDisposable {
  send(message: W): void
  /** Text or bytes as they are, whatever the route takes. */
  sendRaw(data: string | Uint8Array): void
  /** The next message. @throws SocketClosedError (rejected) when there will be none */
  receive(): Promise<R>
  /** The close handshake. @returns when the connection is gone */
  close(code?: number, reason?: string): Promise<SocketClosing>
  /** Cuts the connection. */
  terminate(): void
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<SocketClosing>
  readonly protocol: string
}

/** The handshake was answered otherwise. */
export class SocketRefusedError extends Error {
  readonly status: number
  /** Parsed where it is JSON. */
  readonly body: unknown
  readonly headers: Headers

  constructor(status: number, body: unknown, headers: Headers) {
    super(`the WebSocket was refused with ${status}`)
    this.name = 'SocketRefusedError'
    this.status = status
    this.body = body
    this.headers = headers
  }
}

export type AnySocketShape = SocketShape<any, any, any, any, any, any, any, any>
export type SocketInput<P, S extends AnySocketShape> = Omit<
  Input<
    P,
    Shape<S['params'], S['query'], undefined, undefined, S['headers'], S['cookies'], undefined, {}, unknown, never>
  >,
  'signal' | 'timeout'
> &
  SocketOptions

interface Kinds {
  json: unknown
  text: string
  binary: Uint8Array
  mixed: string | Uint8Array
}
type OnWire<M, K> = M extends undefined ? Kinds[K & MessageKind] : M extends null ? never : In<M>
export type SocketSays<S extends AnySocketShape> = OnWire<S['receives'], S['messages']>
/** A text of ours may also be the problem document of `onInvalid: 'tell'`; look for `status` in it then. */
export type SocketHears<S extends AnySocketShape> = OnWire<S['sends'], S['messages']>

// Nothing else holds the process while a test waits for a message.
const LONG_MS = 60_000

export async function openSocket(
  connection: Duplex,
  path: string,
  headers: Headers,
  kind: MessageKind,
  { subprotocols = [], origin }: SocketOptions,
): Promise<SocketClient<unknown, unknown>> {
  const { WebSocket } = await loadWs()
  if (origin !== undefined) headers.set('origin', origin)
  const ws = new WebSocket(`ws://testserver${path}`, subprotocols, {
    createConnection: () => connection,
    headers: Object.fromEntries(headers),
    perMessageDeflate: false,
  })
  const awake = setInterval(() => {}, LONG_MS)
  const arrived: unknown[] = []
  const waiting: { resolve: (message: IteratorResult<unknown, undefined>) => void }[] = []
  let closing: SocketClosing | undefined
  const closed = Promise.withResolvers<SocketClosing>()
  ws.on('message', (data, isBinary) => {
    const message: unknown = isBinary
      ? new Uint8Array(data)
      : kind === 'json'
        ? JSON.parse(data.toString())
        : data.toString()
    const first = waiting.shift()
    if (first) first.resolve({ done: false, value: message })
    else arrived.push(message)
  })
  ws.on('close', (code, reason) => {
    clearInterval(awake)
    closing = { code, reason: reason.toString() }
    for (const each of waiting.splice(0)) each.resolve({ done: true, value: undefined })
    closed.resolve(closing)
  })
  const next = (): Promise<IteratorResult<unknown, undefined>> => {
    if (arrived.length > 0) return Promise.resolve({ done: false, value: arrived.shift() })
    if (closing) return Promise.resolve({ done: true, value: undefined })
    return new Promise(resolve => waiting.push({ resolve }))
  }
  const opened = Promise.withResolvers<void>()
  ws.on('open', () => opened.resolve())
  ws.on('error', error => opened.reject(error))
  ws.on('unexpected-response', (request, response) => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('end', () => {
      clearInterval(awake)
      request.destroy()
      opened.reject(refused(response.statusCode!, Buffer.concat(pieces).toString(), response.rawHeaders))
    })
  })
  await opened.promise
  const sendRaw = (data: string | Uint8Array) => ws.send(data, { binary: typeof data !== 'string' })
  const close = (code = 1000, reason = '') => {
    ws.close(code, reason)
    return closed.promise
  }
  return {
    send: message => sendRaw(kind === 'json' ? JSON.stringify(message) : (message as string | Uint8Array)),
    sendRaw,
    async receive() {
      const { done, value } = await next()
      if (done) throw new SocketClosedError(closing!)
      return value
    },
    close,
    terminate: () => ws.terminate(),
    closed: closed.promise,
    protocol: ws.protocol,
    [Symbol.asyncIterator]: () => ({ next }),
    [Symbol.asyncDispose]: async () => void (await close()),
  }
}

function refused(status: number, body: string, raw: readonly string[]): SocketRefusedError {
  const headers = new Headers()
  for (let n = 0; n + 1 < raw.length; n += 2) headers.append(raw[n]!, raw[n + 1]!)
  const isJson = /[/+]json\b/.test(headers.get('content-type') ?? '')
  return new SocketRefusedError(status, isJson ? JSON.parse(body) : body, headers)
}
