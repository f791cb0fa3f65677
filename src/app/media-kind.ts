// Answers of a media type that is not JSON's: whole texts and bytes, or the pieces of one.
import { UsageError } from '../core/error.ts'
import { Answer, BadAnswerError } from './answer.ts'
import { type CompiledContent, ContentKind } from './content-kind.ts'
import { ItemBody } from './item-body.ts'
import type { LiveStreams } from './live-streams.ts'
import { itemContent } from './opening-answer.ts'

export type Piece = string | Uint8Array

/** Where the pieces of a streamed body come from: a web stream, a generator, a `Readable` of Node's. */
export type Pieces = ReadableStream<Piece> | AsyncIterable<Piece> | (Iterable<Piece> & object)

// RFC 9110 §8.3.1: two tokens, and what follows a semicolon.
const MEDIA_TYPE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[\t ]*(;[\t\x20-\x7e]*)?$/

export class MediaKind extends ContentKind {
  readonly mediaType: string
  readonly fields: readonly string[]
  readonly form: 'text' | 'binary'
  readonly name: string
  readonly schema = undefined

  /** @throws UsageError `APP_BAD_MEDIA_TYPE` */
  constructor(type: string) {
    super()
    const found = MEDIA_TYPE.exec(type)
    if (!found) throw new UsageError('APP_BAD_MEDIA_TYPE', `content(): ${JSON.stringify(type)} is no media type`)
    const [, bare, parameters] = found
    this.mediaType = bare!.toLowerCase()
    const isText = this.mediaType.startsWith('text/')
    this.form = isText || /[/+](?:json|xml|yaml|javascript)$/.test(this.mediaType) ? 'text' : 'binary'
    this.name = `content('${this.mediaType}')`
    this.fields = ['content-type', isText && parameters === undefined ? `${type}; charset=utf-8` : type]
  }

  compile(where: string, streams: LiveStreams): CompiledContent {
    const encode = (value: unknown): string | Uint8Array => {
      if (typeof value === 'string' || value instanceof Uint8Array) return value
      throw new BadAnswerError(`${where}: ${this.name} is sent as text, bytes or pieces of them, not as a value`)
    }
    const pieces = itemContent(where, Infinity, items => new ItemBody(items, encode, streams))
    return {
      encoder: { encode },
      answer(head, value) {
        const isWhole = typeof value !== 'object' || value === null || value instanceof Uint8Array
        return isWhole ? new Answer(head, encode(value)) : pieces.answer(head, value)
      },
    }
  }
}

/** @throws BadAnswerError for what is no source, or one that is in use */
export function streamOf(source: Pieces): ReadableStream<Uint8Array> {
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
