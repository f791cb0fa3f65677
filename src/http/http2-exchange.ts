// The exchange that HTTP/2 makes: a checked head, a body, and an answer that goes out on the request's own stream.
import type { FieldLines, RequestBody, ResponseWriter } from './exchange.ts'
import { fieldObject, responseFields } from './http2-fields.ts'
import type { Http2Head } from './http2-head.ts'
import type { Http2Output } from './http2-output.ts'
import { Http2Writer, type WriterOwner } from './http2-writer.ts'
import { type Carrier, LiveExchange } from './live-exchange.ts'
import type { FieldList, PreparedHead } from './prepared-head.ts'

/** What an exchange needs of the stream it came on. */
export interface Http2ExchangeLine extends Carrier {
  readonly out: Http2Output
  /** The answer is complete. */
  finished(exchange: Http2Exchange): void
  /** Resets the stream. */
  cut(exchange: Http2Exchange, reason: unknown): void
  hurry(): void
  report(error: unknown, exchange: Http2Exchange): void
}

export class Http2Exchange extends LiveExchange implements WriterOwner {
  readonly head: Http2Head
  readonly body: RequestBody
  readonly #line: Http2ExchangeLine

  constructor(line: Http2ExchangeLine, head: Http2Head, body: RequestBody, startedMs: number) {
    super(head.method, startedMs)
    this.#line = line
    this.head = head
    this.body = body
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

  get fields(): FieldLines {
    return this.head.fields
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void {
    if (this.answered) return this.again()
    const { out } = this.#line
    const length = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const isBodyless = hasNoBody(head)
    // Made before anything changes: a field that may not be sent throws, and the exchange can still be answered.
    const fields = responseFields(head, more, isBodyless ? undefined : length)
    this.begin(head.status)
    if (isBodyless || length === 0 || this.head.method === 'HEAD') out.headOnly(fields)
    else {
      this.record.bytesOut = length
      out.head(fields, false)
      out.write(body!)
      out.end()
    }
    this.#line.finished(this)
  }

  start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter {
    const { out } = this.#line
    if (this.answered) {
      this.again()
      return new Http2Writer(this, out, 'nothing', undefined, true)
    }
    const isBodyless = hasNoBody(head)
    const fields = responseFields(head, more, isBodyless ? undefined : length)
    this.begin(head.status)
    if (isBodyless || this.head.method === 'HEAD') {
      out.headOnly(fields)
      return new Http2Writer(this, out, 'nothing', undefined, false)
    }
    out.head(fields, true)
    return new Http2Writer(this, out, 'pieces', length, false)
  }

  earlyHints(list: FieldList): void {
    const fields = fieldObject(list)
    if (!this.answered) this.#line.out.interim(103, fields)
  }

  /** The last piece was written. */
  complete(): void {
    this.#line.finished(this)
  }

  protected get carrier(): Carrier {
    return this.#line
  }

  protected get namedAuthority(): string {
    return this.head.authority
  }

  protected cutLine(reason: unknown): void {
    this.#line.cut(this, reason)
  }

  protected report(error: unknown): void {
    this.#line.report(error, this)
  }

  protected hurry(): void {
    this.#line.hurry()
  }
}

/** 205 as well: node:http2 ends the stream with its head (RFC 9110 §15.3.6: no content is generated for it). */
function hasNoBody(head: PreparedHead): boolean {
  return head.isBodyless || head.status === 205
}
