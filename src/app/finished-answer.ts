// A whole answer as a cache keeps it: a head that is prepared, a body that is complete, and what follows from both, worked out once: the entity
// tag, the answer to who has it already, a part of it, its compressed forms. And its form for the way to other workers.
import { hash } from 'node:crypto'
import type { ValueCodec } from '../cache/value-codec.ts'
import type { Exchange } from '../http/exchange.ts'
import { type FieldList, prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import type { Coding } from './accept-encoding.ts'
import { Answer } from './answer.ts'
import { contentRange, rangeOf } from './byte-range.ts'
import { isCompressibleType } from './compressible.ts'
import { isRangeWanted, judge, unmodifiedFields } from './conditional.ts'
import { parseDate } from './date-field.ts'
import { HttpError } from './http-error.ts'

type WholeBody = string | Uint8Array | null

/** What a request may ask of an answer that is there: any of these, and it takes more than sending it. */
export const CONDITIONS: ReadonlySet<string> = new Set([
  'authorization',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'range',
])

export class FinishedAnswer {
  readonly head: PreparedHead
  readonly body: WholeBody
  /** When it was made, by the clock of the host that made it. */
  readonly madeAtMs: number
  /** What went wrong, where it answers an error. */
  readonly error: unknown
  readonly #etag: string | undefined
  #unmodified: PreparedHead | undefined
  #coded: Map<Coding, Promise<Uint8Array>> | undefined

  constructor(head: PreparedHead, body: WholeBody, madeAtMs: number, error?: unknown) {
    this.head = head
    this.body = body
    this.madeAtMs = madeAtMs
    this.error = error
    this.#etag = valueOf(head.fields, 'etag')
  }

  /** With a tag made from its bytes, where it is a 200 that says none itself. */
  static of(status: number, fields: FieldList, body: WholeBody, error?: unknown): FinishedAnswer {
    const isTagged =
      status === 200 &&
      body !== null &&
      valueOf(fields, 'etag') === undefined &&
      !/\bno-store\b/i.test(valueOf(fields, 'cache-control') ?? '')
    // 162 bits of it: two bodies never have the same.
    const more = isTagged ? ['etag', `"${hash('sha256', body, 'base64url').slice(0, 27)}"`] : []
    // Prepared again where fields were added, so that a hit walks no field list.
    return new FinishedAnswer(prepareHead(status, [...fields, ...more]), body, Date.now(), error)
  }

  /** As this request asks for it: whole, a part of it, or that the client has it. @throws HttpError 412 and 416 */
  answerTo({ method, fields }: Exchange, more?: FieldList): Answer {
    if (this.head.status !== 200 || !fields.hasAny(CONDITIONS)) return this.#whole(more)
    const modified = valueOf(this.head.fields, 'last-modified')
    const validators = {
      etag: this.#etag,
      modifiedMs: modified === undefined ? undefined : parseDate(modified),
    }
    const verdict = judge(method, fields, validators)
    if (verdict === 412) throw new HttpError(412, 'What is there is not in the state that the request asks for')
    if (verdict === 304) {
      this.#unmodified ??= prepareHead(304, unmodifiedFields(this.head.fields))
      return this.#kept(new Answer(this.#unmodified, null, more))
    }
    if (method !== 'GET' || this.body === null || !isRangeWanted(fields, validators)) return this.#whole(more)
    const bytes = typeof this.body === 'string' ? Buffer.from(this.body) : this.body
    const range = rangeOf(fields.get('range'), bytes.byteLength)
    if (range === 'whole') return this.#whole(more)
    if (range === 'unsatisfiable')
      throw new HttpError(416, 'There are no such bytes', {
        headers: { 'content-range': `bytes */${bytes.byteLength}` },
      })
    const part = bytes.subarray(range.start, range.start + range.length)
    const partFields = [...this.head.fields, 'content-range', contentRange(range, bytes.byteLength), ...(more ?? [])]
    return this.#kept(new Answer(206, part, partFields))
  }

  /** Its body in a coding; made once for each. */
  coded(coding: Coding, make: (body: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array> {
    this.#coded ??= new Map()
    let made = this.#coded.get(coding)
    if (made === undefined) {
      const bytes = typeof this.body === 'string' ? Buffer.from(this.body) : (this.body ?? NOTHING)
      made = Promise.resolve(bytes).then(make)
      this.#coded.set(coding, made)
      made.catch(() => this.#coded?.delete(coding))
    }
    return made
  }

  /** The same, had it been made so many seconds before. */
  agedBy(seconds: number): FinishedAnswer {
    return new FinishedAnswer(this.head, this.body, this.madeAtMs - seconds * 1000, this.error)
  }

  /** Seconds since it was made. */
  get age(): number {
    return Math.max(0, Math.floor((Date.now() - this.madeAtMs) / 1000))
  }

  #whole(more: FieldList | undefined): Answer {
    return this.#kept(new Answer(this.head, this.body, more))
  }

  #kept(answer: Answer): Answer {
    answer.kept = this
    answer.error = this.error
    return answer
  }
}

/** Bytes in memory, with room for one compressed form where there may be any. */
export function finishedBytes(value: unknown): number {
  const { head, body } = value as FinishedAnswer
  const bytes = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  const isCoded = isCompressibleType(valueOf(head.fields, 'content-type') ?? '')
  return FEW_BYTES + head.text.length * 2 + (isCoded ? 2 * bytes : bytes)
}

/** Objects and their fields. */
const FEW_BYTES = 400

/** What stands before the body. */
interface Preface {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: 'none' | 'text' | 'bytes'
  readonly length: number
  readonly madeAtMs: number
}

const KINDS: ReadonlySet<Preface['body']> = new Set(['none', 'text', 'bytes'])

const KIND = 'A'.charCodeAt(0)
/** Kind, and the length of the preface. */
const HEADER_BYTES = 5

export const finishedCodec: ValueCodec = {
  encode(value) {
    const { head, body, madeAtMs, error } = value as FinishedAnswer
    // Middleware may look at the error itself, and that does not travel.
    if (error !== undefined) return undefined
    const kind = body === null ? 'none' : typeof body === 'string' ? 'text' : 'bytes'
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? NOTHING)
    const { status, fields } = head
    const preface = Buffer.from(
      JSON.stringify({ status, fields, body: kind, length: bytes.byteLength, madeAtMs } satisfies Preface),
    )
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = KIND
    header.writeUInt32BE(preface.byteLength, 1)
    return Buffer.concat([header, preface, bytes])
  },
  /** What is no head of ours is refused by `prepareHead`. */
  decode(encoded) {
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
    if (bytes[0] !== KIND) throw new TypeError('these bytes hold no answer')
    const bodyAt = HEADER_BYTES + bytes.readUInt32BE(1)
    const { status, fields, body, length, madeAtMs } = JSON.parse(
      bytes.toString('utf8', HEADER_BYTES, bodyAt),
    ) as Preface
    const rest = bytes.subarray(bodyAt)
    if (rest.byteLength !== length) throw new TypeError('this answer has been cut')
    if (!Array.isArray(fields) || fields.length % 2 === 1 || !Number.isFinite(madeAtMs) || !KINDS.has(body))
      throw new TypeError('what stands before this answer is not ours')
    const whole = body === 'text' ? rest.toString() : body === 'none' ? null : Uint8Array.from(rest)
    return new FinishedAnswer(prepareHead(status, fields), whole, madeAtMs)
  },
}

const NOTHING = new Uint8Array()

/** Of the first line of that name. */
export function valueOf(fields: FieldList, name: string): string | undefined {
  for (let n = 0; n + 1 < fields.length; n += 2) if (fields[n]!.toLowerCase() === name) return fields[n + 1]
  return undefined
}
