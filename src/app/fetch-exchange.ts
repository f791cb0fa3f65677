// The engine's seam over the web platform's Request and Response, for app.fetch(): same stages, no socket.
import type { RequestRecord } from '../core/request-record.ts'
import { answerCut, clientGone } from '../http/errors.ts'
import type { FieldLines, Peer, RequestBody, ResponseWriter } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import { encodeFields, type FieldList, type PreparedHead } from '../http/prepared-head.ts'
import { NO_BODY } from '../http/request-body.ts'
import { normalPath } from '../http/request-target.ts'
import { send } from './answer.ts'
import { BodyFeed, bodyTaken } from './body-feed.ts'
import { EmbeddedExchange, EmbeddedWriter, type ExchangeOwner, NOBODY_READS } from './embedded-exchange.ts'
import type { BodyLimits } from './own-limits.ts'
import { problemAnswer } from './problem.ts'

/** Rejects only for an answer that is cut before its head; one that is cut later is an error of the Response's body. */
export function fetchThrough(handler: Handler, request: Request, owner: ExchangeOwner): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    const url = new URL(request.url)
    const exchange = new FetchExchange(request, url, owner, resolve, reject)
    try {
      exchange.path = normalPath(url.pathname)
      const promise = handler(exchange)
      if (promise !== undefined) promise.then(undefined, (error: unknown) => failed(exchange, error))
    } catch (error) {
      failed(exchange, error)
    }
  })
}

function failed(exchange: FetchExchange, error: unknown): void {
  if (exchange.answered) exchange.destroy(error)
  else void send(exchange, problemAnswer(error, 'problem'))
}

const NOBODY: Peer = { address: '', port: 0, encrypted: false }

class FetchFields implements FieldLines {
  readonly #headers: Headers

  constructor(headers: Headers) {
    this.#headers = headers
  }

  get(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined
  }

  // Headers joins repeats; what it joined cannot be told apart from a list, so one text is the best there is.
  all(name: string): readonly string[] {
    const value = this.#headers.get(name)
    return value === null ? [] : [value]
  }

  has(name: string): boolean {
    return this.#headers.has(name)
  }

  hasAny(names: ReadonlySet<string>): boolean {
    for (const name of names) if (this.#headers.has(name)) return true
    return false
  }

  entries(): Iterable<readonly [string, string]> {
    return this.#headers.entries()
  }
}

/** Reads the Request's stream. A Content-Length that somebody set must be true: half a body must not look like one. */
class FetchFeed extends BodyFeed {
  readonly #request: Request
  readonly #watchClient: () => void
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #isReading = false
  #isStopped = false

  /** @param watchClient  called when the body is first read: from then on a client that leaves fails it */
  constructor(request: Request, limits: BodyLimits, watchClient: () => void) {
    const declared = request.headers.get('content-length')
    super(declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined, limits)
    this.#request = request
    this.#watchClient = watchClient
  }

  protected read(): void {
    if (this.#isReading) return
    if (this.#reader === undefined) {
      const { body } = this.#request
      if (body!.locked || this.#request.bodyUsed)
        return this.fail(bodyTaken('the body of this Request was read before app.fetch() got it; pass on a clone'))
      this.#reader = body!.getReader()
      this.#watchClient()
    }
    this.#isReading = true
    void this.#fill(this.#reader)
  }

  async #fill(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const { body } = this
    try {
      while (!this.#isStopped && !body.isFull) {
        const { done, value } = await reader.read()
        if (this.#isStopped) break
        if (!done) body.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
        const isShort = body.length !== undefined && body.received < body.length
        if (body.length !== undefined && body.received > body.length) throw new Error('longer than its Content-Length')
        if (!done) continue
        if (isShort) throw new Error('shorter than its Content-Length')
        return this.finish()
      }
    } catch (error) {
      this.abandon(error)
    }
    this.#isReading = false
  }

  protected stop(): void {
    this.#isStopped = true
    this.#reader?.cancel().catch(() => {})
  }
}

class FetchExchange extends EmbeddedExchange {
  readonly authority: string
  readonly scheme: 'http' | 'https'
  readonly fields: FieldLines
  readonly body: RequestBody
  readonly peer = NOBODY
  readonly #request: Request
  readonly #resolve: (response: Response) => void
  readonly #reject: (reason: unknown) => void
  #pipe: PipeWriter | undefined
  #isWatched = false

  constructor(
    request: Request,
    url: URL,
    owner: ExchangeOwner,
    resolve: (response: Response) => void,
    reject: (reason: unknown) => void,
  ) {
    super(owner, request.method, url.pathname + url.search)
    this.search = url.search.slice(1)
    this.authority = url.host
    this.scheme = url.protocol === 'https:' ? 'https' : 'http'
    this.fields = new FetchFields(request.headers)
    if (request.body === null) this.body = NO_BODY
    else {
      this.feed = new FetchFeed(request, owner.bodyLimits, () => this.watchClient())
      this.body = this.feed.body
    }
    this.#request = request
    this.#resolve = resolve
    this.#reject = reject
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more: FieldList = []): void {
    if (this.answered) return
    const length = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    const hasBody = !head.isBodyless && this.method !== 'HEAD' && body !== null
    const response = toResponse(
      head,
      more,
      head.isBodyless ? undefined : length,
      hasBody ? (body as string | Uint8Array<ArrayBuffer>) : null,
    )
    this.begin(head.status)
    if (hasBody) this.record.bytesOut = length
    this.#resolve(response)
    this.over()
  }

  start(head: PreparedHead, more: FieldList = [], length?: number): ResponseWriter {
    if (this.answered) return NOBODY_READS
    if (head.isBodyless || this.method === 'HEAD') {
      const response = toResponse(head, more, head.isBodyless ? undefined : length, null)
      this.begin(head.status)
      this.#resolve(response)
      this.over()
      return NOBODY_READS
    }
    const pipe = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 16 })
    const response = toResponse(head, more, length, pipe.readable)
    this.begin(head.status)
    this.#pipe = new PipeWriter(this.record, length, pipe.writable.getWriter(), reason => {
      if (reason !== undefined) this.abort(reason)
      this.over()
    })
    this.#resolve(response)
    return this.#pipe
  }

  // A Response is the final one.
  earlyHints(fields: FieldList): void {
    encodeFields(fields)
  }

  protected cut(reason: unknown): void {
    this.#reject(reason)
    this.#pipe?.abort(reason)
  }

  // One listener for both who ask, the signal and the body: on a Request's signal it costs as much as a small handler.
  protected watchClient(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    const { signal } = this.#request
    const leave = () => {
      const reason = clientGone(signal.reason)
      this.abort(reason)
      this.feed?.abandon(reason)
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  }
}

/** To the Response's body, which its reader may cancel. */
class PipeWriter extends EmbeddedWriter {
  readonly #pipe: WritableStreamDefaultWriter<Uint8Array>
  readonly #text = new TextEncoder()
  #cutBy: unknown

  /** @param ended  called once; with a reason when the reader has gone or the answer was cut */
  constructor(
    record: RequestRecord,
    length: number | undefined,
    pipe: WritableStreamDefaultWriter<Uint8Array>,
    ended: (reason?: unknown) => void,
  ) {
    super(record, length, true)
    this.#pipe = pipe
    pipe.closed.then(
      () => ended(),
      (reason: unknown) => ended(this.#cutBy ?? clientGone(reason)),
    )
  }

  protected put(piece: string | Uint8Array): boolean {
    this.#pipe.write(typeof piece === 'string' ? this.#text.encode(piece) : piece).catch(() => {})
    return (this.#pipe.desiredSize ?? 0) > 0
  }

  async drained(): Promise<void> {
    await this.#pipe.ready
  }

  protected finish(): void {
    this.#pipe.close().catch(() => {})
  }

  protected cut(reason: unknown): void {
    this.#cutBy = answerCut(reason)
    this.#pipe.abort(reason).catch(() => {})
  }
}

function toResponse(
  head: PreparedHead,
  more: FieldList,
  length: number | undefined,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
): Response {
  encodeFields(more)
  const headers: [string, string][] = []
  for (const fields of [head.fields, more])
    for (let n = 0; n + 1 < fields.length; n += 2) headers.push([fields[n]!, fields[n + 1]!])
  if (length !== undefined) headers.push(['content-length', String(length)])
  return new Response(body as BodyInit | null, { status: head.status, headers })
}
