// Turns the strings of a path, a query, headers and cookies into what the schema declares, by the schema's input type.
//
// Stricter than FastAPI on purpose: a number is plain decimal (no hex, no underscores, no blanks around it, no nan or inf), an
// integer is one that a number can hold exactly. Text that is not of its type stays a string, and the failure is noted under
// Pydantic's name for it; the schema's own complaint about the same place is then dropped.
import { parseDateTime } from './date-time.ts'
import { type Described, HELD, LENIENT, type Node, resolve, typesOf } from './described.ts'
import { Misread, readerOf } from './fastapi-reading.ts'
import { fits } from './fits.ts'

/** Called with the kind of failure, and where inside the value: for the third item of a list, `[2]`. */
export type Failed = (type: string, path: readonly number[], ctx?: Readonly<Record<string, unknown>>) => void
/** Text, or the texts of a repeated key, to a value. */
export type Coerce = (text: string | readonly string[], failed: Failed) => unknown
type CoerceText = (text: string, failed: Failed) => unknown

const NOWHERE: readonly number[] = []
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const INTEGER = /^[+-]?\d+$/
const BOOLEANS = new Map<string, boolean>([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['y', true],
  ['t', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
  ['n', false],
  ['f', false],
])

/** Whether a key may be repeated: its value is then a list even when it comes once. */
export function isList(node: Node, components: Described['components']): boolean {
  const at = resolve(node, components)
  return (
    at[HELD] === 'set' ||
    typesOf(at).includes('array') ||
    [...(at.anyOf ?? []), ...(at.oneOf ?? []), ...(at.allOf ?? [])].some(one => isList(one, components))
  )
}

/** Whether an empty text may be a value: not where it would be no number, no date, or none of an enumeration. */
export function takesBlank(node: Node, components: Described['components']): boolean {
  const at = resolve(node, components)
  const members = at.anyOf ?? at.oneOf
  if (members) return members.some(one => takesBlank(one, components))
  if (at.allOf) return at.allOf.every(one => takesBlank(one, components))
  if (at.const !== undefined || at.enum) return at.const === '' || at.enum?.includes('') === true
  const types = typesOf(at)
  if (types.length > 0 && !types.includes('string')) return false
  return at[HELD] === undefined && at.format === undefined && at.pattern === undefined && !at.minLength
}

/** One field. Where a list is declared a single text becomes a list of one; elsewhere the last of repeated texts counts. */
export function compileCoercion(
  node: Node,
  components: Described['components'],
  reading: 'strict' | 'fastapi' = 'strict',
): Coerce {
  return coercion(node, { components, reading, lists: [] })
}

interface Around {
  readonly components: Described['components']
  readonly reading: 'strict' | 'fastapi'
  /** The lists whose items are compiled, from the outside. */
  readonly lists: readonly Node[]
}

function coercion(node: Node, around: Around): Coerce {
  const strict = strictCoercion(node, around)
  return node[LENIENT] ? texts => strict(texts, nothing) : strict
}

function strictCoercion(node: Node, around: Around): Coerce {
  if (isList(node, around.components)) {
    const list = listCoercion(node, around)
    return (texts, failed) => list(typeof texts === 'string' ? [texts] : texts, failed)
  }
  const one = textCoercion(node, around)
  return (texts, failed) => one(typeof texts === 'string' ? texts : texts[texts.length - 1]!, failed)
}

function listCoercion(node: Node, around: Around): (texts: readonly string[], failed: Failed) => unknown {
  const at = resolve(node, around.components)
  const members = at.anyOf ?? at.oneOf
  if (members) return unionCoercion(members, around)
  const inside = { ...around, lists: [...around.lists, at] }
  const prefix = (at.prefixItems ?? []).map(item => textCoercion(item, inside))
  const rest: CoerceText = typeof at.items === 'object' ? textCoercion(at.items, inside) : text => text
  const items = (texts: readonly string[], failed: Failed) =>
    texts.map((text, n) => (prefix[n] ?? rest)(text, (type, _, ctx) => failed(type, [n], ctx)))
  return at[HELD] === 'set' ? (texts, failed) => new Set(items(texts, failed)) : items
}

/**
 * The members of a union that a text, or texts, can be. A list that holds itself (z.json()) is none inside of itself: a text would be a list
 * of a list without end.
 */
function unionCoercion(
  members: readonly Node[],
  around: Around,
): (texts: string | readonly string[], failed: Failed) => unknown {
  const { components, lists } = around
  const tries = members
    .filter(member => !lists.includes(resolve(member, components)))
    .map(member => ({ member, coerce: coercion(member, around) }))
  const tellsNone = tellsEach(members, around)
  return (texts, failed) => firstThatFits(tries, texts, components, tellsNone ? nothing : failed)
}

function textCoercion(node: Node, around: Around): CoerceText {
  const { components, reading } = around
  const at = resolve(node, components)
  if (at.const !== undefined) return literalCoercion([at.const])
  if (at.enum) return literalCoercion(at.enum)
  const read = reading === 'fastapi' ? readerOf(at) : undefined
  if (read) return fastapiCoercion(read)
  if (at[HELD] === 'date') return dateCoercion(typesOf(at).includes('null'))
  if (at[HELD] === 'bigint') return bigintCoercion(typesOf(at).includes('null'))
  const types = typesOf(at)
  if (types.length === 1) return BY_TYPE[types[0]!] ?? asText
  if (types.length > 1) {
    const each = types.map(
      type => (reading === 'fastapi' ? textCoercion({ ...at, type }, around) : BY_TYPE[type]) ?? asText,
    )
    return firstOf(each, reading === 'fastapi')
  }
  const members = at.anyOf ?? at.oneOf
  if (members) return unionCoercion(members, around)
  const part = at.allOf?.find(one => describesText(resolve(one, components)))
  return part ? textCoercion(part, around) : asText
}

function fastapiCoercion(read: (value: unknown) => unknown): CoerceText {
  return (text, failed) => {
    const value = read(text)
    if (!(value instanceof Misread)) return value
    failed(value.type, NOWHERE, value.ctx)
    return text
  }
}

function describesText(node: Node): boolean {
  return (
    node.type !== undefined ||
    node.enum !== undefined ||
    node.const !== undefined ||
    node.anyOf !== undefined ||
    node.oneOf !== undefined
  )
}

const asText: CoerceText = text => text

const asInteger: CoerceText = (text, failed) => {
  const short = shortInteger(text)
  if (short >= 0) return short
  if (!INTEGER.test(text)) return fail('int_parsing', text, failed)
  const value = Number(text)
  // Beyond 2^53 a number would silently be another one than the client wrote.
  if (!Number.isSafeInteger(value)) return fail('int_parsing_size', text, failed)
  return value + 0
}

/** Most integers in addresses are short and plain, and a look at each digit beats a regular expression. -1: not one of these. */
function shortInteger(text: string): number {
  if (text.length === 0 || text.length > 15) return -1
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

const asNumber: CoerceText = (text, failed) => {
  if (!DECIMAL.test(text)) return fail('float_parsing', text, failed)
  const value = Number(text)
  if (!Number.isFinite(value)) return fail('finite_number', text, failed)
  if (INTEGER.test(text) && !Number.isSafeInteger(value)) return fail('int_parsing_size', text, failed)
  return value
}

const asBoolean: CoerceText = (text, failed) => BOOLEANS.get(text.toLowerCase()) ?? fail('bool_parsing', text, failed)

const asNull: CoerceText = (text, failed) => (text === 'null' ? null : fail('none_required', text, failed))

const BY_TYPE: Readonly<Record<string, CoerceText>> = {
  string: asText,
  integer: asInteger,
  number: asNumber,
  boolean: asBoolean,
  null: asNull,
}

function fail(type: string, text: string, failed: Failed): string {
  failed(type, NOWHERE)
  return text
}

function dateCoercion(isNullable: boolean): CoerceText {
  return (text, failed) =>
    isNullable && text === 'null' ? null : (parseDateTime(text) ?? fail('datetime_from_date_parsing', text, failed))
}

function bigintCoercion(isNullable: boolean): CoerceText {
  return (text, failed) => {
    if (isNullable && text === 'null') return null
    // 4,300 digits: Python's own bound, since converting them takes quadratic time.
    if (!INTEGER.test(text) || text.length > 4300) return fail('int_parsing', text, failed)
    return BigInt(text.replace(/^\+/, ''))
  }
}

/** Enumerations of numbers and booleans accept the text of a member. What fits none stays text: the schema lists the choices. */
function literalCoercion(values: readonly unknown[]): CoerceText {
  const byText = new Map(
    values.filter(value => typeof value !== 'object' || value === null).map(value => [String(value), value]),
  )
  const numbers = values.filter(value => typeof value === 'number')
  return text => {
    if (byText.has(text)) return byText.get(text)
    if (numbers.length > 0 && DECIMAL.test(text) && numbers.includes(Number(text))) return Number(text)
    return text
  }
}

/** Several types of one value, tried in order. When none takes the text, the first type's failure is told. */
function firstOf(coercions: readonly CoerceText[], tellsNone: boolean): CoerceText {
  return (text, failed) => {
    let first: string | undefined
    for (const coerce of coercions) {
      let failure: string | undefined
      const value = coerce(text, type => (failure = type))
      if (failure === undefined) return value
      first ??= failure
    }
    return tellsNone ? text : fail(first!, text, failed)
  }
}

/** FastAPI says of a union what each member says: the schema's own findings do, and need no help. */
function tellsEach(members: readonly Node[], { components, reading }: Around): boolean {
  const values = members.filter(member => typesOf(resolve(member, components)).join() !== 'null')
  return reading === 'fastapi' && values.length > 1
}

function nothing(): void {}

interface Try {
  readonly member: Node
  readonly coerce: Coerce
}

function isLiteral(node: Node, components: Described['components']): boolean {
  const at = resolve(node, components)
  return at.const !== undefined || at.enum !== undefined
}

/** The members of a union in order: the first whose coercion succeeds and whose rules the result satisfies. */
function firstThatFits(
  tries: readonly Try[],
  texts: string | readonly string[],
  components: Described['components'],
  failed: Failed,
): unknown {
  let converted: { value: unknown } | undefined
  let failure: Parameters<Failed> | undefined
  let isNotAmong = false
  for (const { member, coerce } of tries) {
    let own: Parameters<Failed> | undefined
    const value = coerce(texts, (...what) => (own ??= what))
    if (own) failure ??= own
    else if (typeof value === 'object' || typeof value === 'bigint' || fits(member, value, components)) return value
    else if (isLiteral(member, components)) isNotAmong = true
    else converted ??= { value }
  }
  // A number that breaks a bound is reported by the schema as that; text that no member could read, by the first of them.
  if (converted) return converted.value
  // Where a choice was possible, the schema tells all there is to choose from.
  if (failure && !isNotAmong) failed(...failure)
  return texts
}
