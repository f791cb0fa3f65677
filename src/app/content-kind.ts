// What a route may declare in `returns` that is not one JSON value: a stream of items, text, bytes, JSON that is bytes already.
//
// To the compiler each is a schema, so that nothing which knows schemas knows about them: `Out` is what the handler gives, `In` what a
// client reads. At run time they are told apart by their class, and are no schemas: they validate nothing that comes in.
import type { Schema } from '../schema/schema.ts'
import type { FieldList, PreparedHead } from '../http/prepared-head.ts'
import type { Answer } from './answer.ts'
import type { LiveStreams } from './live-streams.ts'

/** I: what travels, as a client reads it. O: what a handler gives. */
export interface Content<I, O> {
  readonly '~standard': { readonly types?: { readonly input: I; readonly output: O } | undefined }
}

export interface BodyEncoder {
  /** @throws what makes it a 500 */
  encode(value: unknown): string | Uint8Array
}

/** What one route makes of a kind: once, at start-up. */
export interface CompiledContent {
  /** For what is no object: it goes out whole, on the fast path. */
  readonly encoder: BodyEncoder
  /** @throws BadAnswerError for a value that is none of this kind */
  answer(head: PreparedHead, value: unknown): Answer
}

export abstract class ContentKind {
  /** Of the answer, without parameters: as documents name it. */
  abstract readonly mediaType: string
  /** Fields of every answer of this kind, Content-Type among them. */
  abstract readonly fields: FieldList
  /** What it is to documents: one JSON value, items of a stream, text or bytes. */
  abstract readonly form: 'json' | 'items' | 'text' | 'binary'
  /** Of the value, or of each item; undefined for text and bytes. */
  abstract readonly schema: Schema | undefined
  /** As messages name it: 'jsonLines()'. */
  abstract readonly name: string

  abstract compile(where: string, streams: LiveStreams): CompiledContent

  get '~standard'(): object {
    const refuse = () => {
      throw new Error(`${this.name} is for \`returns\`; it reads nothing`)
    }
    return { version: 1, vendor: 'millrace', validate: refuse, jsonSchema: { input: refuse, output: refuse } }
  }
}

const KIND = Symbol('kind')

/** A function that makes an answer and is declared in `returns` too: `text`, `html`. */
export function kindly<F extends object>(make: F, kind: ContentKind): F {
  return Object.defineProperties(make, {
    [KIND]: { value: kind },
    '~standard': { get: () => kind['~standard'] },
  })
}

/** @returns undefined for a schema of JSON */
export function contentKindOf(schema: Schema): ContentKind | undefined {
  return schema instanceof ContentKind ? schema : (schema as { readonly [KIND]?: ContentKind })[KIND]
}
