// What the seams over somebody else's connection (app.fetch, a node:http server) share: a client that leaves, time, and the end.
import { DeadlineError } from '../core/deadline.ts'
import { RequestRecord } from '../core/request-record.ts'
import { signalOf } from '../core/request-signal.ts'
import type { Exchange, FieldLines, Peer, ProtocolSwitch, RequestBody, ResponseWriter } from '../http/exchange.ts'
import { encodeFields, type FieldList, type PreparedHead } from '../http/prepared-head.ts'
import type { ReadyAnswer } from '../http/ready-answer.ts'
import { wrongLength } from '../http/response-writer.ts'
import type { BodyFeed } from './body-feed.ts'
import type { BodyLimits } from './own-limits.ts'

/** Keeps count of exchanges that are not over, and knows what their bodies may be. */
export interface ExchangeOwner {
  readonly bodyLimits: BodyLimits
  began(exchange: Exchange): void
  ended(exchange: Exchange): void
}

/** setTimeout takes no longer delay: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export abstract class EmbeddedExchange implements Exchange {
  readonly method: string
  readonly target: string
  // Set by the seam once it has checked the target: what is wrong with it is answered like anything else.
  path = '/'
  search = ''
  readonly record = new RequestRecord()
  /** performance.now() by which a head must be out. */
  limitAtMs = Infinity
  abstract readonly authority: string
  abstract readonly scheme: 'http' | 'https'
  abstract readonly fields: FieldLines
  abstract readonly body: RequestBody
  abstract readonly peer: Peer
  /** Of a request that has a body. */
  protected feed: BodyFeed | undefined
  readonly #owner: ExchangeOwner
  #isAnswered = false
  #isOver = false
  #controller: AbortController | undefined
  #isAborted = false
  #abortReason: unknown
  #timer: NodeJS.Timeout | undefined

  constructor(owner: ExchangeOwner, method: string, target: string) {
    this.method = method
    this.target = target
    this.record.method = method
    this.record.startedMs = performance.now()
    this.#owner = owner
    owner.began(this)
  }

  abstract send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void
  sendReady({ head, body }: ReadyAnswer): void {
    this.send(head, body)
  }

  abstract start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter
  abstract earlyHints(fields: FieldList): void
  /** Ends the connection, or what stands for it. */
  protected abstract cut(reason: unknown): void
  /** Calls `abort` when the client goes away, if it is not gone already. Called once, when somebody first asks. */
  protected abstract watchClient(): void

  get answered(): boolean {
    return this.#isAnswered
  }

  get protocolSwitch(): ProtocolSwitch | undefined {
    return undefined
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      signalOf(this, this.#controller.signal)
      if (!this.#isAborted && !this.#isOver) this.watchClient()
      if (this.#isAborted) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void {
    clearTimeout(this.#timer)
    if (this.#isAnswered) return
    this.limitAtMs = this.record.startedMs + timeoutMs
    if (timeoutMs === Infinity) return
    const remainingMs = this.limitAtMs - performance.now()
    const stop = () => {
      if (this.#isAnswered) return
      this.abort(new DeadlineError(`no answer within ${timeoutMs} ms`))
      if (!this.answered) passed(this)
    }
    this.#timer = setTimeout(stop, Math.min(remainingMs, LONGEST_TIMER_MS))
  }

  destroy(reason: unknown): void {
    if (this.#isOver) return
    this.#isAnswered = true
    this.record.error ??= reason
    this.cut(reason)
    this.abort(reason)
    this.over()
  }

  /** The client has gone, or time is up, or the answer was ended before its handler. */
  abort(reason: unknown): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }

  /** A head is about to go out. */
  protected begin(status: number): void {
    this.#isAnswered = true
    this.record.status = status
    this.limitAtMs = Infinity
    clearTimeout(this.#timer)
  }

  /** The answer is handed over whole, or can never be. */
  protected over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#isAnswered = true
    clearTimeout(this.#timer)
    if (this.feed) {
      this.record.bytesIn = this.feed.body.received
      this.feed.abandon(this.#abortReason)
    }
    this.#owner.ended(this)
  }
}

/** An answer in pieces where somebody else does the framing: it keeps to what its head has declared. */
export abstract class EmbeddedWriter implements ResponseWriter {
  readonly #record: RequestRecord
  readonly #length: number | undefined
  readonly #hasBody: boolean
  #written = 0
  #isEnded = false

  /** @param hasBody  false for HEAD, 204 and 304 */
  constructor(record: RequestRecord, length: number | undefined, hasBody: boolean) {
    this.#record = record
    this.#length = length
    this.#hasBody = hasBody
  }

  protected abstract put(piece: string | Uint8Array): boolean
  protected abstract finish(trailers: FieldList): void
  protected abstract cut(reason: unknown): void
  abstract drained(): Promise<void>

  write(piece: string | Uint8Array): boolean {
    if (this.#isEnded) return true
    const size = typeof piece === 'string' ? Buffer.byteLength(piece) : piece.byteLength
    if (size === 0 || !this.#hasBody) return true
    this.#written += size
    if (this.#length !== undefined && this.#written > this.#length) {
      this.abort(wrongLength(this.#length, this.#written))
      return true
    }
    this.#record.bytesOut += size
    return this.put(piece)
  }

  end(trailers: FieldList = []): void {
    if (this.#isEnded) return
    encodeFields(trailers)
    if (this.#hasBody && this.#length !== undefined && this.#written !== this.#length)
      return this.abort(wrongLength(this.#length, this.#written))
    this.#isEnded = true
    this.finish(trailers)
  }

  /** The connection is somebody else's. */
  part(): void {
    this.end()
  }

  abort(reason: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#record.error ??= reason
    this.cut(reason)
  }
}

/** Of an answer that came second. */
export const NOBODY_READS: ResponseWriter = {
  write: () => true,
  drained: async () => {},
  end() {},
  part() {},
  abort() {},
}
