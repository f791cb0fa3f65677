// Sockets that read into one buffer shared by all of them, instead of having node:net allocate 64 KiB for each read, and that can be
// written to past the stream's own queue.
//
// node:net has this for sockets that connect (`onread`), not for those that a server accepts. So an accepted socket's handle is given to
// a second socket that was made with `onread`; `handle` is an option that node:net itself uses and does not document. Where anything
// about it is not as expected, the accepted socket is used as it is: nothing but speed depends on it.
//
// bench hello, CPU per request on Node 26: 5.8 us for a constant answer with plain sockets, 5.1 with these.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// As large as what libuv offers the kernel otherwise: a fast upload fills it with one read.
const SHARED = Buffer.allocUnsafeSlow(65_536)

/** Under this a lean socket finds who takes its bytes before they are copied; without one it emits `data` like any other. */
export const READER = Symbol('reader')

export interface Lean {
  [READER]?: BorrowingReader | undefined
}

export interface BorrowingReader {
  /** So much is to come that will be kept as it arrives, that reading into memory of its own saves copying it out of the shared one. */
  readonly expectsMuch: boolean
  /** The first `length` of `bytes`, which the next read of any socket overwrites: nothing of them may be kept. */
  receivedBorrowed(bytes: Buffer, length: number): void
  /** Bytes that nobody else has. */
  received(bytes: Buffer): void
}

// A full read, as with the shared memory; and the least for which memory of one's own is worth having.
const OWN_BYTES = 65_536
const LEAST_OWN_BYTES = 16_384

const LEAN = Symbol('lean')

interface Inner {
  [LEAN]?: true
  _handle?: { useUserBuffer?: unknown } | null
  /** What counts the connection as the server's until the socket closes. */
  _server?: unknown
  server?: unknown
}

/**
 * @param accepted  straight from a server with `pauseOnConnect`: nothing read, no listener attached
 * @returns the socket to use instead; its `data` events carry memory of their own. Who sets READER gets the bytes uncopied
 */
export function leanSocket(accepted: Socket): Socket {
  const inner = accepted as Inner
  const handle = inner._handle
  const isAsExpected = accepted.constructor === Socket && typeof handle?.useUserBuffer === 'function' && inner._server
  if (!isAsExpected) return accepted.resume()
  const options: object = {
    handle,
    allowHalfOpen: accepted.allowHalfOpen,
    onread: { buffer: nextBuffer, callback: onRead },
  }
  inner._handle = null
  next = SHARED
  const lean = new Socket(options)
  const outer = lean as Inner
  outer._server = inner._server
  outer.server = inner.server
  inner._server = inner.server = null
  outer[LEAN] = true
  return lean
}

/** For a lean socket; undefined for any other stream. */
export function directWriter(stream: Duplex): DirectWriter | undefined {
  return (stream as Inner)[LEAN] ? new DirectWriter(stream as Socket) : undefined
}

// 16 KiB: up to here node:net hands text to the kernel from the stack. More is the stream's business, and so is its back-pressure.
const MOST_DIRECT_BYTES = 16_384

// Where a head and its body are put together; another one as soon as the kernel is still reading from it.
let joined = Buffer.allocUnsafeSlow(MOST_DIRECT_BYTES)

/**
 * Writes by `_write`, what a Writable itself calls: an answer that the kernel takes at once, as nearly all are, then costs neither the
 * stream's account nor a callback in the next tick (of the busy time under bench hello, streams were 6.4% and are 2.3%). Only while nothing
 * is on its way; order is the handle's.
 */
export class DirectWriter {
  /** Handed over and not taken yet. */
  pendingBytes = 0
  readonly #socket: Socket
  readonly #written: (error?: Error | null) => void

  constructor(socket: Socket) {
    this.#socket = socket
    this.#written = error => {
      this.pendingBytes = 0
      if (error && !socket.destroyed) socket.destroy(error)
    }
  }

  /** @returns false when it must go through the stream; nothing has been written then */
  write(piece: string | Buffer, encoding: 'latin1' | 'utf8' | 'buffer'): boolean {
    if (piece.length > MOST_DIRECT_BYTES || !this.#isFree) return false
    this.pendingBytes = piece.length
    this.#socket._write(piece, encoding as BufferEncoding, this.#written)
    return true
  }

  /**
   * Two texts with one write, by way of memory that all share: joined as text they would be copied once more, and once more by V8 (bench
   * json: 14.1 us to 13.0 for 5 KB, JSON.stringify included).
   *
   * @returns as for `write`
   */
  writeJoined(head: string, body: string, encoding: 'latin1' | 'utf8'): boolean {
    const bytesAtMost = encoding === 'latin1' ? head.length + body.length : 3 * (head.length + body.length)
    if (bytesAtMost > MOST_DIRECT_BYTES || !this.#isFree) return false
    const headBytes = joined.write(head, 0, encoding)
    const length = headBytes + joined.write(body, headBytes, encoding)
    this.write(joined.subarray(0, length), 'buffer')
    // The kernel has not taken all of it: the rest must stay as it is until it has.
    if (this.pendingBytes > 0) joined = Buffer.allocUnsafeSlow(MOST_DIRECT_BYTES)
    return true
  }

  /** Nothing is on its way that what is written now would overtake. */
  get #isFree(): boolean {
    const socket = this.#socket
    return this.pendingBytes === 0 && socket.writableLength === 0 && !socket.writableEnded && !socket.destroyed
  }
}

// What the socket that has just read shall read into from now on; undefined: what it does already. Asked for behind each read.
let next: Buffer | undefined

function nextBuffer(): Buffer | undefined {
  const buffer = next
  next = undefined
  return buffer
}

function onRead(this: Socket & Lean, length: number, buffer: Buffer): boolean {
  const reader = this[READER]
  if (buffer !== SHARED) {
    const bytes = buffer.subarray(0, length)
    if (reader !== undefined) reader.received(bytes)
    else this.emit('data', bytes)
    next = bufferBehind(buffer, length, reader)
    return true
  }
  if (reader !== undefined) {
    reader.receivedBorrowed(SHARED, length)
    if (length === SHARED.length && reader.expectsMuch) next = Buffer.allocUnsafeSlow(OWN_BYTES)
    return true
  }
  const bytes = Buffer.allocUnsafe(length)
  SHARED.copy(bytes, 0, 0, length)
  this.emit('data', bytes)
  return true
}

/**
 * Reads that fill their memory go on into new memory of that kind; what the last one left is used before. A slow sender goes back to the
 * shared one: its bytes would each hold many more.
 */
function bufferBehind(buffer: Buffer, length: number, reader: BorrowingReader | undefined): Buffer {
  if (length < LEAST_OWN_BYTES || !reader?.expectsMuch) return SHARED
  const left = buffer.length - length
  return left >= LEAST_OWN_BYTES ? buffer.subarray(length) : Buffer.allocUnsafeSlow(OWN_BYTES)
}
