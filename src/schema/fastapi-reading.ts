// One value as FastAPI's models take it: numbers and booleans from text, dates from numbers, and what they call those they cannot read.
//
// Where `errorFormat` is 'fastapi' clients were written for FastAPI, so what they send is read as it reads it, in JSON too. Left out on
// purpose: NaN and infinities, which pass there and then fail as a 500; integers beyond 2^53, which a number would not hold (z.bigint() does);
// a time without an offset for a Date, which is another moment on each server.
import { FORM, HELD, type Node, typesOf } from './described.ts'
import { patternOf } from './fits.ts'
import {
  clockText,
  dayText,
  readClock,
  readDateTime,
  readDuration,
  readLongDay,
  unixText,
  unixTime,
  Unreadable,
} from './iso-text.ts'

/** Not to be read as what was declared. */
export class Misread {
  readonly type: string
  readonly ctx: Readonly<Record<string, unknown>> | undefined

  constructor(type: string, error?: string) {
    this.type = type
    this.ctx = error === undefined ? undefined : { error }
  }
}

/** A JSON value, or text, to what the schema's validator takes, or Misread. What it has no say about it returns as it is. */
export type Read = (value: unknown) => unknown

/** @returns undefined for a node whose values are taken as they come */
export function readerOf(node: Node): Read | undefined {
  const read = bareReader(node)
  if (!read) return undefined
  const isNullable = typesOf(node).includes('null')
  return value => (value === null && isNullable ? null : read(value))
}

function bareReader(node: Node): Read | undefined {
  if (node.const !== undefined || node.enum) return undefined
  if (node[HELD] === 'date') return asDate
  if (node[HELD] === 'bigint') return asBigint
  const types = typesOf(node).filter(type => type !== 'null')
  if (types.length !== 1) return undefined
  switch (types[0]) {
    case 'integer':
      return asInteger
    case 'number':
      return asNumber
    case 'boolean':
      return asBoolean
    case 'string':
      return formatReader(node)
    default:
      return undefined
  }
}

/** Digits with single underscores between them, blanks around, and a fraction of zeros: what Pydantic takes for an integer. */
const INTEGER = /^\s*([+-]?)(\d+(?:_\d+)*)(?:\.0+)?\s*$/
// 4,300 digits: Python's own bound, since converting them takes quadratic time.
const MAX_DIGITS = 4300

function integerText(text: string): string | undefined {
  const match = INTEGER.exec(text)
  return match ? `${match[1] === '-' ? '-' : ''}${match[2]!.replaceAll('_', '')}` : undefined
}

const asInteger: Read = value => {
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? new Misread('int_parsing_size') : value
  if (typeof value !== 'string') return value
  const digits = integerText(value)
  if (digits === undefined) return new Misread('int_parsing')
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number + 0 : new Misread('int_parsing_size')
}

const asBigint: Read = value => {
  if (typeof value === 'bigint') return value
  if (typeof value === 'boolean') return BigInt(value)
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return new Misread('int_from_float')
    // What a JSON parser made of more digits than a number holds is another number.
    return Number.isSafeInteger(value) ? BigInt(value) : new Misread('int_parsing_size')
  }
  if (typeof value !== 'string') return new Misread('int_type')
  const digits = integerText(value)
  if (digits === undefined) return new Misread('int_parsing')
  return digits.length > MAX_DIGITS ? new Misread('int_parsing_size') : BigInt(digits)
}

const NUMBER = /^\s*[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?\s*$/
const NOT_FINITE = /^\s*[+-]?(?:nan|inf|infinity)\s*$/i

const asNumber: Read = value => {
  if (typeof value === 'boolean') return Number(value)
  if (typeof value !== 'string') return value
  if (NOT_FINITE.test(value)) return new Misread('finite_number')
  if (!NUMBER.test(value)) return new Misread('float_parsing')
  const number = Number(value.replaceAll('_', ''))
  return Number.isFinite(number) ? number : new Misread('finite_number')
}

const BOOLEANS = new Map<unknown, boolean>([
  ...['true', '1', 'yes', 'on', 'y', 't'].map(text => [text, true] as const),
  ...['false', '0', 'no', 'off', 'n', 'f'].map(text => [text, false] as const),
  [1, true],
  [0, false],
])

const asBoolean: Read = value => {
  if (typeof value !== 'string' && typeof value !== 'number') return value
  const found = BOOLEANS.get(typeof value === 'string' ? value.toLowerCase() : value)
  if (found !== undefined) return found
  return typeof value === 'string' || Number.isInteger(value) ? new Misread('bool_parsing') : value
}

const asDate: Read = value => {
  if (value instanceof Date) return value
  if (typeof value === 'number') {
    const ms = unixTime(value)
    return ms instanceof Unreadable ? new Misread('datetime_parsing', ms.error) : new Date(ms)
  }
  if (typeof value !== 'string') return value
  const ms = unixText(value)
  if (ms !== undefined)
    return ms instanceof Unreadable ? new Misread('datetime_from_date_parsing', ms.error) : new Date(ms)
  const read = readDateTime(value)
  if (read instanceof Unreadable) return new Misread('datetime_from_date_parsing', read.error)
  const { day, clock } = read
  if (clock?.offset === undefined) return new Misread('timezone_aware')
  const utc = new Date(`${dayText(day)}T${clockText(clock)}Z`)
  return new Date(utc.getTime() - clock.offset * 60_000)
}

interface Format {
  /** For what is no text, and no number where numbers are read. */
  readonly type: string
  text(value: string, node: Node): string | Misread
  number?(value: number): string | Misread
}

const FORMATS: Readonly<Record<string, Format>> = {
  date: {
    type: 'date_type',
    text(value) {
      const ms = unixText(value)
      if (ms !== undefined)
        return ms instanceof Unreadable ? new Misread('date_from_datetime_parsing', ms.error) : dayOf(ms)
      const read = readLongDay(value)
      if (read instanceof Unreadable) return new Misread('date_from_datetime_parsing', read.error)
      const { clock, day } = read
      const isExact = !clock || (clock.hour === 0 && clock.minute === 0 && clock.second === 0 && clock.fraction === '')
      return isExact ? dayText(day) : new Misread('date_from_datetime_inexact')
    },
    number(value) {
      const ms = unixTime(value)
      return ms instanceof Unreadable ? new Misread('date_from_datetime_parsing', ms.error) : dayOf(ms)
    },
  },
  'date-time': {
    type: 'datetime_type',
    text(value, node) {
      const ms = unixText(value)
      if (ms !== undefined)
        return ms instanceof Unreadable
          ? new Misread('datetime_from_date_parsing', ms.error)
          : new Date(ms).toISOString()
      const read = readDateTime(value)
      if (read instanceof Unreadable) return new Misread('datetime_from_date_parsing', read.error)
      const { day, clock = { hour: 0, minute: 0, second: 0, fraction: '', offset: undefined } } = read
      const local = `${dayText(day)}T${clockText(clock)}`
      // A schema that takes times without an offset gets it so; the others are told that they want one.
      if (clock.offset === undefined) return fitsPattern(node, local) ? local : new Misread('timezone_aware')
      return new Date(Date.parse(`${local}Z`) - clock.offset * 60_000).toISOString()
    },
    number(value) {
      const ms = unixTime(value)
      return ms instanceof Unreadable ? new Misread('datetime_parsing', ms.error) : new Date(ms).toISOString()
    },
  },
  time: {
    type: 'time_type',
    text(value, node) {
      const read = readClock(value)
      if (read instanceof Unreadable) return new Misread('time_parsing', read.error)
      return fitsPattern(node, value) ? value : clockText(read)
    },
    number: value =>
      value >= 0 && value < 86_400
        ? new Date(value * 1000).toISOString().slice(11, -1)
        : new Misread('time_parsing', 'time in seconds should be less than 86400'),
  },
  duration: {
    type: 'time_delta_type',
    text(value) {
      const seconds = readDuration(value)
      return seconds instanceof Unreadable ? new Misread('time_delta_parsing', seconds.error) : durationText(seconds)
    },
    number: durationText,
  },
  uuid: { type: 'uuid_type', text: uuidText },
  uri: {
    type: 'url_type',
    text: value => (URL.canParse(value) ? value : new Misread('url_parsing', urlError(value))),
  },
  decimal: {
    type: 'decimal_type',
    text(value) {
      if (NOT_FINITE.test(value)) return new Misread('finite_number')
      return NUMBER.test(value) ? plainDecimal(value) : new Misread('decimal_parsing')
    },
    number: String,
  },
}

function formatReader(node: Node): Read | undefined {
  const format = FORMATS[node.format ?? node[FORM] ?? '']
  if (!format) return undefined
  return value => {
    if (typeof value === 'string')
      return format !== FORMATS['uuid'] && isPlain(node, value) ? value : format.text(value, node)
    if (typeof value === 'number' && format.number) return format.number(value)
    if (value === true && format === FORMATS['duration']) return durationText(1)
    return new Misread(format.type)
  }
}

/** In the very form that the schema asks for: left to it. */
function isPlain(node: Node, value: string): boolean {
  return node.pattern !== undefined && patternOf(node.pattern).test(value)
}

function fitsPattern(node: Node, value: string): boolean {
  return node.pattern === undefined || patternOf(node.pattern).test(value)
}

function dayOf(ms: number): string | Misread {
  return ms % 86_400_000 === 0 ? new Date(ms).toISOString().slice(0, 10) : new Misread('date_from_datetime_inexact')
}

function durationText(seconds: number): string {
  return `${seconds < 0 ? '-' : ''}PT${Math.abs(seconds)}S`
}

function plainDecimal(text: string): string {
  const plain = text.trim().replaceAll('_', '').replace(/^\+/, '')
  return /[eE]/.test(plain) ? String(Number(plain)) : plain
}

const GROUPS = [8, 4, 4, 4, 12]

function uuidText(value: string): string | Misread {
  const bare = /^\{(.*)\}$/s.exec(value)?.[1] ?? value.replace(/^urn:uuid:/i, '')
  if (/^[0-9a-f]{32}$/i.test(bare)) return hyphenated(bare)
  const odd = /[^0-9a-f-]/i.exec(bare)
  if (odd)
    return new Misread('uuid_parsing', `invalid character: found \`${odd[0]}\` at ${odd.index + value.indexOf(bare)}`)
  const groups = bare.split('-')
  if (groups.length === 1) return new Misread('uuid_parsing', `invalid length: found ${bare.length}`)
  if (groups.length !== 5) return new Misread('uuid_parsing', `invalid group count: expected 5, found ${groups.length}`)
  const wrong = groups.findIndex((group, n) => group.length !== GROUPS[n])
  if (wrong >= 0)
    return new Misread(
      'uuid_parsing',
      `invalid group length in group ${wrong}: expected ${GROUPS[wrong]}, found ${groups[wrong]!.length}`,
    )
  return bare.toLowerCase()
}

function hyphenated(hex: string): string {
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function urlError(text: string): string {
  if (text === '') return 'input is empty'
  return /^[a-z][a-z0-9+.-]*:/i.test(text) ? 'empty host' : 'relative URL without a base'
}
