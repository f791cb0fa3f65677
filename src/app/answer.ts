// A response before it is written: what routes produce, middleware may change, and exactly one place sends.
import { MillraceError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import { prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import type { Coding } from './accept-encoding.ts'
import type { Log } from './context.ts'
import { PieceSource, pipeBody } from './stream.ts'

export type AnswerBody = string | Uint8Array | ReadableStream<Uint8Array> | null

/** Fields of one answer; names in any case, kept in lower case, several lines only through `append`. */
export class AnswerHeaders {
  readonly #lines: string[]

  constructor(lines: readonly string[] = []) {
    this.#lines = lines.map((text, n) => (n % 2 === 0 ? text.toLowerCase() : text))
  }

  get(name: string): string | undefined {
    const values = this.all(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  all(name: string): readonly string[] {
    const lower = name.toLowerCase()
    return this.#lines.filter((_, n) => n % 2 === 1 && this.#lines[n - 1] === lower)
  }

  has(name: string): boolean {
    const lower = name.toLowerCase()
    return this.#lines.some((text, n) => n % 2 === 0 && text === lower)
  }

  set(name: string, value: string): void {
    this.delete(name)
    this.append(name, value)
  }

  append(name: string, value: string): void {
    this.#lines.push(name.toLowerCase(), value)
  }

  delete(name: string): void {
    const lower = name.toLowerCase()
    for (let n = this.#lines.length - 2; n >= 0; n -= 2) if (this.#lines[n] === lower) this.#lines.splice(n, 2)
  }

  /** Adds a member to a list field such as Vary, once. */
  addToList(name: string, member: string): void {
    const now = this.get(name)
    const members = now?.split(',').map(text => text.trim().toLowerCase()) ?? []
    if (members.includes('*') || members.includes(member.toLowerCase())) return
    this.set(name, now ? `${now}, ${member}` : member)
  }

  /** Name and value in turn. */
  get lines(): readonly string[] {
    return this.#lines
  }
}

/** A change to fields that is the same for every answer: middleware makes it once (bench json). */
export class Amendment {
  readonly change: (headers: AnswerHeaders) => void
  readonly #amended = new WeakMap<PreparedHead, PreparedHead>()

  constructor(change: (headers: AnswerHeaders) => void) {
    this.change = change
  }

  of(head: PreparedHead): PreparedHead {
    const known = this.#amended.get(head)
    if (known) return known
    const headers = new AnswerHeaders(head.fields)
    this.change(headers)
    const amended = prepareHead(head.status, headers.lines)
    this.#amended.set(head, amended)
    return amended
  }
}

export interface KeptBody {
  readonly body: string | Uint8Array | null
  /** In a content coding; made by the first who asks for it. */
  coded(coding: Coding, make: (body: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array>
}

/** Status, headers and body of a response. Middleware gets it from `next()` and may change it in place. */
export class Answer {
  /** The head as its route prepared it at start-up; dropped as soon as somebody asks for `headers` or sets `status`. */
  #prepared: PreparedHead | undefined
  #status: number
  #headers: AnswerHeaders | undefined
  #body: AnswerBody | PieceSource
  /** Bytes of a streamed body, when known; who changes the body clears it. */
  length: number | undefined = undefined
  /** Fields behind a streamed body, asked for when its last piece is out. */
  trailers: (() => Readonly<Record<string, string>>) | undefined = undefined
  /** What went wrong, when this answers an error; for logs and metrics, never sent. */
  error: unknown = undefined
  /** What a cache keeps of it; for who makes of its body what is the same for every request. */
  kept: KeptBody | undefined = undefined

  constructor(head: PreparedHead | number, body: AnswerBody | PieceSource, fields?: readonly string[]) {
    if (typeof head === 'number') {
      this.#prepared = undefined
      this.#status = head
      this.#headers = new AnswerHeaders(fields)
    } else {
      this.#prepared = fields ? undefined : head
      this.#status = head.status
      this.#headers = fields ? new AnswerHeaders([...head.fields, ...fields]) : undefined
    }
    this.#body = body
  }

  /** A stream of items becomes a web stream when it is asked for here. */
  get body(): AnswerBody {
    return this.#body instanceof PieceSource ? (this.#body = this.#body.toStream()) : this.#body
  }

  set body(body: AnswerBody) {
    this.#body = body
  }

  /** The body as it is, for who sends it. */
  get source(): AnswerBody | PieceSource {
    return this.#body
  }

  get status(): number {
    return this.#status
  }

  set status(status: number) {
    this.#headers ??= new AnswerHeaders(this.#prepared?.fields)
    this.#prepared = undefined
    this.#status = status
  }

  get headers(): AnswerHeaders {
    if (!this.#headers) {
      this.#headers = new AnswerHeaders(this.#prepared?.fields)
      this.#prepared = undefined
    }
    return this.#headers
  }

  /** The head as its route prepared it, while nobody has changed it. */
  get prepared(): PreparedHead | undefined {
    return this.#prepared
  }

  /** Changes fields as `amendment` says; of a head that its route prepared, worked out once and not for each answer. */
  amend(amendment: Amendment): void {
    if (this.#prepared) this.#prepared = amendment.of(this.#prepared)
    else amendment.change(this.headers)
  }

  get head(): PreparedHead {
    return this.#prepared ?? prepareHead(this.#status, this.#headers?.lines)
  }
}

/** An answer that only its request can complete, and that takes time: a file, whose status hangs on what the client has already. */
export abstract class LateAnswer extends Answer {
  constructor(head: PreparedHead | number = 200) {
    super(head, null)
  }

  /** @throws what it fails with; nothing is held open then */
  abstract complete(exchange: Exchange): Promise<Answer>

  /** It will not be completed. */
  abandon(): void {}
}

/** An answer that ends HTTP on its connection: 101, and then another protocol. */
export abstract class SwitchAnswer extends Answer {
  constructor() {
    super(101, null)
  }

  /**
   * Switches and serves.
   *
   * @returns settles when the connection is gone, and never rejects; `error` is what went wrong by then
   * @throws UsageError `HTTP_BAD_FIELD`; nothing has been written then
   */
  abstract switch(exchange: Exchange): Promise<void>

  /** Somebody has answered otherwise: lets go of what was made for it. */
  abstract abandon(): void
}

/** From the web platform's Response; its body stays a stream. */
export function answerFromResponse(response: Response): Answer {
  // Connection-level fields belong to the engine; a Response that was fetched elsewhere may carry them.
  const fields: string[] = []
  let length: string | undefined
  for (const [name, value] of response.headers) {
    if (name === 'content-length') length = value
    else if (!HOP_BY_HOP.has(name)) fields.push(name, value)
  }
  if (response.bodyUsed || response.body?.locked)
    throw new BadAnswerError('this Response has been sent or read already; make a new one for each request')
  const answer = new Answer(response.status === 0 ? 500 : response.status, response.body, fields)
  if (
    length !== undefined &&
    response.body !== null &&
    /^\d{1,15}$/.test(length) &&
    !response.headers.has('content-encoding')
  )
    answer.length = Number(length)
  return answer
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'proxy-connection',
])

/**
 * The one place where an answer is written.
 *
 * @returns a promise only for a streamed body: it settles when the last piece is out or the stream was cut, and never rejects
 */
export function send(exchange: Exchange, answer: Answer, log?: Log): void | Promise<void> {
  if (answer.error !== undefined) exchange.record.error = answer.error
  const { source: body } = answer
  if (answer instanceof SwitchAnswer) return exchange.answered ? answer.abandon() : answer.switch(exchange)
  if (body instanceof ReadableStream || body instanceof PieceSource) {
    if (exchange.method === 'HEAD' || answer.head.isBodyless || exchange.answered) {
      // `start` and not `send`: no body here is not a body of length 0.
      exchange.start(answer.head, undefined, answer.length).end()
      return discard(answer)
    }
    const writer = exchange.start(answer.head, undefined, answer.length)
    if (body instanceof PieceSource) return body.pipe(exchange, writer, log)
    return pipeBody(exchange, writer, body, answer.trailers, log)
  }
  exchange.send(answer.head, body)
}

/** An answer that nobody will read lets go of what its stream holds open. A stream that somebody has wrapped is theirs to end. */
export function discard(answer: Answer): void {
  const { source } = answer
  if (answer instanceof LateAnswer || answer instanceof SwitchAnswer) answer.abandon()
  if (source instanceof PieceSource) source.discard()
  else if (source instanceof ReadableStream && !source.locked) source.cancel().catch(() => {})
}

/** A handler gave something that no answer can be made of. */
export class BadAnswerError extends MillraceError {
  constructor(message: string) {
    super('APP_BAD_ANSWER', message, { status: 500 })
  }
}
