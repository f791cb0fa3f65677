// The content of one declared answer as a document describes it: JSON, a stream of items, text, or bytes.
//
// OpenAPI 3.1 has no word for a stream of items. Its schema is therefore that of one item, as generators of clients take it, and the
// description says so. 3.2 has `itemSchema`, and there an event is an object with its data as text.
import type { Schema } from '../../schema/schema.ts'
import { type ContentKind, contentKindOf } from '../content-kind.ts'
import type { Components, JsonObject } from './components.ts'

/** @param type  of JSON, where this is a value of the application and where it is an error */
export function answerContent(schema: Schema, type: string, where: string, components: Components): JsonObject {
  const kind = contentKindOf(schema)
  if (kind === undefined) return { [type]: { schema: components.use(schema, 'output', where) } }
  const described = schemaOf(kind, where, components)
  if (kind.form !== 'items' || !components.hasItems) return { [kind.mediaType]: { schema: described } }
  return { [kind.mediaType]: { itemSchema: isOfEvents(kind) ? eventOf(kind, described) : described } }
}

function isOfEvents({ mediaType }: ContentKind): boolean {
  return mediaType === 'text/event-stream'
}

/** What a client makes of the lines of one event (OpenAPI 3.2 §4.14.4.3). */
function eventOf(kind: ContentKind, data: JsonObject): JsonObject {
  const isText = kind.schema !== undefined && contentKindOf(kind.schema) !== undefined
  return {
    type: 'object',
    properties: {
      data: isText ? data : { type: 'string', contentMediaType: 'application/json', contentSchema: data },
      event: { type: 'string' },
      id: { type: 'string' },
      retry: { type: 'integer', minimum: 0 },
    },
    required: ['data'],
  }
}

/** Said behind the phrase of its status. */
export function streamNote(schema: Schema): string {
  const kind = contentKindOf(schema)
  if (kind?.form !== 'items') return ''
  return isOfEvents(kind)
    ? '; a stream of events, the data of each as the schema says'
    : '; a stream of lines, each as the schema says'
}

function schemaOf(kind: ContentKind, where: string, components: Components): JsonObject {
  if (kind.schema !== undefined) {
    const inner = contentKindOf(kind.schema)
    return inner ? schemaOf(inner, where, components) : components.use(kind.schema, 'output', where)
  }
  // As body.ts does: 3.1 says binary by contentMediaType, and `format: binary` is what tools still look for.
  return kind.form === 'text'
    ? { type: 'string' }
    : { type: 'string', format: 'binary', contentMediaType: kind.mediaType }
}
