// Answers that are not JSON: text, bytes, and bodies that are made piece by piece.
import { prepareHead, type PreparedHead } from '../http/prepared-head.ts'
import { Answer, type AnswerBody, BadAnswerError } from './answer.ts'
import { type Content, kindly } from './content-kind.ts'
import { MediaKind, type Pieces, streamOf } from './media-kind.ts'
import type { Reply, ReplyInit } from './reply.ts'
import { dress } from './dress.ts'

export interface ContentInit extends ReplyInit {
  /** Default 200. */
  readonly status?: number
  /** Content-Type. Default: text/plain in UTF-8 for text, application/octet-stream for the others. */
  readonly type?: string
}

export type { Piece, Pieces } from './media-kind.ts'

export interface StreamInit extends ContentInit {
  /** Bytes of the body, when known: sent as Content-Length. A body of another length cuts the connection. */
  readonly length?: number
  /**
   * Fields behind the body, asked for when its last piece has been written: a checksum, a count. Left out where there is no place for
   * them: HTTP/1.0, app.fetch, and HTTP/1.1 with a `length`.
   */
  readonly trailers?: () => Readonly<Record<string, string>>
}

/** Makes an answer of a text, and stands in `returns` for any such. */
export interface TextReply extends Content<string, string | Pieces> {
  (content: string, init?: ContentInit): Reply
}

/**
 * Text in UTF-8, with its length. In `returns` it says that the route answers with text/plain, and the handler may give the text itself.
 *
 * @example
 * app.get('/robots.txt', () => text('User-agent: *\nDisallow:\n'))
 * app.get('/version', { returns: text }, () => '1.0.0')
 */
export const text: TextReply = kindly(
  (content: string, init?: ContentInit) => asReply(content, init, 'text/plain; charset=utf-8'),
  new MediaKind('text/plain'),
) as TextReply

/** The same for a page of HTML. What is put into it is not escaped here; `millrace/templates` does. */
export const html: TextReply = kindly(
  (content: string, init?: ContentInit) => asReply(content, init, 'text/html; charset=utf-8'),
  new MediaKind('text/html'),
) as TextReply

/**
 * For `returns`: an answer of this media type, described so in the OpenAPI document. The handler gives text, bytes or pieces of them, which
 * go out under this type, or what `text`, `bytes`, `stream` and `file` make, which say their own.
 *
 * @example
 * app.get('/qr/{code}', { returns: content('image/png') }, ({ params }) => qrCode(params.code))
 * app.get('/orders.csv', { returns: content('text/csv') }, async function* () { yield 'id,total\n' })
 *
 * @throws UsageError `APP_BAD_MEDIA_TYPE`
 */
export function content<T extends string>(
  type: T,
): Content<T extends `text/${string}` ? string : Blob, string | Uint8Array | Pieces> {
  return new MediaKind(type) as never
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
