// The text after '?' as names and values (the WHATWG URL standard's form-urlencoded parser), repeats kept in order.
import { MillraceError } from '../core/error.ts'

// 1,000 is Node's own querystring and PHP's default; more is never a person's request but a hash-flooding or memory attack.
const MAX_PARAMETERS = 1000

const EMPTY: Readonly<Record<string, string | readonly string[]>> = Object.freeze(Object.create(null))

/**
 * Also a form's body, which is written in the same way. A name that stands once has its text, one that repeats a list. The result has
 * no prototype.
 *
 * @param expected  names that somebody will ask for: found where they stand, without a text of their own for each (bench/micro/request)
 * @param tooMany  what to throw over 1,000 parameters
 * @throws MillraceError `APP_QUERY_TOO_LONG` (400)
 */
export function parseQuery(
  search: string,
  expected: readonly string[] = [],
  tooMany: (most: number) => Error = queryTooLong,
): Readonly<Record<string, string | readonly string[]>> {
  if (search === '') return EMPTY
  const query = Object.create(null) as Record<string, string | string[]>
  const isPlain = !search.includes('%') && !search.includes('+')
  let count = 0
  for (let at = 0; at <= search.length;) {
    let end = search.indexOf('&', at)
    if (end === -1) end = search.length
    if (end > at) {
      if (++count > MAX_PARAMETERS) throw tooMany(MAX_PARAMETERS)
      let equals = search.indexOf('=', at)
      if (equals === -1 || equals > end) equals = end
      // With an escape in it the text that stands there is not the name.
      const name = isPlain
        ? (standingAt(search, at, equals, expected) ?? search.slice(at, equals))
        : text(search, at, equals)
      const value = equals === end ? '' : isPlain ? search.slice(equals + 1, end) : text(search, equals + 1, end)
      const before = query[name]
      if (before === undefined) query[name] = value
      else if (typeof before === 'string') query[name] = [before, value]
      else before.push(value)
    }
    at = end + 1
  }
  return query
}

function standingAt(search: string, from: number, to: number, names: readonly string[]): string | undefined {
  for (let n = 0; n < names.length; n++) {
    const name = names[n]!
    if (name.length === to - from && search.startsWith(name, from)) return name
  }
  return undefined
}

function queryTooLong(most: number): MillraceError {
  return new MillraceError('APP_QUERY_TOO_LONG', `a query of over ${most} parameters`, {
    status: 400,
    detail: `The query has over ${most} parameters`,
  })
}

function text(search: string, from: number, to: number): string {
  const raw = search.slice(from, to)
  if (!raw.includes('%') && !raw.includes('+')) return raw
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    // '100%' or a broken UTF-8 sequence: kept or replaced as the URL standard says, so that fetch() and the wire agree.
    return new URLSearchParams(`v=${raw}`).get('v') ?? raw
  }
}
