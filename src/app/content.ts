// Answers that are not JSON: text, bytes, and bodies that are made piece by piece.
import { prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import { Answer, type AnswerBody, BadAnswerError } from './answer.ts'
import type { Reply, ReplyInit } from './reply.ts'
import { dress } from './responder.ts'

export interface ContentInit extends ReplyInit {
  /** Default 200. */
  readonly status?: number
  /** Content-Type. Default: text/plain in UTF-8 for text, application/octet-stream for the others. */
  readonly type?: string
}

export type Piece = string | Uint8Array

/** Where the pieces of a streamed body come from: a web stream, a generator, a `Readable` of Node's. */
export type Pieces = ReadableStream<Piece> | AsyncIterable<Piece> | (Iterable<Piece> & object)

export interface StreamInit extends ContentInit {
  /** Bytes of the body, when known: sent as Content-Length. A body of another length cuts the connection. */
  readonly length?: number
  /**
   * Fields behind the body, asked for when its last piece has been written: a checksum, a count. Left out where there is no place for
   * them: HTTP/1.0, app.fetch, and HTTP/1.1 with a `length`.
   */
  readonly trailers?: () => Readonly<Record<string, string>>
}

/** Text in UTF-8, with its length. @example app.get('/robots.txt', () => text('User-agent: *\nDisallow:\n')) */
export function text(content: string, init?: ContentInit): Reply {
  return asReply(content, init, 'text/plain; charset=utf-8')
}

/** Bytes as they are, with their length. They must not change until they are sent. */
export function bytes(content: Uint8Array, init?: ContentInit): Reply {
  return asReply(content, init, 'application/octet-stream')
}

/**
 * A body written as its pieces come, none taken before the client has room for it. When the client goes away the source is cancelled:
 * a generator's `finally` runs as soon as what it awaits has settled. An error of the source cuts the connection, so that a part never
 * passes for the whole.
 *
 * @example
 * app.get('/lines', () => stream(lines(), { type: 'text/plain; charset=utf-8' }))
 * async function* lines() { for (let n = 0; n < 1000; n++) yield `${n}\n` }
 *
 * @throws BadAnswerError `APP_BAD_ANSWER` for what is no source, one that is in use, or a `length` that is no number of bytes
 */
export function stream(source: Pieces, init: StreamInit = {}): Reply {
  const { length, trailers } = init
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0))
    throw new BadAnswerError(`stream(): length is a number of bytes, not ${String(length)}`)
  const answer = made(streamOf(source), init, 'application/octet-stream')
  answer.length = length
  answer.trailers = trailers
  return answer as unknown as Reply
}

function asReply(content: string | Uint8Array, init: ContentInit | undefined, type: string): Reply {
  return made(content, init ?? NOTHING, type) as unknown as Reply
}

function made(body: AnswerBody, init: ContentInit, type: string): Answer {
  const answer = new Answer(headOf(init.status ?? 200, init.type ?? type), body)
  return init.headers || init.cookies ? dress(answer, init) : answer
}

const NOTHING: ContentInit = {}

// An app answers with a few types. A bound, because a type may be made of something that a client sends.
const MAX_HEADS = 256
/** By type, then by status: no text is put together for a look-up. */
const heads = new Map<string, Map<number, PreparedHead>>()

function headOf(status: number, type: string): PreparedHead {
  let ofType = heads.get(type)
  const known = ofType?.get(status)
  if (known) return known
  const head = prepareHead(status, ['content-type', type])
  if (!ofType) {
    if (heads.size >= MAX_HEADS) return head
    heads.set(type, (ofType = new Map()))
  }
  ofType.set(status, head)
  return head
}

function streamOf(source: Pieces): ReadableStream<Uint8Array> {
  if (source instanceof ReadableStream) {
    if (source.locked) throw new BadAnswerError('stream(): this ReadableStream is being read already')
    return source as ReadableStream<Uint8Array>
  }
  const isPieces = typeof source === 'object' && source !== null && !(source instanceof Uint8Array)
  if (!isPieces || !(Symbol.asyncIterator in source || Symbol.iterator in source))
    throw new BadAnswerError(
      'stream() takes a ReadableStream or an iterable of strings or bytes; text() and bytes() send a whole body',
    )
  return FROM.from(source)
}

// @types/node has it on its own class only.
const FROM = ReadableStream as unknown as {
  from(pieces: AsyncIterable<Piece> | Iterable<Piece>): ReadableStream<Uint8Array>
}
