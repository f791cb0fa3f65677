// SQL as values: text and parameters kept apart from the first keystroke, so that no value can become code.
//
//   sql`price < ${limit}`               a fragment; `limit` is a parameter, always
//   sql`where ${cheap} and ${inStock}`  fragments inside fragments
//   sql.join([...], sql` and `)         several, with something between them
//   sql.identifier('name')              a column or table chosen at run time, quoted
import pg from 'pg'
import { misuse } from './errors.ts'

/** What may stand in `${...}`. Arrays are PostgreSQL arrays; other objects are JSON, a Map or a Set is refused; `json(value)` makes an array JSON. */
export type SqlValue = string | number | bigint | boolean | null | object

/** A piece of a statement, made by `sql`. Sent by putting it into `` db.sql`...` ``. */
export class Fragment {
  readonly strings: readonly string[]
  readonly values: readonly unknown[]

  constructor(strings: readonly string[], values: readonly unknown[]) {
    this.strings = strings
    this.values = values
  }
}

export interface SqlTag {
  (strings: TemplateStringsArray, ...values: SqlValue[]): Fragment
  /** Nothing at all: for the branch of a condition that adds no text. */
  readonly empty: Fragment
  /** Puts the separator between the parts; `separator` defaults to a comma. No parts: nothing. */
  join(parts: readonly Fragment[], separator?: Fragment): Fragment
  /** The keys of a batch, an array: ``db.loader`select * from products where id = any(${sql.keys})` ``. */
  readonly keys: object
  /** A quoted name, or several joined by dots: `sql.identifier('shop', 'orders')` is `"shop"."orders"`. */
  identifier(...path: readonly [string, ...string[]]): Fragment
}

class Keys {}

/** Stands for the keys of a batch until they are known. */
const KEYS = new Keys()

const COMMA = new Fragment([', '], [])

export const sql: SqlTag = Object.assign(
  (strings: TemplateStringsArray, ...values: SqlValue[]) => new Fragment(strings, values),
  {
    empty: new Fragment([''], []),
    keys: KEYS,
    join(parts: readonly Fragment[], separator: Fragment = COMMA): Fragment {
      if (parts.length === 0) return sql.empty
      const values = parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]))
      return new Fragment(
        Array.from({ length: values.length + 1 }, () => ''),
        values,
      )
    },
    identifier(...path: readonly [string, ...string[]]): Fragment {
      for (const name of path) {
        if (name === '' || name.includes('\0'))
          throw misuse('POSTGRES_BAD_IDENTIFIER', `${JSON.stringify(name)} cannot be the name of a table or column`)
      }
      return new Fragment([path.map(name => pg.escapeIdentifier(name)).join('.')], [])
    },
  },
)

/** Marks a value as one JSON parameter; needed for arrays and strings, which are otherwise PostgreSQL arrays and text. */
export function json(value: unknown): object {
  return new JsonParameter(value)
}

class JsonParameter {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

export interface CompiledSql {
  readonly text: string
  readonly values: readonly unknown[]
  /** Its only column is JSON, whose text is wanted. Default false. */
  readonly isRaw?: boolean
}

// A template without fragments has one text for ever: its strings are one object for each place in the source.
const plainTexts = new WeakMap<readonly string[], string>()

/** @throws UsageError `POSTGRES_UNDEFINED_VALUE` naming the parameter */
export function compileSql(strings: readonly string[], values: readonly unknown[]): CompiledSql {
  if (!values.some(isFragment)) {
    let text = plainTexts.get(strings)
    if (text === undefined) {
      text = strings.reduce((before, after, index) => `${before}$${index}${after}`)
      plainTexts.set(strings, text)
    }
    return { text, values }
  }
  const flat: unknown[] = []
  return { text: flatten(strings, values, flat), values: flat }
}

function flatten(strings: readonly string[], values: readonly unknown[], flat: unknown[]): string {
  let text = strings[0] ?? ''
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    if (isFragment(value)) text += flatten(value.strings, value.values, flat)
    else text += `$${flat.push(value)}`
    text += strings[index + 1] ?? ''
  }
  return text
}

function isFragment(value: unknown): value is Fragment {
  return value instanceof Fragment
}

/** A parameter as the wire carries it: text, bytes, or null. */
export type Parameter = string | Buffer | null

/** @throws UsageError `POSTGRES_UNDEFINED_VALUE` or `POSTGRES_BAD_VALUE` naming the parameter */
export function encodeParameters(values: readonly unknown[]): Parameter[] {
  return values.map((value, index) => encodeParameter(value, index + 1))
}

function encodeParameter(value: unknown, number: number): Parameter {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value === null) return null
  if (typeof value !== 'object')
    throw value === undefined
      ? misuse('POSTGRES_UNDEFINED_VALUE', `parameter $${number} is undefined; write ?? null where null is meant`)
      : misuse('POSTGRES_BAD_VALUE', `parameter $${number} is a ${typeof value}, which has no form in SQL`)
  if (value === KEYS)
    throw misuse('POSTGRES_BAD_VALUE', `parameter $${number} is sql.keys, which only db.loader knows the value of`)
  if (value instanceof Fragment)
    throw misuse('POSTGRES_BAD_VALUE', `parameter $${number} is a fragment; fragments belong into sql templates`)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (Array.isArray(value)) return encodeArray(value, number)
  if (value instanceof Date) return encodeDate(value, number)
  return encodeJson(value, number)
}

function encodeJson(value: object, number: number): string {
  const content: unknown = value instanceof JsonParameter ? value.value : value
  const text = JSON.stringify(content) as string | undefined
  if (text === undefined)
    throw misuse(
      'POSTGRES_UNDEFINED_VALUE',
      `parameter $${number} has no form in JSON; write json(null) where that is meant`,
    )
  // A Map, a Set, a promise that nobody awaited: an object to JavaScript, and nothing to JSON.
  if ((text === '{}' && tagOf(content) !== 'Object') || ArrayBuffer.isView(content))
    throw misuse(
      'POSTGRES_BAD_VALUE',
      `parameter $${number} is a ${tagOf(content)}, which has no form in JSON; make it an array or an object, or await it`,
    )
  return text
}

/** `Map`; `Object` for what has a class of its own. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

function encodeDate(value: Date, number: number): string {
  if (Number.isNaN(value.getTime()))
    throw misuse('POSTGRES_BAD_VALUE', `parameter $${number} is a Date that holds no date`)
  return value.toISOString()
}

// The text form of an array, https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO: every element is quoted, so that no
// element can be taken for NULL, a brace or a comma.
function encodeArray(array: readonly unknown[], number: number): string {
  let text = '{'
  for (let index = 0; index < array.length; index++) {
    if (index > 0) text += ','
    const element: unknown = array[index]
    if (typeof element === 'number') text += String(element)
    else if (Array.isArray(element)) text += encodeArray(element, number)
    else {
      const encoded = encodeParameter(element, number)
      if (encoded === null) text += 'NULL'
      else if (typeof encoded === 'string') text += quoted(encoded)
      else text += `"\\\\x${encoded.toString('hex')}"`
    }
  }
  return text + '}'
}

function quoted(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
}
