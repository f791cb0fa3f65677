// What Cache-Control says to a cache that many share, by RFC 9111 and RFC 5861. Pure.
import type { FieldList } from '../http/prepared-head.ts'
import { parseDate } from './date-field.ts'

export type Directives = ReadonlyMap<string, string>

/** Names in lower case; of one that comes twice the first counts (RFC 9111 §4.2.1). */
export function directivesOf(field: string | undefined): Directives {
  const found = new Map<string, string>()
  for (const [, name, quoted, plain] of (field ?? '').matchAll(DIRECTIVE)) {
    const lower = name!.toLowerCase()
    if (!found.has(lower)) found.set(lower, quoted ?? plain ?? '')
  }
  return found
}

const DIRECTIVE = /([!#$%&'*+\-.^_`|~\w]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g

/** @returns undefined where it is not there; 0 for what is no number, which is as good as stale */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const text = directives.get(name)
  if (text === undefined) return undefined
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}

export interface SharedLife {
  readonly freshMs: number
  /** undefined: the answer says nothing of it. */
  readonly staleMs: number | undefined
  readonly staleIfErrorMs: number | undefined
}

// Those that may be kept where they say for how long (RFC 9110 §15.1); a part is not one of them.
const KEEPABLE = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/**
 * For how long a shared cache may keep an answer.
 *
 * @param fields  of the answer
 * @param fallbackMs  where it says nothing; undefined: then it is not kept
 * @param varyNames  request fields that are in the key, in lower case
 * @returns undefined for one that it may not keep, or only ask about (`no-cache`)
 */
export function sharedLife(
  status: number,
  fields: FieldList,
  fallbackMs: number | undefined,
  varyNames: ReadonlySet<string>,
): SharedLife | undefined {
  if (!KEEPABLE.has(status)) return undefined
  const valueOf = (name: string): string | undefined => {
    const values = fields.filter((_, n) => n % 2 === 1 && fields[n - 1]!.toLowerCase() === name)
    return values.length === 0 ? undefined : values.join(', ')
  }
  if (valueOf('set-cookie') !== undefined) return undefined
  const vary = valueOf('vary')
  if (vary?.split(',').some(name => name.trim() !== '' && !varyNames.has(name.trim().toLowerCase())) === true)
    return undefined
  const said = directivesOf(valueOf('cache-control'))
  if (said.has('private') || said.has('no-store') || said.has('no-cache')) return undefined
  const age = valueOf('age')
  const ageMs = age !== undefined && /^\d{1,10}$/.test(age) ? Number(age) * 1000 : 0
  const saidMs = explicitMs(said, valueOf('expires'), valueOf('date'))
  const freshMs = saidMs === undefined ? fallbackMs : saidMs - ageMs
  if (freshMs === undefined || freshMs <= 0) return undefined
  // s-maxage means proxy-revalidate as well (§5.2.2.10).
  const isStrict = said.has('must-revalidate') || said.has('proxy-revalidate') || said.has('s-maxage')
  const extra = (name: string): number | undefined => {
    const seconds = secondsOf(said, name)
    return isStrict ? 0 : seconds === undefined ? undefined : seconds * 1000
  }
  return { freshMs, staleMs: extra('stale-while-revalidate'), staleIfErrorMs: extra('stale-if-error') }
}

function explicitMs(said: Directives, expires: string | undefined, date: string | undefined): number | undefined {
  const seconds = secondsOf(said, 's-maxage') ?? secondsOf(said, 'max-age')
  if (seconds !== undefined) return seconds * 1000
  if (expires === undefined) return undefined
  // What is no date, "0" above all, has passed (§5.3).
  const untilMs = parseDate(expires)
  if (untilMs === undefined) return 0
  return untilMs - ((date === undefined ? undefined : parseDate(date)) ?? Date.now())
}
