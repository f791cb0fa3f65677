// JSON Lines: a stream of items, one JSON document a line.
import { compileResponse } from '../schema/serialize.ts'
import type { In, Out, Schema } from '../schema/schema.ts'
import { type CompiledContent, type Content, ContentKind } from './content-kind.ts'
import { ItemBody } from './item-body.ts'
import type { LiveStreams } from './live-streams.ts'
import { itemContent } from './opening-answer.ts'

/** A stream of items: an async generator of them in a handler, an async iterable of their wire form to a client. */
export type Streamed<I, O> = Content<AsyncIterable<I>, AsyncIterable<O> | Iterable<O>>

/**
 * For `returns`: application/jsonl, one item a line, each checked and filtered by its schema as a JSON answer is.
 *
 * The handler is an async generator, or returns one, an iterable or a ReadableStream of items. The next item is asked for when the client
 * has taken the last. What throws before the first item is answered with a problem; later it cuts the connection and is logged.
 *
 * @example
 * app.get('/rows', { returns: jsonLines(Row) }, async function* ({ db }) { for await (const row of db.cursor(...)) yield row })
 */
export function jsonLines<const S extends Schema>(item: S): Streamed<In<S>, Out<S>> {
  return new JsonLines(item)
}

class JsonLines extends ContentKind {
  readonly mediaType = 'application/jsonl'
  readonly fields = ['content-type', 'application/jsonl']
  readonly form = 'items'
  readonly name = 'jsonLines()'
  readonly schema: Schema

  constructor(item: Schema) {
    super()
    this.schema = item
  }

  compile(where: string, streams: LiveStreams): CompiledContent {
    const item = compileResponse(this.schema, where)
    const encode = (value: unknown) => `${item.encode(value)}\n`
    return itemContent(where, Infinity, items => new ItemBody(items, encode, streams))
  }
}
