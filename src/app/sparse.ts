// An answer of JSON without the keys that say nothing.
import { describe } from '../schema/json-schema.ts'
import { compileResponse } from '../schema/serialize.ts'
import type { In, Out, Schema } from '../schema/schema.ts'
import { compilePrune, describeSparse, type Sparing } from '../schema/sparse.ts'
import { Answer } from './answer.ts'
import { type CompiledContent, type Content, ContentKind } from './content-kind.ts'

export interface SparseOptions {
  /** Keys whose value is null. Default true. */
  readonly nulls?: boolean
  /** Keys whose value is the default of their schema. Default true. */
  readonly defaults?: boolean
}

/** What a client reads: a key that may be null may be absent instead. (One with a default is optional as its schema says.) */
export type Sparse<T> = T extends readonly (infer I)[]
  ? Sparse<I>[]
  : T extends object
    ? { [K in keyof T as null extends T[K] ? never : K]: Sparse<T[K]> } & {
        [K in keyof T as null extends T[K] ? K : never]?: Sparse<Exclude<T[K], null>>
      }
    : T

/**
 * For `returns`: the schema's JSON, without keys that are null and keys that have their default, at any depth; what is undefined is never sent
 * anyway. FastAPI's response_model_exclude_none, _exclude_defaults and _exclude_unset. Items of lists stay.
 *
 * @example app.get('/products/{id}', { returns: sparse(Product) }, ...)
 */
export function sparse<const S extends Schema>(schema: S, options: SparseOptions = {}): Content<Sparse<In<S>>, Out<S>> {
  return new SparseJson(schema, options)
}

class SparseJson extends ContentKind {
  readonly mediaType = 'application/json'
  readonly fields = ['content-type', 'application/json']
  readonly form = 'json'
  readonly name = 'sparse()'
  readonly #schema: Schema
  readonly #options: SparseOptions
  #described: Schema | undefined

  constructor(schema: Schema, options: SparseOptions) {
    super()
    this.#schema = schema
    this.#options = options
  }

  /** As documents show it. */
  get schema(): Schema {
    return (this.#described ??= describeSparse(this.#sparing('sparse()')) as Schema)
  }

  compile(where: string): CompiledContent {
    const whole = compileResponse(this.#schema, where, compilePrune(this.#sparing(where)))
    return { encoder: whole, answer: (head, value) => new Answer(head, whole.encode(value)) }
  }

  #sparing(where: string): Sparing {
    const { nulls = true, defaults = true } = this.#options
    const input = defaults ? describe(this.#schema, 'input', where) : undefined
    return { nulls, output: describe(this.#schema, 'output', where), input }
  }
}
