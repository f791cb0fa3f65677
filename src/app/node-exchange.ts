// The engine's seam over a request of node:http, node:https, node:http2's compatibility API, or Express: for app.nodeHandler().
//
// Parsing, framing, Date and Connection are the host server's. What our engine does above the wire is done here too: one normal form
// of the path, a checked Host, fields that keep their repeats, answers as long as they say, and a body with limits and a pace.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { answerCut, clientGone, protocolError } from '../http/errors.ts'
import type { FieldLines, Peer, RequestBody, ResponseWriter } from '../http/exchange.ts'
import { RawFields } from '../http/field-lines.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import { resetOnClose } from '../http/socket-reset.ts'
import { encodeFields, type FieldList, type PreparedHead } from '../http/prepared-head.ts'
import { NO_BODY } from '../http/request-body.ts'
import { isAuthorityText, normalPath, readTarget } from '../http/request-target.ts'
import { BodyFeed, bodyTaken } from './body-feed.ts'
import type { BodyLimits } from './own-limits.ts'
import { EmbeddedExchange, EmbeddedWriter, type ExchangeOwner, NOBODY_READS } from './embedded-exchange.ts'

export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse

/** What frameworks over node:http set on a request. */
interface Framed {
  /** The target as received, where `url` has lost what it is mounted under. */
  readonly originalUrl?: unknown
  /** What a body parser made of the body. */
  readonly body?: unknown
  /** The body as it was, where a host has kept it. */
  readonly rawBody?: unknown
}

export class NodeExchange extends EmbeddedExchange {
  readonly fields: FieldLines
  readonly body: RequestBody
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  #authority: string
  #peer: Peer | undefined
  #onFin: (() => void) | undefined
  #isHandedOver = false
  /** The connection is closed behind the answer, and the client is not done with its body. */
  #lingers = false
  #waiters: { resolve: () => void; reject: (reason: unknown) => void }[] | undefined

  constructor(request: NodeRequest, response: NodeResponse, owner: ExchangeOwner) {
    // HTTP/2's compatibility API is the same, but for the types.
    const req = request as IncomingMessage
    const res = response as ServerResponse
    const { originalUrl } = req as Framed
    super(owner, req.method ?? 'GET', typeof originalUrl === 'string' ? originalUrl : (req.url ?? '/'))
    this.#req = req
    this.#res = res
    this.fields = new RawFields(req.rawHeaders)
    this.#authority = ((request as Http2ServerRequest).authority || this.fields.get('host')) ?? ''
    const length = bodyLength(req, this.fields)
    if (length === 0) this.body = NO_BODY
    else {
      this.feed = new NodeFeed(req, res, length === Infinity ? undefined : length, owner.bodyLimits)
      this.body = this.feed.body
    }
    if (isGone(res)) this.#closed()
    else res.once('close', this.#closed)
  }

  /** Before anything is decided by it. @throws ProtocolError `HTTP_BAD_TARGET`, `HTTP_BAD_PATH`, `HTTP_BAD_HOST` */
  check(): void {
    const { rawPath, search, authority } = readTarget(this.method, this.#req.url ?? '/')
    this.search = search
    this.path = rawPath === '*' ? '*' : normalPath(rawPath)
    if (authority !== '') this.#authority = authority
    if (this.#authority !== '' && !isKnownAuthority(this.#authority)) throw protocolError('HTTP_BAD_HOST')
  }

  /** It is not ours to answer. */
  passOn(): void {
    this.#res.off('close', this.#closed)
    this.over()
  }

  get authority(): string {
    return this.#authority
  }

  get scheme(): 'http' | 'https' {
    return this.peer.encrypted ? 'https' : 'http'
  }

  get peer(): Peer {
    return (this.#peer ??= peerOf(this.#req.socket))
  }

  // Whoever else holds the response may have answered.
  override get answered(): boolean {
    return super.answered || this.#res.headersSent
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more: FieldList = []): void {
    if (this.answered) return
    const length = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    this.#writeHead(head, more, head.isBodyless ? undefined : length)
    const hasBody = !head.isBodyless && this.method !== 'HEAD' && length > 0
    if (hasBody) this.record.bytesOut = length
    this.#isHandedOver = true
    if (!this.#lingers) this.#res.end(hasBody ? body : undefined)
    else {
      if (hasBody) this.#res.write(body)
      else this.#res.flushHeaders()
      this.#endLater()
    }
  }

  start(head: PreparedHead, more: FieldList = [], length?: number): ResponseWriter {
    if (this.answered) return NOBODY_READS
    this.#writeHead(head, more, head.isBodyless ? undefined : length)
    this.#res.flushHeaders()
    return new NodeWriter(this.record, length, !head.isBodyless && this.method !== 'HEAD', {
      res: this.#res,
      drained: () => this.#drained(),
      end: () => this.#end(),
      cut: reason => this.#cutAnswer(reason),
    })
  }

  earlyHints(fields: FieldList): void {
    encodeFields(fields)
    const isOld = this.#req.httpVersionMajor === 1 && this.#req.httpVersionMinor === 0
    if (this.answered || isOld || isGone(this.#res)) return
    const res = this.#res as Pick<ServerResponse, 'writeEarlyHints'> & Partial<Pick<ServerResponse, 'writeInformation'>>
    // Older versions of Node have only the other one, which sends nothing without a link.
    if (res.writeInformation) res.writeInformation(103, asObject(fields))
    else res.writeEarlyHints(asObject(fields))
  }

  protected cut(reason: unknown): void {
    this.#cutAnswer(reason)
  }

  protected watchClient(): void {
    const { socket } = this.#req
    if (this.#req.httpVersionMajor > 1) return
    // node:http tells of a client that ends while we are at work only if its body has not been read.
    const leave = (this.#onFin = () => this.abort(clientGone(undefined)))
    if (socket.readableEnded) leave()
    else socket.once('end', leave)
  }

  /** The fields of the answer over those that others have set; Vary and Set-Cookie are added to theirs. */
  #writeHead(head: PreparedHead, more: FieldList, length: number | undefined): void {
    encodeFields(more)
    const res = this.#res
    const fields = [...head.fields, ...more]
    if (length !== undefined) fields.push('Content-Length', String(length))
    this.begin(head.status)
    if (this.feed && !this.#req.complete && this.#req.httpVersionMajor === 1) {
      const { length: declared = Infinity, received } = this.feed.body
      if (declared - received > DEFAULT_LIMITS.maxReadAheadBytes) res.shouldKeepAlive = false
      this.#lingers = !res.shouldKeepAlive
    }
    if (res.getHeaderNames().length === 0) {
      res.writeHead(head.status, fields)
      return
    }
    for (let n = 0; n < fields.length; n += 2) if (!ADDED.has(fields[n]!.toLowerCase())) res.removeHeader(fields[n]!)
    if (length === undefined) res.removeHeader('content-length')
    for (let n = 0; n < fields.length; n += 2) res.appendHeader(fields[n]!, fields[n + 1]!)
    res.writeHead(head.status)
  }

  #end(): void {
    this.#isHandedOver = true
    if (this.#lingers) this.#endLater()
    else this.#res.end()
  }

  /**
   * node:http closes a connection with the end of its last answer, and the kernel meets what the client still sends with a reset that
   * can overtake it (RFC 9112 §9.6). The client has the whole answer, but for its end; what it still sends is thrown away for a while.
   */
  #endLater(): void {
    const req = this.#req
    const end = () => {
      clearTimeout(timer)
      if (!this.#res.writableEnded) this.#res.end()
    }
    const timer = setTimeout(end, DEFAULT_LIMITS.lingerMs)
    req.once('close', end)
    req.once('end', end)
    this.feed?.abandon()
    req.resume()
  }

  #drained(): Promise<void> {
    const res = this.#res
    if (isGone(res)) return Promise.reject(this.#goneReason())
    if (!res.writableNeedDrain) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (this.#waiters === undefined)
      res.on('drain', () => {
        for (const waiter of this.#waiters!.splice(0)) waiter.resolve()
      })
    ;(this.#waiters ??= []).push({ resolve, reject })
    return promise
  }

  #goneReason(): unknown {
    this.abort(clientGone(this.#req.errored))
    return this.signal.reason
  }

  /** So that the client can tell that the answer is not whole. */
  #cutAnswer(reason: unknown): void {
    this.abort(answerCut(reason))
    const { socket } = this.#req
    if (this.#req.httpVersionMajor > 1) {
      this.#res.destroy()
      return
    }
    // A FIN could pass for the end of a body that the connection delimits.
    resetOnClose(socket)
    socket.destroy()
  }

  readonly #closed = (): void => {
    if (this.#onFin) this.#req.socket.off('end', this.#onFin)
    if (!this.#isHandedOver || !this.#res.writableFinished) this.abort(clientGone(this.#req.errored))
    for (const waiter of this.#waiters?.splice(0) ?? []) waiter.reject(this.#goneReason())
    this.over()
  }
}

/** HTTP/2's responses do not say `closed`. */
function isGone(res: ServerResponse): boolean {
  return res.closed || res.destroyed || (res as unknown as Partial<Http2ServerResponse>).stream?.destroyed === true
}

const ADDED = new Set(['vary', 'set-cookie'])

/** @returns Infinity where only its end will tell; 0 for none */
function bodyLength(req: IncomingMessage, fields: FieldLines): number {
  if (fields.has('transfer-encoding')) return Infinity
  const declared = fields.get('content-length')
  if (declared !== undefined) return Number(declared)
  const isOpenStream = req.httpVersionMajor > 1 && !(req as unknown as Http2ServerRequest).stream.endAfterHeaders
  return isOpenStream ? Infinity : 0
}

function peerOf(socket: Socket): Peer {
  return {
    address: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    encrypted: (socket as Partial<TLSSocket>).encrypted === true,
  }
}

/** The last one that was found right: most requests have the one before's. */
let known = ''

function isKnownAuthority(authority: string): boolean {
  if (authority === known) return true
  if (!isAuthorityText(authority)) return false
  known = authority
  return true
}

class NodeFeed extends BodyFeed {
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  #isReading = false
  #isStopped = false

  constructor(req: IncomingMessage, res: ServerResponse, length: number | undefined, limits: BodyLimits) {
    super(length, limits)
    this.#req = req
    this.#res = res
  }

  protected read(): void {
    const req = this.#req
    if (this.#isReading) {
      req.resume()
      return
    }
    this.#isReading = true
    if (req.readableDidRead || req.readableEnded) return this.#recall()
    if (req.destroyed) return this.abandon(req.errored)
    req.on('data', (piece: Buffer) => {
      if (this.#isStopped) return
      this.body.push(piece)
      if (this.body.isFull) req.pause()
    })
    req.once('end', () => this.finish())
    // What node:http calls an error here is a client that has gone.
    req.once('error', error => this.abandon(error))
    req.once('close', () => this.abandon(req.errored))
  }

  /** A body parser was here before us. Bytes are as good as the stream; what it has parsed cannot be turned back into them. */
  #recall(): void {
    const { rawBody, body } = this.#req as Framed
    const found = [rawBody, body].find(value => typeof value === 'string' || value instanceof Uint8Array)
    const coding = this.#req.headers['content-encoding']
    if (found === undefined || (found !== rawBody && coding !== undefined && coding !== 'identity'))
      return this.fail(
        bodyTaken(
          'the body of this request was read before the app got it, by a body parser such as express.json(); mount nodeHandler() before it',
        ),
      )
    const bytes = typeof found === 'string' ? Buffer.from(found) : found
    this.body.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    this.finish()
  }

  protected stop(reason: unknown): void {
    this.#isStopped = true
    if ((reason as { code?: unknown }).code === 'HTTP_BODY_TIMEOUT') this.#res.shouldKeepAlive = false
    // The rest is read and thrown away, as node:http does with a body that nobody has begun to read.
    if (this.#isReading) this.#req.resume()
  }
}

/** What a writer needs of its exchange. */
interface AnswerLine {
  readonly res: ServerResponse
  drained(): Promise<void>
  end(): void
  cut(reason: unknown): void
}

class NodeWriter extends EmbeddedWriter {
  readonly #line: AnswerLine

  constructor(
    record: ConstructorParameters<typeof EmbeddedWriter>[0],
    length: number | undefined,
    hasBody: boolean,
    line: AnswerLine,
  ) {
    super(record, length, hasBody)
    this.#line = line
  }

  protected put(piece: string | Uint8Array): boolean {
    return this.#line.res.write(piece)
  }

  drained(): Promise<void> {
    return this.#line.drained()
  }

  protected finish(trailers: FieldList): void {
    const { res } = this.#line
    if (trailers.length > 0) res.addTrailers(asObject(trailers))
    this.#line.end()
  }

  protected cut(reason: unknown): void {
    this.#line.cut(reason)
  }
}

/** As node's APIs take repeats. */
function asObject(fields: FieldList): Record<string, string | string[]> {
  const object = Object.create(null) as Record<string, string | string[]>
  for (let n = 0; n + 1 < fields.length; n += 2) {
    const name = fields[n]!.toLowerCase()
    const before = object[name]
    object[name] = before === undefined ? fields[n + 1]! : [before, fields[n + 1]!].flat()
  }
  return object
}
