// Issues in FastAPI's words: Pydantic's message for every type, filled from the issue's figures. One table.
import type { Issue } from './issue.ts'

/**
 * type: message, with `{name}` filled from `ctx` and `{s}` an "s" unless the figure before it is 1.
 * The names in braces are also the keys of the `ctx` that a client gets. Pydantic 2.12's texts, Python mode.
 */
export const MESSAGES: Readonly<Record<string, string>> = {
  json_invalid: 'JSON decode error',
  missing: 'Field required',
  extra_forbidden: 'Extra inputs are not permitted',
  model_attributes_type: 'Input should be a valid dictionary or object to extract fields from',
  none_required: 'Input should be None',
  greater_than: 'Input should be greater than {gt}',
  greater_than_equal: 'Input should be greater than or equal to {ge}',
  less_than: 'Input should be less than {lt}',
  less_than_equal: 'Input should be less than or equal to {le}',
  multiple_of: 'Input should be a multiple of {multiple_of}',
  finite_number: 'Input should be a finite number',
  too_short: '{field_type} should have at least {min_length} item{s} after validation, not {actual_length}',
  too_long: '{field_type} should have at most {max_length} item{s} after validation, not {actual_length}',
  string_type: 'Input should be a valid string',
  string_too_short: 'String should have at least {min_length} character{s}',
  string_too_long: 'String should have at most {max_length} character{s}',
  string_pattern_mismatch: "String should match pattern '{pattern}'",
  enum: 'Input should be {expected}',
  literal_error: 'Input should be {expected}',
  dict_type: 'Input should be a valid dictionary',
  list_type: 'Input should be a valid list',
  tuple_type: 'Input should be a valid tuple',
  set_type: 'Input should be a valid set',
  bool_type: 'Input should be a valid boolean',
  bool_parsing: 'Input should be a valid boolean, unable to interpret input',
  int_type: 'Input should be a valid integer',
  int_parsing: 'Input should be a valid integer, unable to parse string as an integer',
  int_parsing_size: 'Unable to parse input string as an integer, exceeded maximum size',
  int_from_float: 'Input should be a valid integer, got a number with a fractional part',
  float_type: 'Input should be a valid number',
  float_parsing: 'Input should be a valid number, unable to parse string as a number',
  bytes_type: 'Input should be a valid bytes',
  bytes_too_short: 'Data should have at least {min_length} byte{s}',
  bytes_too_long: 'Data should have at most {max_length} byte{s}',
  value_error: 'Value error, {error}',
  date_type: 'Input should be a valid date',
  date_from_datetime_parsing: 'Input should be a valid date or datetime, {error}',
  date_from_datetime_inexact: 'Datetimes provided to dates should have zero time - e.g. be exact dates',
  time_type: 'Input should be a valid time',
  time_parsing: 'Input should be in a valid time format, {error}',
  datetime_type: 'Input should be a valid datetime',
  datetime_parsing: 'Input should be a valid datetime, {error}',
  datetime_from_date_parsing: 'Input should be a valid datetime or date, {error}',
  timezone_aware: 'Input should have timezone info',
  time_delta_type: 'Input should be a valid timedelta',
  time_delta_parsing: 'Input should be a valid timedelta, {error}',
  union_tag_invalid:
    "Input tag '{tag}' found using {discriminator} does not match any of the expected tags: {expected_tags}",
  union_tag_not_found: 'Unable to extract tag using discriminator {discriminator}',
  url_type: 'URL input should be a string or URL',
  url_parsing: 'Input should be a valid URL, {error}',
  url_scheme: 'URL scheme should be {expected_schemes}',
  uuid_type: 'UUID input should be a string, bytes or UUID object',
  uuid_parsing: 'Input should be a valid UUID, {error}',
  uuid_version: 'UUID version {expected_version} expected',
  decimal_type: 'Decimal input should be an integer, float, string or Decimal object',
  decimal_parsing: 'Input should be a valid decimal',
}

/** Every type an issue of ours can have, for the reference page and the test that reads both. */
export const ISSUE_TYPES: readonly string[] = Object.keys(MESSAGES)

/** @returns exactly FastAPI's `{ type, loc, msg, input, ctx? }` */
export function fastapiIssue(issue: Issue): object {
  const { loc, input } = issue
  const type = typeOf(issue)
  const template = MESSAGES[type]
  const ctx = { ...issue.ctx }
  // FastAPI cannot put the exception of a validator into JSON and sends {} in its place; the message has its text.
  const isValueError = type === 'value_error'
  if (isValueError) ctx['error'] ??= issue.msg
  const msg = template === undefined ? issue.msg : fill(template, ctx)
  if (isValueError) ctx['error'] = {}
  return Object.keys(ctx).length > 0 ? { type, loc, msg, input, ctx } : { type, loc, msg, input }
}

/** Pydantic reads numbers and booleans from text, so text that is none is for it not of a wrong type, but not to be read. */
function typeOf({ type, input }: Issue): string {
  if (typeof input === 'string') return PARSED[type] ?? type
  return type === 'bool_type' && Number.isInteger(input) ? 'bool_parsing' : type
}
const PARSED: Readonly<Record<string, string | undefined>> = {
  int_type: 'int_parsing',
  float_type: 'float_parsing',
  bool_type: 'bool_parsing',
}

function fill(template: string, ctx: Readonly<Record<string, unknown>>): string {
  let figure: unknown
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (name === 's') return figure === 1 ? '' : 's'
    figure = ctx[name]
    // Of maps and sets Pydantic does not count what is beyond the bound.
    if (name === 'actual_length' && figure === null) return 'more'
    return typeof figure === 'string' ? figure : String(JSON.stringify(figure))
  })
}

/** `'a', 'b' or 'c'`: how Pydantic lists what it expected. */
export function choices(values: readonly unknown[]): string {
  const texts = values.map(value => (typeof value === 'string' ? `'${value}'` : (PYTHON.get(value) ?? String(value))))
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts[texts.length - 1]}`
}
const PYTHON = new Map<unknown, string>([
  [true, 'True'],
  [false, 'False'],
  [null, 'None'],
])
