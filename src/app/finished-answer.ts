// A whole answer as a cache keeps it: a head that is prepared and a body that is complete; and its form for the way to other workers.
import { prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import type { ValueCodec } from '../cache/value-codec.ts'

export interface FinishedAnswer {
  readonly head: PreparedHead
  readonly body: string | Uint8Array | null
}

/** What stands before the body. */
interface Preface {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: 'none' | 'text' | 'bytes'
  readonly length: number
}

const KIND = 'A'.charCodeAt(0)
/** Kind, and the length of the preface. */
const HEADER_BYTES = 5

export const finishedCodec: ValueCodec = {
  encode(value) {
    const { head, body } = value as FinishedAnswer
    const kind = body === null ? 'none' : typeof body === 'string' ? 'text' : 'bytes'
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? NOTHING)
    const { status, fields } = head
    const preface = Buffer.from(
      JSON.stringify({ status, fields, body: kind, length: bytes.byteLength } satisfies Preface),
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
    const { status, fields, body, length } = JSON.parse(bytes.toString('utf8', HEADER_BYTES, bodyAt)) as Preface
    const rest = bytes.subarray(bodyAt)
    if (rest.byteLength !== length) throw new TypeError('this answer has been cut')
    const head = prepareHead(status, fields)
    if (body === 'text') return { head, body: rest.toString() } satisfies FinishedAnswer
    return { head, body: body === 'none' ? null : Uint8Array.from(rest) } satisfies FinishedAnswer
  },
}

const NOTHING = new Uint8Array()
