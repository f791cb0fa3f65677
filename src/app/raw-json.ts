// JSON that is text or bytes already, a jsonb column or a cached document: it passes through unread.
import { ResponseError } from '../schema/errors.ts'
import { compileWireCheck } from '../schema/wire-check.ts'
import type { In, Schema } from '../schema/schema.ts'
import { Answer, BadAnswerError } from './answer.ts'
import { type CompiledContent, type Content, ContentKind } from './content-kind.ts'

/**
 * For `returns`: the handler gives the JSON itself, as text or as bytes in UTF-8, and it is sent as it is. Neither filtered nor checked when
 * NODE_ENV is production, as under `millrace serve`; elsewhere it is parsed, and a document that the schema does not describe is a 500.
 *
 * @example
 * app.get('/documents/{id}', { returns: raw(Document), uses: { db } }, ({ db, params }) => documentText(db, params.id))
 */
export function raw<const S extends Schema>(schema: S): Content<In<S>, string | Uint8Array> {
  return new RawJson(schema)
}

class RawJson extends ContentKind {
  readonly mediaType = 'application/json'
  readonly fields = ['content-type', 'application/json']
  readonly form = 'json'
  readonly name = 'raw()'
  readonly schema: Schema

  constructor(schema: Schema) {
    super()
    this.schema = schema
  }

  compile(where: string): CompiledContent {
    // Compiled in any case: a schema that cannot be described is a mistake in production too.
    const check = compileWireCheck(this.schema, where)
    const { NODE_ENV: environment } = process.env
    const isChecked = environment !== 'production'
    const encode = (value: unknown): string | Uint8Array => {
      if (typeof value !== 'string' && !(value instanceof Uint8Array))
        throw new BadAnswerError(`${where}: raw() sends text or bytes that are JSON already, not a value`)
      if (isChecked) {
        const wrong = check(typeof value === 'string' ? value : Buffer.from(value).toString())
        if (wrong !== undefined) throw new ResponseError(`${where}: raw() was given ${wrong}`)
      }
      return value
    }
    return { encoder: { encode }, answer: (head, value) => new Answer(head, encode(value)) }
  }
}
