// Dates, times and durations as FastAPI's models read them from text or numbers, with what they say of those that they cannot read.
//
// ISO 8601 with the freedoms that Pydantic (its parser is speedate) takes: a space, `t` or `_` for the T, an offset without its colon,
// numbers as seconds or milliseconds since 1970. Used where `errorFormat` is 'fastapi'; elsewhere RFC 3339 is read strictly (date-time.ts).

/** Why a text was not read; ends the message that a client gets. */
export class Unreadable {
  readonly error: string

  constructor(error: string) {
    this.error = error
  }
}

export interface DayText {
  readonly year: number
  readonly month: number
  readonly day: number
}

export interface ClockText {
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** As digits, without trailing zeros; '' for none. */
  readonly fraction: string
  /** Minutes east of Greenwich; undefined where the text says nothing. */
  readonly offset: number | undefined
}

const TOO_SHORT = new Unreadable('input is too short')
const TRAILING = new Unreadable('unexpected extra characters at the end of the input')

/** A sign, the digits and a point: what is read as seconds or milliseconds since 1970, and not as a date. */
const UNIX = /^[+-]?\d+(?:\.\d+)?$/
/** Beyond this many seconds (the year 2603) a number means milliseconds. */
const MOST_SECONDS = 2e10
const MIN_UNIX_MS = Date.UTC(1600, 0, 1)
const MAX_UNIX_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** @returns milliseconds since 1970 */
export function unixTime(value: number): number | Unreadable {
  const ms = Math.abs(value) > MOST_SECONDS ? value : value * 1000
  if (ms < MIN_UNIX_MS) return new Unreadable('dates before 0000 are not supported as unix timestamps')
  if (ms > MAX_UNIX_MS) return new Unreadable('dates after 9999 are not supported as unix timestamps')
  return ms
}

export function unixText(text: string): number | Unreadable | undefined {
  return UNIX.test(text) ? unixTime(Number(text)) : undefined
}

/**
 * @returns the day, and the clock of a text that has one. Where a day is followed by something that is no time, Pydantic says of a datetime
 *   only that there is too much of it.
 */
export function readDateTime(text: string): { day: DayText; clock: ClockText | undefined } | Unreadable {
  const read = readLongDay(text)
  return read instanceof Unreadable && !(dayAt(text) instanceof Unreadable) ? TRAILING : read
}

/** As `readDateTime`, where a date is asked for: says what is wrong with the time. */
export function readLongDay(text: string): { day: DayText; clock: ClockText | undefined } | Unreadable {
  const day = dayAt(text)
  if (day instanceof Unreadable) return day
  if (text.length === 10) return { day, clock: undefined }
  if (!'Tt_ '.includes(text[10]!)) return new Unreadable('invalid datetime separator, expected `T`, `t`, `_` or space')
  const clock = readClock(text.slice(11))
  return clock instanceof Unreadable ? clock : { day, clock }
}

function dayAt(text: string): DayText | Unreadable {
  if (text.length < 10) return TOO_SHORT
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)]
  if (year === undefined) return new Unreadable('invalid character in year')
  if (text[4] !== '-') return new Unreadable('invalid date separator, expected `-`')
  if (month === undefined) return new Unreadable('invalid character in month')
  if (text[7] !== '-') return new Unreadable('invalid date separator, expected `-`')
  if (day === undefined) return new Unreadable('invalid character in day')
  if (month < 1 || month > 12) return new Unreadable('month value is outside expected range of 1-12')
  if (day < 1 || day > daysIn(year, month)) return new Unreadable('day value is outside expected range')
  return { year, month, day }
}

function daysIn(year: number, month: number): number {
  // A leap year's rule repeats every 400 years; Date.UTC takes years below 100 for the 1900s.
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
}

/** HH:MM, HH:MM:SS and fractions, each with or without an offset. */
export function readClock(text: string): ClockText | Unreadable {
  if (text.length < 5) return TOO_SHORT
  const hour = digits(text, 0, 2)
  if (hour === undefined) return new Unreadable('invalid character in hour')
  if (text[2] !== ':') return new Unreadable('invalid time separator, expected `:`')
  const minute = digits(text, 3, 2)
  if (minute === undefined) return new Unreadable('invalid character in minute')
  if (hour > 23) return new Unreadable('hour value is outside expected range of 0-23')
  if (minute > 59) return new Unreadable('minute value is outside expected range of 0-59')
  let at = 5
  let second = 0
  let fraction = ''
  if (text[at] === ':') {
    const found = digits(text, at + 1, 2)
    if (found === undefined) return new Unreadable('invalid character in second')
    if (found > 59) return new Unreadable('second value is outside expected range of 0-59')
    second = found
    at += 3
    if (text[at] === '.' || text[at] === ',') {
      const found = /^\d+/.exec(text.slice(at + 1))?.[0]
      if (found === undefined) return new Unreadable('invalid character in second fraction')
      fraction = found.replace(/0+$/, '')
      at += 1 + found.length
    }
  }
  const offset = offsetAt(text.slice(at))
  return offset instanceof Unreadable ? offset : { hour, minute, second, fraction, offset }
}

function offsetAt(text: string): number | undefined | Unreadable {
  if (text === '') return undefined
  if (text === 'Z' || text === 'z') return 0
  const sign = text[0] === '+' ? 1 : text[0] === '-' || text[0] === '\u2212' ? -1 : 0
  if (sign === 0) return new Unreadable('invalid timezone sign')
  const match = /^(\d\d):?(\d\d)(.*)$/s.exec(text.slice(1))
  if (!match) return new Unreadable('invalid timezone hour')
  if (match[3] !== '') return TRAILING
  const [hours, minutes] = [Number(match[1]), Number(match[2])]
  if (minutes > 59) return new Unreadable('timezone minute value is outside expected range of 0-59')
  if (hours > 23) return new Unreadable('timezone offset must be less than 24 hours')
  return sign * (hours * 60 + minutes)
}

/** @returns seconds: of ISO 8601 durations, `[N day[s][,]] HH:MM:SS`, and `N days` */
export function readDuration(text: string): number | Unreadable {
  const sign = text[0] === '-' ? -1 : 1
  const rest = text[0] === '-' || text[0] === '+' ? text.slice(1) : text
  if (rest === '') return TOO_SHORT
  if (!/^[Pp]/.test(rest)) return clockDuration(rest, sign)
  const seconds = isoDuration(rest.slice(1))
  return seconds instanceof Unreadable ? seconds : sign * seconds
}

const DATE_UNITS: Readonly<Record<string, number>> = { Y: 365 * 86_400, M: 30 * 86_400, W: 7 * 86_400, D: 86_400 }
const TIME_UNITS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1 }

function isoDuration(text: string): number | Unreadable {
  if (text === '' || text === 'T') return TOO_SHORT
  let total = 0
  let isTime = false
  for (let at = 0; at < text.length;) {
    if (text[at] === 'T' || text[at] === 't') {
      if (isTime) return new Unreadable('`t` character repeated in duration')
      isTime = true
      at++
      continue
    }
    const figure = /^\d+(?:\.\d+)?/.exec(text.slice(at))?.[0]
    if (figure === undefined) return new Unreadable('invalid digit in duration')
    at += figure.length
    const unit = (isTime ? TIME_UNITS : DATE_UNITS)[text[at]?.toUpperCase() ?? '']
    if (unit === undefined) return new Unreadable(`quantity invalid in ${isTime ? 'time' : 'date'} part of duration`)
    total += Number(figure) * unit
    at++
  }
  return total
}

const BAD_DAYS = new Unreadable('"day" identifier in duration not correctly formatted')

/** `1 day, 00:00:01`, `5 days`, `100:00:00`. A sign before days is that of the days alone. */
function clockDuration(text: string, sign: number): number | Unreadable {
  const [all, days, clock = ''] = /^(?:(\d+) *(?:days|day|d)(?:,? +|$))?(.*)$/is.exec(text)!
  const daySeconds = Number(days ?? 0) * 86_400 * sign
  if (clock === '' && all !== '') return daySeconds
  if (!clock.includes(':') && days === undefined) return /^\d+$/.test(clock) ? BAD_DAYS : notDays(clock)
  if (clock.length < 5) return TOO_SHORT
  const match = /^(\d+):(\d\d)(?::(\d\d)(\.\d+)?)?(.*)$/s.exec(clock)
  if (!match) return /^\d+:/.test(clock) ? new Unreadable('invalid character in minute') : notDays(clock)
  const [minute, second] = [Number(match[2]), Number(match[3] ?? 0)]
  if (minute > 59) return new Unreadable('minute value is outside expected range of 0-59')
  if (second > 59) return new Unreadable('second value is outside expected range of 0-59')
  if (match[5] !== '') return TRAILING
  const seconds = Number(match[1]) * 3600 + minute * 60 + second + Number(match[4] ?? 0)
  return days === undefined ? sign * seconds : daySeconds + seconds
}

function notDays(text: string): Unreadable {
  return new Unreadable(/^\d/.test(text) ? 'invalid character in hour' : 'invalid digit in duration')
}

function digits(text: string, from: number, count: number): number | undefined {
  const found = text.slice(from, from + count)
  return found.length === count && /^\d+$/.test(found) ? Number(found) : undefined
}

/** HH:MM:SS, with a fraction where there is one. */
export function clockText({ hour, minute, second, fraction }: ClockText): string {
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction === '' ? '' : `.${fraction}`}`
}

export function dayText({ year, month, day }: DayText): string {
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

function two(figure: number): string {
  return String(figure).padStart(2, '0')
}
