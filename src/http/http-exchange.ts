// The exchange that HTTP/1 makes: a checked head, a body, and an answer that is encoded straight into the connection's output.
import { DeadlineError } from '../core/deadline.ts'
import { UsageError } from '../core/error.ts'
import { RequestRecord } from '../core/request-record.ts'
import type { Exchange, FieldLines, Peer, RequestBody, ResponseWriter } from './exchange.ts'
import { encodeFields, type FieldList, isAscii, type PreparedHead } from './prepared-head.ts'
import type { RequestHead } from './request-parser.ts'
import { EARLY_HINTS, encodeHead, encodeHeadUntilLength, FAILED_BODY, FAILED_HEAD } from './response-encoder.ts'
import { PieceWriter, type PieceFraming, type PieceLine, type PieceOwner } from './response-writer.ts'
import type { Origin, TrustedProxies } from './trusted-proxy.ts'

/** What an exchange needs of the connection it came on. */
export interface ExchangeLine extends PieceLine {
  readonly peer: Peer
  readonly trustedProxies: TrustedProxies | undefined
  /** The Connection field of the answer; settles whether the connection will be kept after it. */
  connectionField(exchange: HttpExchange, canBeDelimited: boolean): string
  /** The answer is complete. */
  finished(exchange: HttpExchange): void
  /** Cuts the connection, as a peer will notice. */
  cut(exchange: HttpExchange, reason: unknown): void
  /** `limitTime` was given less than the usual look at time-outs would notice. */
  hurry(): void
  report(error: unknown, exchange: HttpExchange): void
}

/** Below this, a limit is looked at every 50 ms instead of with the sweep. */
export const SHORT_LIMIT_MS = 2000

export class HttpExchange implements Exchange, PieceOwner {
  readonly head: RequestHead
  readonly body: RequestBody
  readonly record: RequestRecord
  answered = false
  /** performance.now() by which a head must be out. */
  limitAtMs = Infinity
  readonly #line: ExchangeLine
  #passed: ((exchange: Exchange) => void) | undefined
  #controller: AbortController | undefined
  #isAborted = false
  #abortReason: unknown = undefined
  /** The answer was not the handler's: what the handler does now is late and not wrong. */
  #isOverruled = false
  /** As a trusted proxy tells it; made on first use. */
  #origin: Origin | undefined

  constructor(line: ExchangeLine, head: RequestHead, body: RequestBody, startedMs: number) {
    this.#line = line
    this.head = head
    this.body = body
    this.record = new RequestRecord()
    this.record.method = head.method
    this.record.startedMs = startedMs
  }

  get method(): string {
    return this.head.method
  }

  get target(): string {
    return this.head.target
  }

  get path(): string {
    return this.head.path
  }

  get search(): string {
    return this.head.search
  }

  get authority(): string {
    return this.#told()?.authority ?? this.head.authority
  }

  get scheme(): 'http' | 'https' {
    return this.peer.encrypted ? 'https' : 'http'
  }

  get fields(): FieldLines {
    return this.head.section.fields
  }

  get peer(): Peer {
    return this.#told()?.peer ?? this.#line.peer
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isAborted) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void {
    if (this.answered) return this.#again()
    const { out } = this.#line
    // Encoded before anything changes: a field that may not be sent throws, and the exchange can still be answered.
    const connection = this.#line.connectionField(this, true)
    if (head.isBodyless) {
      const text = encodeHead(head, more, connection)
      this.#begin(head.status)
      out.latin1(text + '\r\n')
      return this.#line.finished(this)
    }
    const start = encodeHeadUntilLength(head, more, connection)
    this.#begin(head.status)
    const isBodyWanted = this.head.method !== 'HEAD'
    if (typeof body === 'string') {
      const bytes = Buffer.byteLength(body)
      const text = start + bytes + '\r\n\r\n'
      if (isBodyWanted) {
        this.record.bytesOut = bytes
        if (bytes === body.length) out.latin1(text + body)
        else if (head.isAscii && (more === undefined || isAscii(text))) out.utf8(text + body)
        else {
          out.latin1(text)
          out.utf8(body)
        }
      } else out.latin1(text)
    } else {
      const length = body === null ? 0 : body.length
      out.latin1(start + length + '\r\n\r\n')
      if (isBodyWanted && length > 0) {
        this.record.bytesOut = length
        out.bytes(body!)
      }
    }
    this.#line.finished(this)
  }

  start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter {
    if (this.answered) {
      this.#again()
      return new PieceWriter(this, this.#line, 'nothing', 0, true)
    }
    const canChunk = this.head.minorVersion > 0
    const isDelimited = head.isBodyless || length !== undefined || canChunk
    let text = encodeHead(head, more, this.#line.connectionField(this, isDelimited))
    this.#begin(head.status)
    let framing: PieceFraming = 'close'
    if (head.isBodyless) framing = 'nothing'
    else if (length !== undefined) {
      text += 'Content-Length: ' + length + '\r\n'
      framing = 'length'
    } else if (canChunk) {
      text += 'Transfer-Encoding: chunked\r\n'
      framing = 'chunked'
    }
    if (this.head.method === 'HEAD') framing = 'nothing'
    this.#line.out.latin1(text + '\r\n')
    this.#line.flushSoon()
    return new PieceWriter(this, this.#line, framing, length ?? 0, false)
  }

  earlyHints(fields: FieldList): void {
    const text = encodeFields(fields)
    if (this.answered || this.head.minorVersion === 0) return
    this.#line.out.latin1(`${EARLY_HINTS}${text}\r\n`)
    this.#line.flushSoon()
  }

  destroy(reason: unknown): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.#line.cut(this, reason)
  }

  /** The last piece was written. */
  complete(): void {
    this.#line.finished(this)
  }

  /** An answer that has begun cannot be completed. */
  cut(reason: unknown): void {
    this.#line.report(reason, this)
    this.#line.cut(this, reason)
  }

  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void {
    if (this.answered) return
    this.limitAtMs = this.record.startedMs + timeoutMs
    this.#passed = passed
    if (timeoutMs < SHORT_LIMIT_MS) this.#line.hurry()
  }

  checkTime(nowMs: number): void {
    if (nowMs < this.limitAtMs) return
    this.limitAtMs = Infinity
    const passed = this.#passed
    this.#passed = undefined
    this.#isOverruled = true
    this.abort(new DeadlineError())
    try {
      // The signal's listeners may have answered.
      if (!this.answered) passed?.(this)
    } catch (error) {
      this.failed(error)
    }
  }

  /** The engine answers in the handler's place. */
  overrule(status: number, error: unknown): void {
    this.#begin(status)
    this.#isOverruled = true
    this.record.error = error
    this.abort(error)
  }

  abort(reason: unknown): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }

  /** The connection is gone: nothing can be answered any more. */
  lose(reason: unknown): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.abort(reason)
  }

  /** The handler threw or rejected. */
  failed(error: unknown): void {
    this.record.error ??= error
    // What it throws because the client is gone is our own reason coming back.
    if (!(this.#isAborted && error === this.#abortReason)) this.#line.report(error, this)
    if (!this.answered) this.send(FAILED_HEAD, FAILED_BODY)
    else this.#line.cut(this, error)
  }

  /** @returns undefined when no proxy is trusted, and the connection alone tells */
  #told(): Origin | undefined {
    const { trustedProxies, peer } = this.#line
    if (trustedProxies === undefined) return undefined
    const scheme = peer.encrypted ? 'https' : 'http'
    return (this.#origin ??= trustedProxies.origin({ peer, scheme, authority: this.head.authority }, this.fields))
  }

  #begin(status: number): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.record.status = status
  }

  #again(): void {
    if (this.#isOverruled || this.#isAborted) return
    this.#line.report(
      new UsageError('HTTP_ANSWERED_TWICE', 'this exchange has an answer already; the second is left out'),
      this,
    )
  }
}
