// The content of one declared answer as a document describes it: JSON, a stream of items, text, or bytes.
//
// OpenAPI 3.1 has no word for a stream of items (3.2 will have `itemSchema`). Its schema is therefore that of one item, as generators of
// clients take it, and the description says so.
import type { Schema } from '../../schema/schema.ts'
import { type ContentKind, contentKindOf } from '../content-kind.ts'
import type { Components, JsonObject } from './components.ts'

/** @param type  of JSON, where this is a value of the application and where it is an error */
export function answerContent(schema: Schema, type: string, where: string, components: Components): JsonObject {
  const kind = contentKindOf(schema)
  if (kind === undefined) return { [type]: { schema: components.use(schema, 'output', where) } }
  return { [kind.mediaType]: { schema: schemaOf(kind, where, components) } }
}

/** Said behind the phrase of its status. */
export function streamNote(schema: Schema): string {
  const kind = contentKindOf(schema)
  if (kind?.form !== 'items') return ''
  return kind.mediaType === 'text/event-stream'
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
