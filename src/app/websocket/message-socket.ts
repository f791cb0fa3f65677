// One open WebSocket as its handler holds it: typed messages in order, back-pressure both ways, and one end.
//
// The life of a socket
//
//   open      messages are read ahead of the handler, up to READ_AHEAD; then its connection is not read until the handler takes them
//   closing   a close frame has gone out or has come in. What was read before a client's own close, or before the server went away, is
//             still handed out; then iteration ends. Nothing is sent any more.
//   closed    the connection is gone, and with it the last reference to this.
//
// Timers: none here. It is looked at once a second, with the app's other streams.
import type { Duplex } from 'node:stream'
import { MillraceError } from '../../core/error.ts'
import type { TakenConnection } from '../../http/exchange.ts'
import { type DirectWriter, directWriter } from '../../http/lean-socket.ts'
import { InvalidMessage, type MessageCodec, type Sent } from './message-codec.ts'
import type { PublishOptions, Socket, SocketClosing, SocketRules } from './socket-route.ts'
import { frameOf } from './frame.ts'
import { type SocketEvents, wire } from './ws-events.ts'
import type { WsSocket } from './ws-library.ts'

/** Messages, and bytes, that are read ahead of the handler. 16: as many as pipelined requests are served in one turn. */
const READ_AHEAD = 16
const READ_AHEAD_BYTES = 65_536
// 64 KiB: what a stream of Node's holds before it asks its writer to wait.
const HIGH_WATER_BYTES = 65_536
/** RFC 6455 §5.5: a control frame has at most 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123

/** What all sockets of one mounted route share. */
export interface SocketRoute {
  readonly name: string
  readonly rules: SocketRules
  readonly codec: MessageCodec
  /** What `onInvalid: 'tell'` answers with. */
  tell(invalid: InvalidMessage): string
  join(socket: MessageSocket, room: string): void
  leave(socket: MessageSocket, room: string): void
  publish(room: string, message: unknown, options?: PublishOptions): void
  /** A message of ours that the route does not declare. */
  misfit(error: unknown): void
}

/** The socket is closed, or closing: reason of `signal`, and what `send` rejects with. */
export class SocketClosedError extends MillraceError {
  readonly closing: SocketClosing

  constructor(closing: SocketClosing) {
    const reason = closing.reason === '' ? '' : `: ${closing.reason}`
    super('APP_SOCKET_CLOSED', `the WebSocket is closed (${closing.code}${reason})`)
    this.closing = closing
  }
}

interface Arrived {
  readonly data: Buffer
  readonly isBinary: boolean
}
type Next = IteratorResult<unknown, undefined>
/** Takes a result, or the promise of one, for who waits for it. */
type Waiter = (next: Next | Promise<Next>) => void

const OPEN = 1
const TAKEN = Promise.resolve()
const TEXT = { binary: false }
const BYTES = { binary: true }

export class MessageSocket implements Socket<any, any>, SocketEvents {
  closed: SocketClosing | undefined = undefined
  /** The rooms it is in. */
  rooms: Set<string> | undefined = undefined
  readonly #ws: WsSocket
  readonly #route: SocketRoute
  readonly #connection: TakenConnection
  readonly #direct: DirectWriter | undefined
  /** What is sent goes through the library's compression, in its order. */
  readonly #isCompressed: boolean
  // Most sockets are idle, and wait in one place: what only others need is made when it is needed (bench ws).
  #arrived: Arrived[] | undefined = undefined
  #arrivedBytes = 0
  #waiter: Waiter | undefined = undefined
  /** Behind the first, in order. */
  #otherWaiters: Waiter[] | undefined = undefined
  #isPaused = false
  #isGone = false
  #error: SocketClosedError | undefined = undefined
  #whenGone: PromiseWithResolvers<void> | undefined = undefined
  /** What an error of the library says about the end, before its close event does. */
  #failure: SocketClosing | undefined = undefined

  // Looked at once a second
  #heardMs = performance.now()
  #spokeMs = this.#heardMs
  /** 0: nothing is asked. */
  #pingedMs = 0
  #wasHeard = false
  #hasSpoken = false
  #bytesRead = 0
  #bytesTaken = 0
  /** Since the last look. */
  #messages = 0

  constructor(ws: WsSocket, route: SocketRoute, connection: TakenConnection) {
    this.#ws = ws
    this.#route = route
    this.#connection = connection
    this.#isCompressed = ws.extensions !== ''
    this.#direct = this.#isCompressed ? undefined : directWriter(connection.socket)
    // Those that came together are not asked together.
    this.#heardMs -= Math.random() * (route.rules.pingMs / 4)
    wire(ws, this)
  }

  get protocol(): string {
    return this.#ws.protocol
  }

  get bufferedBytes(): number {
    return this.#isGone ? 0 : this.#ws.bufferedAmount + (this.#direct?.pendingBytes ?? 0)
  }

  // Receiving

  receive(): Promise<any> {
    return this.next().then(valueOf)
  }

  [Symbol.asyncIterator](): AsyncIterator<any> {
    return new Messages(this)
  }

  /** For an iteration. It rejects with what a schema's own code throws. */
  next(isFirst = false): Promise<Next> {
    try {
      for (let arrived = this.#take(); arrived !== undefined; arrived = this.#take()) {
        const next = this.#read(arrived)
        if (next !== undefined) return Promise.resolve(next)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.closed) return Promise.resolve(ended())
    return new Promise(resolve => (isFirst ? this.#waitFirst(resolve) : this.#wait(resolve)))
  }

  /** @returns undefined for a message that has been refused */
  #read({ data, isBinary }: Arrived): Next | Promise<Next> | undefined {
    const decoded = this.#route.codec.decode(data, isBinary)
    return decoded instanceof Promise
      ? decoded.then(value => this.#taken(value) ?? this.next(true))
      : this.#taken(decoded)
  }

  #taken(value: unknown): Next | undefined {
    if (!(value instanceof InvalidMessage)) return { done: false, value }
    this.#refuse(value)
    return undefined
  }

  #take(): Arrived | undefined {
    const first = this.#arrived?.shift()
    if (first === undefined) return undefined
    this.#arrivedBytes -= first.data.length
    if (this.#arrived!.length > 0) return first
    this.#arrived = undefined
    if (this.#isPaused) this.#resume()
    return first
  }

  #wait(waiter: Waiter): void {
    if (this.#waiter === undefined) this.#waiter = waiter
    else (this.#otherWaiters ??= []).push(waiter)
  }

  /** Whose message is refused waits on, before all others. */
  #waitFirst(waiter: Waiter): void {
    if (this.#waiter !== undefined) (this.#otherWaiters ??= []).unshift(this.#waiter)
    this.#waiter = waiter
  }

  #hand(arrived: Arrived, waiter: Waiter): void {
    this.#waiter = this.#otherWaiters?.shift()
    let next
    try {
      next = this.#read(arrived)
    } catch (error) {
      return waiter(Promise.reject(error))
    }
    if (next !== undefined) waiter(next)
    else if (this.closed) waiter(ended())
    else this.#waitFirst(waiter)
  }

  received(data: Buffer, isBinary: boolean): void {
    this.#wasHeard = this.#hasSpoken = true
    if (this.closed) return
    const { rules } = this.#route
    if (++this.#messages > rules.maxMessagesPerSecond) return this.#fail(1008, 'too many messages')
    if (this.#waiter !== undefined) return this.#hand({ data, isBinary }, this.#waiter)
    if (rules.receives === null) return this.#fail(1008, 'no messages are taken here')
    const arrived = (this.#arrived ??= [])
    arrived.push({ data, isBinary })
    this.#arrivedBytes += data.length
    if (this.#isPaused || (arrived.length < READ_AHEAD && this.#arrivedBytes < READ_AHEAD_BYTES)) return
    this.#isPaused = true
    this.#ws.pause()
  }

  heard(): void {
    this.#wasHeard = true
  }

  #resume(): void {
    this.#isPaused = false
    if (!this.#isGone) this.#ws.resume()
  }

  #refuse(invalid: InvalidMessage): void {
    const { rules } = this.#route
    if (rules.onInvalid === 'tell' && rules.receives !== null) void this.#deliver(this.#route.tell(invalid))
    else this.#fail(invalid.closeCode, invalid.reason)
  }

  // Sending

  send(message: unknown): Promise<void> {
    if (this.closed) return quiet(Promise.reject(this.error()))
    let sent: Sent
    try {
      sent = this.#route.codec.encode(message)
    } catch (error) {
      this.#route.misfit(error)
      return quiet(Promise.reject(error as Error))
    }
    return this.#deliver(sent)
  }

  /** @param sent  encoded; bytes that are text are told by `isText` */
  #deliver(sent: Sent, isText = typeof sent === 'string'): Promise<void> {
    // Its close frame is here, and with which code is told when the connection is gone.
    if (this.#ws.readyState !== OPEN) return quiet(this.gone().then(() => Promise.reject(this.error())))
    const buffered = this.bufferedBytes + sent.length
    const options = isText ? TEXT : BYTES
    if (buffered <= HIGH_WATER_BYTES) {
      if (this.#isCompressed) this.#ws.send(sent, options)
      else this.#write(sent, isText)
      return TAKEN
    }
    // What a client has not read is ours to hold: up to here, and not for who cannot keep up.
    if (buffered > this.#route.rules.maxBufferedBytes && buffered > sent.length) {
      this.#cut(1013, 'too slow')
      return quiet(Promise.reject(this.error()))
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#ws.send(sent, options, error => (error ? reject(this.error()) : resolve()))
    return quiet(promise)
  }

  /** One frame, one write: what the library would do with two, and past the stream's account where that is possible. */
  #write(sent: Sent, isText: boolean): void {
    const frame = frameOf(sent, isText)
    if (this.#direct?.write(frame, 'buffer') !== true) this.#connection.socket.write(frame)
  }

  /** What was published, encoded once for all. */
  deliver(bytes: Uint8Array, isText: boolean): void {
    if (!this.closed) void this.#deliver(bytes, isText)
  }

  // Rooms

  join(room: string): void {
    if (!this.closed) this.#route.join(this, room)
  }

  leave(room: string): void {
    this.#route.leave(this, room)
  }

  publish(room: string, message: unknown, options?: PublishOptions): void {
    this.#route.publish(room, message, options)
  }

  // The end

  close(code = 1000, reason = ''): void {
    if (!isSendable(code))
      throw new RangeError(`close() takes 1000, 1001, 1003, 1007 to 1014 or 3000 to 4999, not ${code} (RFC 6455 §7.4)`)
    this.#fail(code, reason)
  }

  /** The server goes away. What has been read is still handed out. */
  hangUp(): void {
    if (this.closed) return
    const closing = { code: 1001, reason: 'the server is going away' }
    this.#ws.close(closing.code, closing.reason)
    this.#end(closing)
  }

  /** It breaks a rule, or its handler is done with it: what has been read is thrown away. */
  #fail(code: number, reason: string): void {
    if (this.closed) return
    const closing = { code, reason: shortened(reason) }
    this.#ws.close(closing.code, closing.reason)
    this.#arrived = undefined
    this.#end(closing)
  }

  /** Not even the close handshake can be waited for. */
  #cut(code: number, reason: string): void {
    this.#fail(code, reason)
    this.#ws.terminate()
  }

  /** Now. */
  terminate(): void {
    this.#ws.terminate()
  }

  #end(closing: SocketClosing): void {
    if (this.closed) return
    this.closed = closing
    if (this.rooms) for (const room of this.rooms) this.#route.leave(this, room)
    // The answer to our close frame has to be read.
    if (this.#isPaused) this.#resume()
    const waiters = [this.#waiter, ...(this.#otherWaiters ?? [])]
    this.#waiter = this.#otherWaiters = undefined
    for (const waiter of waiters) waiter?.(ended())
    this.#connection.abort(this.error())
  }

  errored(error: Error & { readonly code?: string }): void {
    // The library has sent a close frame with this code, or the connection is broken.
    const code = CODES[error.code ?? ''] ?? (error.code?.startsWith('WS_') ? 1002 : 1006)
    this.#failure ??= { code, reason: error.message }
    this.#end(this.#failure)
  }

  wasClosed(code: number, reason: string): void {
    this.#isGone = true
    this.#end({ code, reason })
    this.#whenGone?.resolve()
  }

  /** One and the same each time: a handler that throws it has not failed. */
  error(): SocketClosedError {
    return (this.#error ??= new SocketClosedError(this.closed ?? { code: 1006, reason: '' }))
  }

  /** Resolves when the connection is gone. */
  gone(): Promise<void> {
    if (this.#isGone) return Promise.resolve()
    return (this.#whenGone ??= Promise.withResolvers()).promise
  }

  // Time

  /** Once a second. */
  tick(): void {
    const nowMs = performance.now()
    const { pingMs, pongMs, idleMs } = this.#route.rules
    this.#messages = 0
    if (this.closed) return
    if (this.#hasSpoken) this.#spokeMs = nowMs
    this.#hasSpoken = false
    // Who is not read cannot be heard.
    if (this.#wasHeard || this.#hasMoved() || this.#isPaused) {
      this.#heardMs = nowMs
      this.#pingedMs = 0
    }
    this.#wasHeard = false
    if (idleMs > 0 && nowMs - this.#spokeMs >= idleMs && !this.#isPaused) return this.#fail(1008, 'idle')
    if (pingMs === 0) return
    if (this.#pingedMs > 0) {
      if (nowMs - this.#pingedMs >= pongMs) this.#cut(1011, 'no answer to a ping')
    } else if (nowMs - this.#heardMs >= pingMs) {
      this.#pingedMs = nowMs
      this.#ws.ping()
    }
  }

  /** A part of a large message has come in, or of what waits has gone out. */
  #hasMoved(): boolean {
    const {
      bytesRead = 0,
      bytesWritten = 0,
      writableLength,
    } = this.#connection.socket as Duplex & {
      bytesRead?: number
      bytesWritten?: number
    }
    const bytesTaken = bytesWritten - writableLength
    const hasMoved = bytesRead !== this.#bytesRead || (writableLength > 0 && bytesTaken !== this.#bytesTaken)
    this.#bytesRead = bytesRead
    this.#bytesTaken = bytesTaken
    return hasMoved
  }
}

/** What the library closes with. */
const CODES: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
}

/** RFC 6455 §7.4: what an endpoint may send. */
function isSendable(code: number): boolean {
  return (
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999))
  )
}

/** At most as many bytes as a close frame takes, and no half character. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  return bytes
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\ufffd+$/, '')
}

/** Who does not wait for it does not have to handle it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore)
  return promise
}

function ignore(): void {}

function ended(): Next {
  return { done: true, value: undefined }
}

function valueOf({ value }: Next): unknown {
  return value
}

class Messages implements AsyncIterator<unknown, undefined> {
  readonly #socket: MessageSocket

  constructor(socket: MessageSocket) {
    this.#socket = socket
  }

  next(): Promise<Next> {
    return this.#socket.next()
  }
}
