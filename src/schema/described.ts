// What every schema becomes first: JSON Schema 2020-12, with a note where a handler holds something that JSON has not.
//
// Coercion, revival of bodies, serializers and OpenAPI all read this one form, so that each is written once and not once
// per schema library. The notes are keyed by a symbol: they vanish from JSON and mean nothing to a validator.
//
// What JSON Schema lacks (docs/reference/schemas.md is the published form, printed and checked by a test):
//
//   handlers hold          the wire carries                                            from
//   Date                   string, format date-time (RFC 3339, with an offset)         z.date()
//   bigint                 string of decimal digits                                    z.bigint()
//   Set                    array, uniqueItems in answers with texts and numbers        z.set()
//   File                   string, format binary (multipart bodies)                    z.file()
//   undefined              an absent key                                               z.undefined(), .optional()
//   a codec's output       the codec's input                                           z.codec(), z.stringbool()
//
// Refused at start-up, because no wire form would be a guess that everybody shares: Map, Symbol, NaN, Promise, functions,
// z.custom() and z.instanceof() without a JSON Schema in their .meta(), and in `returns` also one-way transforms
// (.transform(), z.preprocess()): what they made cannot be turned back into what the wire carries.
//
// A Standard Schema that gives no JSON Schema (`~standard.jsonSchema`) is described as `{}`, anything: it validates,
// strings reach it unconverted, and a response is validated first, so that its own stripping of keys holds.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** Set on a described schema: what a handler holds in place of what its `type` says. */
export const HELD = Symbol('held')
export type Held = 'date' | 'bigint' | 'set'

/** Set on a union whose members are told apart by a key of theirs: its name. */
export const TAG = Symbol('tag')

/** Set where the schema has a way out for what is not of its type: a preprocess in front of it, a catch behind it. It has the last word. */
export const LENIENT = Symbol('lenient')

/** Set on what must not be told again: see redaction.ts. */
export const SECRET = Symbol('secret')

/** Set on a text in the form of a format that asks for more than the schema does: a date-time that needs no offset. */
export const FORM = Symbol('form')

/** A JSON Schema object as we write and read it. Booleans have become `{}` and `{ not: {} }`. */
export interface Node {
  [HELD]?: Held
  [TAG]?: string
  [LENIENT]?: true
  [SECRET]?: true
  [FORM]?: 'date-time' | 'time'
  type?: string | string[]
  properties?: Record<string, Node>
  required?: string[]
  additionalProperties?: Node | boolean
  patternProperties?: Record<string, Node>
  propertyNames?: Node
  items?: Node | boolean
  prefixItems?: Node[]
  anyOf?: Node[]
  oneOf?: Node[]
  allOf?: Node[]
  not?: Node
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  multipleOf?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  default?: unknown
  $ref?: string
  [keyword: string]: unknown
}

/** A schema in its own words, with what it refers to. References are `#/components/schemas/NAME`, as OpenAPI wants them. */
export interface Described {
  readonly schema: Node
  readonly components: Readonly<Record<string, Node>>
}

export const REF = '#/components/schemas/'

/** The node that a reference stands for, through any number of references. */
export function resolve(node: Node, components: Described['components']): Node {
  let found = node
  // 32: longer chains of bare references are loops.
  for (let hops = 0; found.$ref !== undefined && hops < 32; hops++)
    found = components[found.$ref.slice(REF.length)] ?? {}
  return found
}

/** A name that OpenAPI takes for a component: letters, digits, dot, dash, underscore. */
export function componentName(id: string): string {
  const last = id
    .replace(/[#?].*$/, '')
    .replace(/\/+$/, '')
    .split('/')
    .pop()!
  return last.replace(/\.json$/, '').replace(/[^A-Za-z0-9._-]+/g, '_') || 'Schema'
}

/** The types a node allows by its own keywords; empty when it says nothing about type. */
export function typesOf(node: Node): readonly string[] {
  return node.type === undefined ? [] : Array.isArray(node.type) ? node.type : [node.type]
}
