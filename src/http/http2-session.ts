// One HTTP/2 connection. node:http2 has the frames, HPACK and flow control; here are its requests, its time and its end.
//
// - Every stream is served at once, at most maxStreams at a time: what comes on top is refused by nghttp2 with REFUSED_STREAM.
// - Without a stream for keepAliveTimeoutMs it is closed by GOAWAY; pings and settings do not count as use.
// - A client that opens streams to reset them (CVE-2023-44487), or that has us reset them (CVE-2025-8671), runs out of credit: GOAWAY
//   with ENHANCE_YOUR_CALM. Floods of other frames (pings, settings, empty data, CONTINUATION) are bounded by nghttp2 and node:http2.
// - A drain says GOAWAY while streams are open, and finishes them. On an idle connection it waits, as HTTP/1 does, for its time-out or
//   for one more request, with whose answer GOAWAY goes out: nghttp2 drops what comes behind GOAWAY, and while that is safe to
//   send again (RFC 9113 §6.8), not every client does. (node:http2 has no way to warn first, with the highest stream there can be.)
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { type ConnectionOwner, drawRequests, type OwnedConnection } from './connection-owner.ts'
import { clientStalled, type ConnectionError, tooManyResets } from './errors.ts'
import type { Peer } from './exchange.ts'
import { Http2Line, type StreamSession } from './http2-stream.ts'
import type { Limits } from './limits.ts'
import { peerOf } from './peer.ts'
import { kernelQueueBytes } from './send-buffer.ts'

const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM } = constants
// RFC 9113 §6.5.2: what each field counts beyond its characters.
const FIELD_OVERHEAD_BYTES = 32

export class Http2Session implements OwnedConnection, StreamSession {
  readonly owner: ConnectionOwner
  endReason: ConnectionError | undefined
  readonly #socket: Duplex
  readonly #session: ServerHttp2Session
  readonly #lines = new Set<Http2Line>()
  #peer: Peer | undefined
  /** Of the last sweep that found no stream, or the end under way; 0 after a stream. */
  #sinceMs = 0
  /** What the kernel had not taken at the last sweep, and since when it is as much. */
  #lastQueue = 0
  #movedMs = 0
  #isClosed = false
  /** Until GOAWAY; below 0 from the start where there is no limit. */
  #requestsLeft: number
  /** What is left of maxResets. */
  #credit: number

  /** @param peer  who it is, where somebody in front of us knows better than the socket */
  constructor(socket: Duplex, owner: ConnectionOwner, peer?: Peer) {
    this.#socket = socket
    this.#peer = peer
    this.#requestsLeft = drawRequests(owner.limits.maxRequestsPerConnection)
    this.owner = owner
    this.#credit = owner.limits.maxResets
    // A client that ends its side gives no room any more, and asks for nothing: there is no half-open HTTP/2.
    socket.allowHalfOpen = false
    const session = performServerHandshake(socket, sessionOptions(owner.limits))
    this.#session = session
    session.on('stream', (stream, _fields, flags, lines) => this.#begin(stream, flags, lines))
    // What ends a session (a broken frame, a socket error) ends its streams, and each of them tells.
    session.on('error', () => {})
    session.on('close', () => this.#closed())
    // A socket that breaks before its session is made tells nobody else.
    socket.on('error', () => {})
    socket.on('close', () => this.#closed())
  }

  get peer(): Peer {
    return (this.#peer ??= peerOf(this.#socket))
  }

  #begin(stream: ServerHttp2Stream, flags: number, lines: readonly string[]): void {
    const line = new Http2Line(stream, this)
    this.#lines.add(line)
    this.#sinceMs = 0
    // Opened and reset in one breath: there is nobody to answer, and its close event takes the credit.
    if (stream.closed || stream.destroyed) return
    line.begin(lines, flags)
    if (this.owner.isDraining || --this.#requestsLeft === 0) this.leave()
  }

  hurry(): void {
    this.owner.hurry(this)
  }

  streamClosed(line: Http2Line, isAnswered: boolean): void {
    if (!this.#lines.delete(line)) return
    if (isAnswered) {
      if (this.#credit < this.owner.limits.maxResets) this.#credit++
    } else if (--this.#credit < 0) this.#end(tooManyResets(), NGHTTP2_ENHANCE_YOUR_CALM)
  }

  leave(): void {
    if (this.#lines.size > 0) this.#session.close()
  }

  // GOAWAY without a warning before it can cross a request: only for the end of the server.
  part(): boolean {
    return false
  }

  destroy(reason: ConnectionError): void {
    // NO_ERROR to a stream in the middle of its answer could pass for its end.
    this.#end(reason, this.#lines.size > 0 ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR)
  }

  /** Once GOAWAY is out, the socket is destroyed; by the sweep, if the peer does not even take that. */
  #end(reason: ConnectionError, code: number): void {
    if (this.endReason !== undefined) return
    this.endReason = reason
    this.#sinceMs = 0
    this.#session.destroy(reason, code)
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const line of [...this.#lines]) line.closed()
    this.owner.closed(this)
  }

  // Time

  sweep(nowMs: number, elapsedMs: number): void {
    if (this.#isStuck(nowMs)) {
      this.endReason ??= clientStalled()
      this.#socket.destroy()
      return
    }
    for (const line of this.#lines) line.sweep(nowMs, elapsedMs)
    if (this.#lines.size > 0) return
    if (this.#sinceMs === 0) this.#sinceMs = nowMs
    const { keepAliveTimeoutMs, lingerMs } = this.owner.limits
    const ageMs = nowMs - this.#sinceMs
    if (this.#session.closed || this.#session.destroyed) {
      // The peer does not close its side.
      if (ageMs >= lingerMs) this.#socket.destroy()
    } else if (ageMs >= keepAliveTimeoutMs) {
      this.#sinceMs = nowMs
      this.#session.close()
    }
  }

  /** The socket takes nothing at all: there is no use in resetting one stream after the other. */
  #isStuck(nowMs: number): boolean {
    const queue = kernelQueueBytes(this.#socket)
    if (queue === 0 || queue !== this.#lastQueue) this.#movedMs = nowMs
    this.#lastQueue = queue
    return nowMs - this.#movedMs >= this.owner.limits.writeStallMs
  }

  look(nowMs: number): boolean {
    let isHurried = false
    for (const line of this.#lines) if (line.look(nowMs)) isHurried = true
    return isHurried
  }
}

function sessionOptions(limits: Limits): object {
  return {
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.maxStreams,
      // The smallest that there can be: clients send as much before they have our settings.
      initialWindowSize: Math.max(65_535, limits.maxReadAheadBytes),
      // What is beyond it is reset unread; what is a little too much by our own count gets a 431.
      maxHeaderListSize: limits.maxHeadBytes + FIELD_OVERHEAD_BYTES * limits.maxFields,
    },
    // As with the size.
    maxHeaderListPairs: 2 * limits.maxFields + 8,
    // A handler may repeat any field, as in HTTP/1.
    strictSingleValueFields: false,
  }
}
