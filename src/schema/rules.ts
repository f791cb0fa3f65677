// Findings in Pydantic's names, made by rule: one small function for each rule that every library has.
import { choices } from './fastapi-issues.ts'
import type { Found } from './outcome.ts'

type Path = readonly (string | number)[]

/** What a value of a wrong type is called, by the type that was expected. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'string_type',
  number: 'float_type',
  int: 'int_type',
  integer: 'int_type',
  boolean: 'bool_type',
  bigint: 'int_type',
  null: 'none_required',
  undefined: 'none_required',
  void: 'none_required',
  array: 'list_type',
  tuple: 'tuple_type',
  set: 'set_type',
  object: 'model_attributes_type',
  record: 'dict_type',
  map: 'dict_type',
  date: 'datetime_type',
  file: 'bytes_type',
}

/** Formats of strings that Pydantic has a type for. The text is what its message ends with. */
const FORMATS: Readonly<Record<string, readonly [type: string, error: string]>> = {
  uuid: ['uuid_parsing', 'not in the form of a UUID'],
  guid: ['uuid_parsing', 'not in the form of a UUID'],
  datetime: ['datetime_from_date_parsing', 'not an ISO 8601 date-time'],
  'date-time': ['datetime_from_date_parsing', 'not an ISO 8601 date-time'],
  date: ['date_from_datetime_parsing', 'not an ISO 8601 date'],
  time: ['time_parsing', 'not an ISO 8601 time'],
  duration: ['time_delta_parsing', 'not an ISO 8601 duration'],
  url: ['url_parsing', 'not an absolute URL'],
  uri: ['url_parsing', 'not an absolute URL'],
}

export function missing(path: Path): Found {
  return { type: 'missing', path, msg: 'Field required' }
}

export function extra(path: Path): Found {
  return { type: 'extra_forbidden', path, msg: 'Extra inputs are not permitted' }
}

export function wrongType(expected: string, value: unknown, path: Path, msg: string): Found {
  if (expected === 'int' || expected === 'integer') {
    if (typeof value === 'number')
      return { type: Number.isFinite(value) ? 'int_from_float' : 'finite_number', path, msg }
  } else if (expected === 'number' && typeof value === 'number') return { type: 'finite_number', path, msg }
  // Held as Date or bigint, carried as text: what was wrong is the text.
  else if (expected === 'date' && typeof value === 'string') return badFormat('date-time', undefined, path, msg)
  else if (expected === 'bigint' && typeof value === 'string') return { type: 'int_parsing', path, msg }
  return TYPE_NAMES[expected] ? { type: TYPE_NAMES[expected], path, msg } : broken(path, msg)
}

export function badFormat(format: string, pattern: string | undefined, path: Path, msg: string): Found {
  const named = FORMATS[format]
  if (named) return { type: named[0], path, msg, ctx: { error: named[1] } }
  if (pattern !== undefined && format === 'regex')
    return { type: 'string_pattern_mismatch', path, msg, ctx: { pattern } }
  return broken(path, msg)
}

export function wrongVersion(version: number, path: Path, msg: string): Found {
  return { type: 'uuid_version', path, msg, ctx: { expected_version: version } }
}

/** @param schemes  the source of the expression that they fit: a list of names, or anything */
export function wrongScheme(schemes: string, path: Path, msg: string): Found {
  const names = /^\^\(?(?:\?:)?([\w|]+)(\?)?\)?\$$/.exec(schemes)
  const all = names?.[1]!.split('|').flatMap(name => (names[2] === '?' ? [name.slice(0, -1), name] : [name]))
  return { type: 'url_scheme', path, msg, ctx: { expected_schemes: all ? choices(all) : schemes } }
}

export function badPattern(pattern: string, path: Path, msg: string): Found {
  return { type: 'string_pattern_mismatch', path, msg, ctx: { pattern } }
}

export function notAmong(values: readonly unknown[], isLiteral: boolean, path: Path, msg: string): Found {
  return { type: isLiteral ? 'literal_error' : 'enum', path, msg, ctx: { expected: choices(values) } }
}

export function tooSmall(
  of: string,
  bound: number | string,
  isInclusive: boolean,
  value: unknown,
  path: Path,
  msg: string,
): Found {
  if (of === 'string') return { type: 'string_too_short', path, msg, ctx: { min_length: bound } }
  if (of === 'file') return { type: 'bytes_too_short', path, msg, ctx: { min_length: bound } }
  const field = ITEMS[of]
  if (field)
    return { type: 'too_short', path, msg, ctx: { field_type: field, min_length: bound, actual_length: sizeOf(value) } }
  return isInclusive
    ? { type: 'greater_than_equal', path, msg, ctx: { ge: bound } }
    : { type: 'greater_than', path, msg, ctx: { gt: bound } }
}

export function tooBig(
  of: string,
  bound: number | string,
  isInclusive: boolean,
  value: unknown,
  path: Path,
  msg: string,
): Found {
  if (of === 'string') return { type: 'string_too_long', path, msg, ctx: { max_length: bound } }
  if (of === 'file') return { type: 'bytes_too_long', path, msg, ctx: { max_length: bound } }
  const field = ITEMS[of]
  if (field)
    return {
      type: 'too_long',
      path,
      msg,
      ctx: { field_type: field, max_length: bound, actual_length: isCounted(field) ? sizeOf(value) : null },
    }
  return isInclusive
    ? { type: 'less_than_equal', path, msg, ctx: { le: bound } }
    : { type: 'less_than', path, msg, ctx: { lt: bound } }
}

export function notMultiple(divisor: unknown, path: Path, msg: string): Found {
  return {
    type: 'multiple_of',
    path,
    msg,
    ctx: { multiple_of: typeof divisor === 'bigint' ? String(divisor) : divisor },
  }
}

/** A rule of the application's own, or one that has no name among Pydantic's. */
export function broken(path: Path, msg: string): Found {
  return { type: 'value_error', path, msg, ctx: { error: msg } }
}

/** Pydantic's names for what has items. */
const ITEMS: Readonly<Record<string, string>> = {
  array: 'List',
  tuple: 'Tuple',
  set: 'Set',
  map: 'Dictionary',
  object: 'Dictionary',
  record: 'Dictionary',
}

/** Pydantic stops at the bound where a length is not known in advance. */
function isCounted(field: string): boolean {
  return field === 'List' || field === 'Tuple'
}

function sizeOf(value: unknown): number | null {
  if (Array.isArray(value)) return value.length
  if (value instanceof Set || value instanceof Map) return value.size
  return typeof value === 'object' && value !== null ? Object.keys(value).length : null
}
