// The engine's seam over the web platform's Request and Response, for app.fetch(): same stages, no socket.
import { DeadlineError } from '../core/deadline.ts'
import { RequestRecord } from '../core/request-record.ts'
import { bodyTooLarge } from '../http/errors.ts'
import type { Exchange, FieldLines, Peer, RequestBody, ResponseWriter } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import { encodeFields, type FieldList, type PreparedHead } from '../http/prepared-head.ts'
import { normalPath } from '../http/request-target.ts'
import { wrongLength } from '../http/response-writer.ts'
import { problemAnswer } from './problem.ts'
import { send } from './answer.ts'

/** Never rejects: what a handler throws is its app's business, and a cut connection is an error of the Response's body. */
export async function fetchThrough(handler: Handler, request: Request): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    const exchange = new FetchExchange(request, resolve, reject)
    try {
      exchange.path = normalPath(exchange.rawPath)
    } catch (error) {
      void send(exchange, problemAnswer(error, 'problem'))
      return
    }
    const run = async () => handler(exchange)
    run().catch((error: unknown) => void send(exchange, problemAnswer(error, 'problem')))
  })
}

const NOBODY_READS: ResponseWriter = { write: () => true, drained: async () => {}, end() {}, abort() {} }
const NOBODY: Peer = { address: '', port: 0, encrypted: false }

/** setTimeout takes no longer delay: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

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

  entries(): Iterable<readonly [string, string]> {
    return this.#headers.entries()
  }
}

class FetchBody implements RequestBody {
  readonly kind: 'none' | 'length' | 'chunked'
  readonly length: number | undefined
  readonly #request: Request
  readonly #record: RequestRecord
  #maxBytes: number = DEFAULT_LIMITS.maxBodyBytes

  constructor(request: Request, record: RequestRecord) {
    const declared = request.headers.get('content-length')
    this.length =
      request.body === null ? 0 : declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined
    this.kind = request.body === null ? 'none' : this.length === undefined ? 'chunked' : 'length'
    this.#request = request
    this.#record = record
  }

  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  bytes(maxBytes: number = this.#maxBytes): Uint8Array | Promise<Uint8Array> {
    if (this.kind === 'none') return new Uint8Array(0)
    this.#maxBytes = maxBytes
    return this.#collect()
  }

  async #collect(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const piece of this) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.length !== undefined && this.length > this.#maxBytes) throw bodyTooLarge(this.#maxBytes)
    let total = 0
    for await (const piece of this.#request.body ?? []) {
      total += piece.byteLength
      this.#record.bytesIn = total
      if (total > this.#maxBytes) throw bodyTooLarge(this.#maxBytes)
      yield piece
    }
  }
}

class FetchExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly rawPath: string
  path = '/'
  readonly search: string
  readonly authority: string
  readonly scheme: 'http' | 'https'
  readonly fields: FieldLines
  readonly body: RequestBody
  readonly peer = NOBODY
  readonly record = new RequestRecord()
  answered = false
  readonly #stop = new AbortController()
  readonly #resolve: (response: Response) => void
  readonly #reject: (reason: unknown) => void
  #timer: NodeJS.Timeout | undefined

  constructor(request: Request, resolve: (response: Response) => void, reject: (reason: unknown) => void) {
    const url = new URL(request.url)
    this.method = request.method
    this.rawPath = url.pathname
    this.search = url.search.slice(1)
    this.target = url.pathname + url.search
    this.authority = url.host
    this.scheme = url.protocol === 'https:' ? 'https' : 'http'
    this.record.reset(request.method, performance.now())
    this.fields = new FetchFields(request.headers)
    this.body = new FetchBody(request, this.record)
    this.#resolve = resolve
    this.#reject = reject
    const leave = () => this.#stop.abort(request.signal.reason)
    if (request.signal.aborted) leave()
    else request.signal.addEventListener('abort', leave, { once: true })
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  send(head: PreparedHead, body: string | Uint8Array | null, more: readonly string[] = []): void {
    if (this.answered) return
    const hasBody = !head.isBodyless && this.method !== 'HEAD' && body !== null
    const response = this.#response(head, more, hasBody ? (body as string | Uint8Array<ArrayBuffer>) : null)
    if (body !== null && !head.isBodyless)
      response.headers.set(
        'content-length',
        String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength),
      )
    this.#answer(response)
  }

  start(head: PreparedHead, more: readonly string[] = [], length?: number): ResponseWriter {
    if (this.answered) return NOBODY_READS
    const hasBody = !head.isBodyless && this.method !== 'HEAD'
    const pipe = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 16 })
    const response = this.#response(head, more, hasBody ? pipe.readable : null)
    if (length !== undefined && !head.isBodyless) response.headers.set('content-length', String(length))
    this.#answer(response)
    if (!hasBody) return NOBODY_READS
    const writer = pipe.writable.getWriter()
    const text = new TextEncoder()
    writer.closed.catch((reason: unknown) => this.#stop.abort(reason))
    const abort = (reason: unknown) => void writer.abort(reason).catch(() => {})
    let written = 0
    return {
      write: piece => {
        const bytes = typeof piece === 'string' ? text.encode(piece) : piece
        written += bytes.byteLength
        if (length !== undefined && written > length) abort(wrongLength(length, written))
        else writer.write(bytes).catch(() => {})
        return (writer.desiredSize ?? 0) > 0
      },
      drained: () => writer.ready.then(() => {}),
      end: (trailers = []) => {
        encodeFields(trailers)
        if (length !== undefined && written !== length) abort(wrongLength(length, written))
        else void writer.close().catch(() => {})
      },
      abort,
    }
  }

  // A Response is the final one.
  earlyHints(fields: FieldList): void {
    encodeFields(fields)
  }

  destroy(reason: unknown): void {
    clearTimeout(this.#timer)
    this.answered = true
    this.#stop.abort(reason)
    this.#reject(reason)
  }

  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void {
    clearTimeout(this.#timer)
    if (timeoutMs === Infinity || this.answered) return
    const remainingMs = this.record.startedMs + timeoutMs - performance.now()
    const stop = () => {
      if (this.answered) return
      this.#stop.abort(new DeadlineError(`no answer within ${timeoutMs} ms`))
      passed(this)
    }
    this.#timer = setTimeout(stop, Math.min(remainingMs, LONGEST_TIMER_MS))
  }

  #answer(response: Response): void {
    this.answered = true
    this.record.status = response.status
    clearTimeout(this.#timer)
    this.#resolve(response)
  }

  #response(
    head: PreparedHead,
    more: readonly string[],
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  ): Response {
    encodeFields(more)
    const headers = new Headers()
    for (const fields of [head.fields, more])
      for (let n = 0; n + 1 < fields.length; n += 2) headers.append(fields[n]!, fields[n + 1]!)
    return new Response(body as BodyInit | null, { status: head.status, headers })
  }
}
