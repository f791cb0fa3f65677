// A request as an app sees it that is mounted below a prefix: its path begins behind that. Everything else is as it came.
import type { Exchange, FieldLines, Peer, RequestBody, ResponseWriter } from '../http/exchange.ts'
import type { RequestRecord } from '../core/request-record.ts'
import type { FieldList, PreparedHead } from '../http/prepared-head.ts'
import type { ReadyAnswer } from '../http/ready-answer.ts'
import { Answer } from './answer.ts'

export class BelowExchange implements Exchange {
  readonly #outer: Exchange
  readonly path: string
  /** What the path has lost on its way here, all prefixes in one. */
  readonly prefix: string
  /** What of it the target has not: a proxy has taken it off. */
  readonly missing: string

  /** @param missing  of `prefix`, when it is not in the request at all */
  constructor(outer: Exchange, path: string, prefix: string, missing = '') {
    this.#outer = outer
    this.path = path
    this.prefix = prefixOf(outer) + prefix
    this.missing = missingOf(outer) + missing
  }

  get method(): string {
    return this.#outer.method
  }

  get target(): string {
    return this.#outer.target
  }

  get search(): string {
    return this.#outer.search
  }

  get authority(): string {
    return this.#outer.authority
  }

  get scheme(): 'http' | 'https' {
    return this.#outer.scheme
  }

  get fields(): FieldLines {
    return this.#outer.fields
  }

  get body(): RequestBody {
    return this.#outer.body
  }

  get peer(): Peer {
    return this.#outer.peer
  }

  get record(): RequestRecord {
    return this.#outer.record
  }

  get signal(): AbortSignal {
    return this.#outer.signal
  }

  get answered(): boolean {
    return this.#outer.answered
  }

  get protocolSwitch(): Exchange['protocolSwitch'] {
    return this.#outer.protocolSwitch
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void {
    this.#outer.send(head, body, more)
  }

  sendReady(answer: ReadyAnswer): void {
    this.#outer.sendReady(answer)
  }

  start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter {
    return this.#outer.start(head, more, length)
  }

  earlyHints(fields: FieldList): void {
    this.#outer.earlyHints(fields)
  }

  abort(reason: unknown): void {
    this.#outer.abort(reason)
  }

  destroy(reason: unknown): void {
    this.#outer.destroy(reason)
  }

  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void {
    this.#outer.limitTime(timeoutMs, () => passed(this))
  }
}

/** '' for a request that no mount has taken anything from. */
export function prefixOf(exchange: Exchange): string {
  return exchange instanceof BelowExchange ? exchange.prefix : ''
}

export function missingOf(exchange: Exchange): string {
  return exchange instanceof BelowExchange ? exchange.missing : ''
}

/**
 * The answer of a mounted app as a value, for what stands around the mount: middleware, dependencies that clean up. What stands around
 * nothing is answered through a BelowExchange, without this.
 */
export class CapturedExchange extends BelowExchange {
  readonly #settle: { resolve(answer: Answer): void; reject(error: unknown): void }
  #isAnswered = false

  constructor(
    outer: Exchange,
    path: string,
    prefix: string,
    settle: { resolve(answer: Answer): void; reject(error: unknown): void },
  ) {
    super(outer, path, prefix)
    this.#settle = settle
  }

  // Whoever stands around the mount waits for an answer, and a WebSocket would never be one.
  override get protocolSwitch(): undefined {
    return undefined
  }

  override get answered(): boolean {
    return this.#isAnswered || super.answered
  }

  override send(head: PreparedHead, body: string | Uint8Array | null, more: FieldList = []): void {
    if (this.answered) return
    this.#isAnswered = true
    this.#settle.resolve(more.length === 0 ? new Answer(head, body) : new Answer(head, body, more))
  }

  override sendReady({ head, body }: ReadyAnswer): void {
    this.send(head, body)
  }

  override start(head: PreparedHead, more: FieldList = [], length?: number): ResponseWriter {
    const pipe = new PipeWriter()
    if (this.answered) return pipe
    this.#isAnswered = true
    const answer = new Answer(head, pipe.readable, more.length === 0 ? undefined : more)
    answer.length = length
    answer.trailers = () => pipe.trailers
    this.#settle.resolve(answer)
    return pipe
  }

  override destroy(reason: unknown): void {
    if (!this.#isAnswered) this.#settle.reject(reason)
    super.destroy(reason)
  }
}

// 16 pieces, as app.fetch() has it.
const PIECES_HELD = 16

/** From a writer to a stream, and the reader's pace back. */
class PipeWriter implements ResponseWriter {
  readonly readable: ReadableStream<Uint8Array>
  readonly #pipe: WritableStreamDefaultWriter<Uint8Array>
  trailers: Readonly<Record<string, string>> = {}

  constructor() {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, {
      highWaterMark: PIECES_HELD,
    })
    this.readable = readable
    this.#pipe = writable.getWriter()
    this.#pipe.closed.catch(() => {})
  }

  write(piece: string | Uint8Array): boolean {
    this.#pipe.write(typeof piece === 'string' ? Buffer.from(piece) : piece).catch(() => {})
    return (this.#pipe.desiredSize ?? 0) > 0
  }

  async drained(): Promise<void> {
    await this.#pipe.ready
  }

  end(trailers: FieldList = []): void {
    const fields: Record<string, string> = {}
    for (let n = 0; n + 1 < trailers.length; n += 2) fields[trailers[n]!] = trailers[n + 1]!
    this.trailers = fields
    this.#pipe.close().catch(() => {})
  }

  // The connection is the outer answer's to close.
  part(): void {
    this.end()
  }

  abort(reason: unknown): void {
    this.#pipe.abort(reason).catch(() => {})
  }
}
