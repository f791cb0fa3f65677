// From what a handler returned to an answer: which status, which serializer, which head. Built once per route.
import { UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import { prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import type { Schema } from '../schema/schema.ts'
import { compileResponse } from '../schema/serialize.ts'
import { Answer, answerFromResponse, BadAnswerError } from './answer.ts'
import { type BodyEncoder, type CompiledContent, contentKindOf } from './content-kind.ts'
import { dress } from './dress.ts'
import type { LiveStreams } from './live-streams.ts'
import { MadeReply, type StatusMap } from './reply.ts'

interface Coded {
  readonly head: PreparedHead
  /** undefined: declared as null, no body. */
  readonly encoder: BodyEncoder | undefined
  /** For what is declared as something else than one JSON value. */
  readonly content?: CompiledContent
}

const JSON_FIELDS = ['content-type', 'application/json']
const BYTES_FIELDS = ['content-type', 'application/octet-stream']
const PLAIN: BodyEncoder = { encode: jsonText }

/** `returns` as a status map; a bare schema stands for 200. */
export function statusMap(returns: Schema | StatusMap | undefined): StatusMap | undefined {
  if (returns === undefined) return undefined
  const keys = Object.keys(returns)
  const isMap =
    keys.length > 0 && keys.every(key => /^[1-5]\d\d$/.test(key)) && !('~standard' in returns) && !('_zod' in returns)
  return isMap ? (returns as StatusMap) : { 200: returns as Schema }
}

export class Responder {
  readonly #coded = new Map<number, Coded>()
  readonly #bare: Coded & { readonly status: number }
  readonly #declares: boolean

  /** @throws UsageError for a status that cannot have the body it declares, or a schema that cannot be serialized, naming the route */
  constructor(returns: StatusMap | undefined, outer: StatusMap, where: string, streams: LiveStreams) {
    this.#declares = returns !== undefined
    const all = { ...outer, ...returns }
    for (const [key, schema] of Object.entries(all)) {
      const status = Number(key)
      if (isBodyless(status) && schema !== null)
        throw new UsageError('APP_BODYLESS_STATUS', `${where}: ${status} has no body; declare it as null`)
      this.#coded.set(status, compile(status, schema, `${where} returns ${status}`, streams))
    }
    const lowest = Object.keys(returns ?? {})
      .map(Number)
      .filter(status => status >= 200 && status < 300)
      .sort((a, b) => a - b)[0]
    const status = lowest ?? 200
    this.#bare = { status, ...(this.#coded.get(status) ?? { head: prepareHead(status, JSON_FIELDS), encoder: PLAIN }) }
  }

  /** @throws BadAnswerError, or the serializer's error, when no answer can be made of it; both are a 500 */
  answer(value: unknown): Answer {
    if (typeof value === 'object' && value !== null && !isData(value)) {
      if (value instanceof MadeReply) return this.#reply(value)
      if (value instanceof Response) return answerFromResponse(value)
      if (value instanceof Answer) return value
      if (!this.#declares) {
        if (value instanceof Uint8Array) return new Answer(200, value, BYTES_FIELDS)
        if (value instanceof ReadableStream) return new Answer(200, value as ReadableStream<Uint8Array>, BYTES_FIELDS)
        if (Symbol.asyncIterator in value || (Symbol.iterator in value && 'next' in value))
          throw new BadAnswerError('a handler returned an iterator; return stream(it) to send its pieces')
      }
    }
    return code(this.#bare, value)
  }

  /**
   * Sends what needs no Answer in between: a bare value of plain data, the usual one (bench/micro/request).
   *
   * @returns false when `answer` has to make one; nothing has been sent then
   * @throws the serializer's error, before anything is sent
   */
  sendData(exchange: Exchange, value: unknown): boolean {
    const { head, encoder, content } = this.#bare
    if (typeof value === 'object' && value !== null && (content !== undefined || !isData(value))) return false
    exchange.send(head, encoder === undefined ? null : encoder.encode(value))
    return true
  }

  #reply({ status, body, init }: MadeReply): Answer {
    let coded = this.#coded.get(status)
    if (!coded) {
      if (this.#declares) throw new BadAnswerError(`reply(${status}): the route declares no such status in its returns`)
      coded = {
        head: prepareHead(status, isBodyless(status) ? [] : JSON_FIELDS),
        encoder: isBodyless(status) ? undefined : PLAIN,
      }
    }
    const answer = code(coded, body)
    return init ? dress(answer, init) : answer
  }
}

function compile(status: number, schema: Schema | null, where: string, streams: LiveStreams): Coded {
  if (schema === null) return { head: prepareHead(status), encoder: undefined }
  const kind = contentKindOf(schema)
  if (kind === undefined) return { head: prepareHead(status, JSON_FIELDS), encoder: compileResponse(schema, where) }
  const content = kind.compile(where, streams)
  return { head: prepareHead(status, kind.fields), encoder: content.encoder, content }
}

// 205 as well: RFC 9110 §15.3.6 has no content for it.
function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

/** An object or list as literals make them: the usual value, and none of what is told apart by class. */
function isData(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype
}

function code(coded: Coded, value: unknown): Answer {
  if (coded.content) return coded.content.answer(coded.head, value)
  return new Answer(coded.head, coded.encoder ? coded.encoder.encode(value) : null)
}

// undefined, functions and symbols have no JSON; a handler without a return says null, as in FastAPI.
function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}
