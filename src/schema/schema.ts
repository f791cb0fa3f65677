// What counts as a schema, and which TypeScript types it stands for.
//
// The types below are paid for in every route of every application, each time an editor looks at it. Three rules keep
// them cheap (bench/types has the figures):
//   1. A schema is recognised by the presence of a slot (`_zod`, `~standard`), never by relating it to the whole of
//      StandardSchemaV1: that comparison works out every type the schema mentions.
//   2. Zod's own `_zod.output` is read before `~standard`: the standard slot holds input and output in one object, so
//      reading it works out both.
//   3. No type here is flattened, mapped or distributed unless the schema is a literal JSON Schema.

/**
 * A JSON Schema (2020-12), and so a TypeBox schema, written as a plain object.
 *
 * Weak on purpose: every keyword is optional, so that an interface without index signature fits; at least one keyword
 * must be there, so that a number or an unrelated object does not.
 */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: object
  readonly required?: readonly string[] | undefined
  readonly additionalProperties?: unknown
  readonly items?: unknown
  readonly $ref?: string
  readonly anyOf?: readonly unknown[]
  readonly oneOf?: readonly unknown[]
  readonly allOf?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly '~kind'?: string
}

/** Zod (4.5 or newer), any Standard Schema, TypeBox, or plain JSON Schema. */
export type Schema = { readonly _zod: object } | { readonly '~standard': object } | JsonSchema

/** What a handler holds: a schema's output. `undefined` where there is no schema, `void` where `null` declares no body. */
export type Out<S> = S extends { readonly _zod: { readonly output: any } }
  ? S['_zod']['output']
  : S extends { readonly '~standard': { readonly types?: { readonly output: infer O } | undefined } }
    ? O
    : S extends undefined
      ? undefined
      : S extends null
        ? void
        : FromJsonSchema<S>

/** What travels on the wire: a schema's input. */
export type In<S> = S extends { readonly _zod: { readonly input: any } }
  ? S['_zod']['input']
  : S extends { readonly '~standard': { readonly types?: { readonly input: infer I } | undefined } }
    ? I
    : S extends undefined
      ? undefined
      : S extends null
        ? null
        : FromJsonSchema<S>

interface Keywords {
  string: string
  integer: number
  number: number
  boolean: boolean
  null: null
  array: unknown[]
  object: { [key: string]: unknown }
}
type Keyword<T> = T extends keyof Keywords ? Keywords[T] : unknown
type Flat<T> = { [K in keyof T]: T[K] } & {}
type Required<S> = S extends { readonly required: readonly (infer R)[] } ? R : never
type Properties<P, R> = Flat<
  { -readonly [K in keyof P & R]: FromJsonSchema<P[K]> } & {
    -readonly [K in Exclude<keyof P, R>]?: FromJsonSchema<P[K]>
  }
>
type Both<T> = T extends readonly [infer H, ...infer R] ? FromJsonSchema<H> & Both<R> : unknown

/**
 * The static type of a literal JSON Schema. What it does not cover (`$ref`, `patternProperties`, `if`) is `unknown`,
 * never a guess.
 *
 * TypeBox 0.34 carries its type in `static` (beside `params`) and is read from there; TypeBox 1.x has only the keywords,
 * as types, and is read like a literal.
 */
export type FromJsonSchema<S> = S extends { readonly static: infer T; readonly params: unknown[] }
  ? T
  : S extends { readonly properties: infer P }
    ? Properties<P, Required<S>>
    : S extends { readonly const: infer C }
      ? C
      : S extends { readonly enum: readonly (infer E)[] }
        ? E
        : S extends { readonly items: infer I }
          ? FromJsonSchema<I>[]
          : S extends { readonly type: infer T }
            ? Keyword<T extends readonly (infer U)[] ? U : T>
            : S extends { readonly anyOf: readonly (infer A)[] } | { readonly oneOf: readonly (infer A)[] }
              ? FromJsonSchema<A>
              : S extends { readonly allOf: infer A }
                ? Both<A>
                : unknown

/** Which of the three kinds a value is at run time. Zod also has the standard slot, so it is asked first. */
export type SchemaKind = 'zod' | 'standard' | 'json'

/** @returns undefined for what is not a schema */
export function kindOf(value: unknown): SchemaKind | undefined {
  if (value === null) return undefined
  // ArkType's schemas are functions.
  if (typeof value !== 'object' && typeof value !== 'function') return undefined
  if ('_zod' in value) return 'zod'
  if ('~standard' in value) return 'standard'
  return typeof value === 'object' && !Array.isArray(value) ? 'json' : undefined
}
