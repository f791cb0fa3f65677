// The exchange that HTTP/1 makes: a checked head, a body, and an answer that is encoded straight into the connection's output.
import type { FieldLines, ProtocolSwitch, RequestBody, ResponseWriter, TakenConnection } from './exchange.ts'
import { clientGone } from './errors.ts'
import { type Carrier, LiveExchange } from './live-exchange.ts'
import { encodeFields, type FieldList, isAscii, type PreparedHead } from './prepared-head.ts'
import type { ReadyAnswer } from './ready-answer.ts'
import type { RequestHead } from './request-parser.ts'
import { CONNECTION_KEPT, EARLY_HINTS, encodeHead, encodeHeadUntilLength, repeatedAnswer } from './response-encoder.ts'
import { PieceWriter, type PieceFraming, type PieceLine, type PieceOwner } from './response-writer.ts'

/** What an exchange needs of the connection it came on. */
export interface ExchangeLine extends PieceLine, Carrier {
  /** The Connection field of the answer; settles whether the connection will be kept after it. */
  connectionField(exchange: HttpExchange, canBeDelimited: boolean): string
  /** The answer is complete. */
  finished(exchange: HttpExchange): void
  /** Cuts the connection, as a peer will notice. */
  cut(exchange: HttpExchange, reason: unknown): void
  /** `limitTime` was given less than the usual look at time-outs would notice. */
  hurry(): void
  report(error: unknown, exchange: HttpExchange): void
  readonly isDraining: boolean
  /** @returns undefined when the client has said its last word */
  handOver(exchange: HttpExchange): TakenConnection | undefined
}

export class HttpExchange extends LiveExchange implements PieceOwner, ProtocolSwitch {
  readonly head: RequestHead
  readonly body: RequestBody
  isLast = false
  #line: ExchangeLine

  constructor(line: ExchangeLine, head: RequestHead, body: RequestBody, startedMs: number) {
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
    return this.head.section.fields
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void {
    if (this.answered) return this.again()
    this.#send(head, body, more, this.#line.connectionField(this, true))
  }

  override sendReady(answer: ReadyAnswer): void {
    if (this.answered) return this.again()
    const connection = this.#line.connectionField(this, true)
    const text = connection === CONNECTION_KEPT && this.head.method !== 'HEAD' ? answer.text : undefined
    if (text === undefined) return this.#send(answer.head, answer.body, undefined, connection)
    this.begin(answer.status)
    this.record.bytesOut = answer.length
    this.#line.out.latin1(text)
    this.#line.finished(this)
  }

  #send(head: PreparedHead, body: string | Uint8Array | null, more: FieldList | undefined, connection: string): void {
    const { out } = this.#line
    // Encoded before anything changes: a field that may not be sent throws, and the exchange can still be answered.
    if (head.isBodyless) {
      const text = encodeHead(head, more, connection)
      this.begin(head.status)
      out.latin1(text + '\r\n')
      return this.#line.finished(this)
    }
    const isBodyWanted = this.head.method !== 'HEAD'
    if (typeof body === 'string' && isBodyWanted && connection === CONNECTION_KEPT && more === undefined) {
      const whole = repeatedAnswer(head, body)
      if (whole !== undefined) {
        this.begin(head.status)
        this.record.bytesOut = body.length
        out.latin1(whole)
        return this.#line.finished(this)
      }
    }
    const start = encodeHeadUntilLength(head, more, connection)
    this.begin(head.status)
    if (typeof body === 'string') {
      const bytes = Buffer.byteLength(body)
      const text = start + bytes + '\r\n\r\n'
      if (isBodyWanted) {
        this.record.bytesOut = bytes
        if (bytes === body.length) out.answer(text, body, 'latin1')
        else if (head.isAscii && (more === undefined || isAscii(text))) out.answer(text, body, 'utf8')
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
      this.again()
      return new PieceWriter(this, this.#line, 'nothing', 0, true)
    }
    const canChunk = this.head.minorVersion > 0
    const isDelimited = head.isBodyless || length !== undefined || canChunk
    let text = encodeHead(head, more, this.#line.connectionField(this, isDelimited))
    this.begin(head.status)
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

  /** The last piece was written. */
  complete(): void {
    this.#line.finished(this)
  }

  override get protocolSwitch(): ProtocolSwitch | undefined {
    return this.head.minorVersion > 0 ? this : undefined
  }

  get isDraining(): boolean {
    return this.#line.isDraining
  }

  endConnection(): void {
    this.head.keepsAlive = false
  }

  take(): TakenConnection | undefined {
    if (this.answered || this.body.kind !== 'none') return undefined
    const taken = this.#line.handOver(this)
    if (taken === undefined) this.destroy(clientGone(undefined))
    return taken
  }

  /** Another protocol has the connection now. @param line  what is left of it */
  switched(line: ExchangeLine): void {
    this.begin(101)
    this.#line = line
    this.head.section.forget()
    this.forgetLimit()
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
