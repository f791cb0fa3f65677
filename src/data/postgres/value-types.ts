// How columns arrive, alone and in arrays: integers and floats as numbers, bigint and numeric as strings (they do not fit), moments as ISO 8601 strings,
// json parsed, bytea as a Buffer. Moments keep their microseconds, so a value read can be compared with the column it came from.
import pg from 'pg'

const JSON_TEXT = 114
const JSON_BINARY = 3802
const DATE = 1082
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const INTERVAL = 1186
const NUMERIC = 1700
const ARRAY_OF: Readonly<Record<number, number>> = {
  1182: DATE,
  1115: TIMESTAMP,
  1185: TIMESTAMPTZ,
  1187: INTERVAL,
  1231: NUMERIC,
}

type Parse = (text: string) => unknown

/** @returns the function that turns a column's text into a value, for pg's number of its type */
export function parserOf(typeId: number): Parse {
  const element = ARRAY_OF[typeId]
  if (element !== undefined) return arrayParser(OWN[element]!)
  return OWN[typeId] ?? (pg.types.getTypeParser(typeId, 'text') as Parse)
}

export function isJsonType(typeId: number): boolean {
  return typeId === JSON_TEXT || typeId === JSON_BINARY
}

const readInterval = pg.types.getTypeParser(INTERVAL, 'text') as (text: string) => Partial<Record<string, number>>

const OWN: Readonly<Record<number, Parse>> = {
  [NUMERIC]: text => text,
  [DATE]: text => text,
  [TIMESTAMP]: text => text.replace(' ', 'T'),
  [TIMESTAMPTZ]: instant,
  [INTERVAL]: isoDuration,
}

// '2026-11-23 06:04:05.123456+00' -> '2026-11-23T06:04:05.123456Z'. Always UTC, whatever the session's time zone.
function instant(text: string): string {
  const match = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(:\d\d)?(:\d\d)?$/.exec(text)
  if (!match) return text // infinity, or a year before Christ
  const [, date, time, fraction = '', hours, minutes = ':00', seconds = ':00'] = match
  if (hours === '+00' && minutes === ':00' && seconds === ':00') return `${date}T${time}${fraction}Z`
  const sign = hours!.startsWith('-') ? -1 : 1
  const offset = Math.abs(Number(hours)) * 3600 + Number(minutes.slice(1)) * 60 + Number(seconds.slice(1))
  const utc = new Date(Date.parse(`${date}T${time}Z`) - sign * offset * 1000)
  return Number.isNaN(utc.getTime()) ? text : `${utc.toISOString().slice(0, -5)}${fraction}Z`
}

// '1 year 2 days 03:00:00.5' -> 'P1Y2DT3H0.5S', ISO 8601 without its zero parts.
function isoDuration(text: string): string {
  const { years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = readInterval(text)
  const part = (value: number, unit: string): string => (value === 0 ? '' : `${value}${unit}`)
  const date = part(years, 'Y') + part(months, 'M') + part(days, 'D')
  // Six digits: microseconds, without the noise of adding binary fractions.
  const time = part(hours, 'H') + part(minutes, 'M') + part(Number((seconds + milliseconds / 1000).toFixed(6)), 'S')
  return date + time === '' ? 'PT0S' : `P${date}${time === '' ? '' : `T${time}`}`
}

// pg-types parses arrays of dates with its own idea of a date, and those of numeric as doubles. Arrays of text split alike, and none of these elements needs quotes undone
// that text would not.
const parseTextArray = pg.types.getTypeParser(1009 as never, 'text') as (text: string) => unknown[]

function arrayParser(parse: Parse): Parse {
  const convert = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(convert) : typeof value === 'string' ? parse(value) : value
  return text => convert(parseTextArray(text))
}
