// URLs from patterns, typed by them: the other way round of routing, with the same idea of what a segment may hold.
import { UsageError } from '../core/error.ts'
import { didYouMean } from '../core/nearest-name.ts'
import type { Names } from './pattern.ts'

export type UrlValue = string | number | bigint | boolean

interface UrlParts {
  /** Lists repeat their name; what is undefined is left out. */
  readonly query?: Readonly<Record<string, UrlValue | readonly UrlValue[] | undefined>>
  /** Behind '#', without it. */
  readonly hash?: string
  /** Makes it absolute: scheme and host of this URL, or of this request. */
  readonly base?: string | URL | Request
}
/** `params` has a value for each name in the pattern, and may be left out with it when there is none. */
export type UrlOptions<P extends string> = [Names<P>] extends [never]
  ? [of?: UrlParts]
  : [of: UrlParts & { readonly params: { readonly [N in Names<P>]: UrlValue } }]

/**
 * The URL of a path pattern. Values are percent-encoded; one for the rest of a path ({path*}) keeps its slashes. A pattern that begins with
 * a host ('//{tenant}.example.com/orders') gives a URL that does.
 *
 * @example urlFor('/products/{id}', { params: { id: 7 }, query: { tag: ['a', 'b'] } })   // '/products/7?tag=a&tag=b'
 * @throws UsageError `APP_BAD_URL` for a name without a value, or a value that no request could bring back
 */
export function urlFor<P extends string>(pattern: P, ...[of = {}]: UrlOptions<P>): string {
  const { params = {}, query = {}, hash, base } = of as UrlParts & { params?: Readonly<Record<string, UrlValue>> }
  const used = new Set<string>()
  const path = pattern.replaceAll(/\{([^{}]*)\}/g, (_, inner: string) => {
    const isRest = inner.endsWith('*')
    const name = isRest ? inner.slice(0, -1) : inner
    used.add(name)
    const value = Object.hasOwn(params, name) ? params[name] : undefined
    const text = value === undefined || value === null ? '' : String(value)
    if (text === '') throw badUrl(pattern, `it has no value for ${name}`)
    return isRest
      ? text
          .split('/')
          .map(part => segment(pattern, name, part))
          .join('/')
      : segment(pattern, name, text)
  })
  const extra = Object.keys(params).find(name => !used.has(name))
  if (extra !== undefined) throw badUrl(pattern, `it has no {${extra}}${didYouMean(extra, [...used])}`)
  const relative = path + search(query) + (hash === undefined ? '' : `#${encodeURIComponent(hash)}`)
  if (base === undefined) return relative
  return new URL(relative, base instanceof Request ? base.url : base).href
}

/** A path in normal form, written as a target: what has a meaning in a URL is escaped. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeSegment).join('/')
}

// RFC 3986 §3.3: sub-delims, ':' and '@' need no escape in a segment, and encodeURIComponent escapes some of them.
function encodeSegment(text: string): string {
  return encodeURIComponent(text).replaceAll(/%(?:2[46BC]|3[ABD]|40)/gi, escaped => decodeURIComponent(escaped))
}

function segment(pattern: string, name: string, text: string): string {
  // The router refuses them on the way back: what is escaped here would be a second meaning there.
  if (/[/\\\0]/.test(text)) throw badUrl(pattern, `${name} holds a slash, a backslash or a NUL, which no segment may`)
  if (/^\.{1,2}$/.test(text))
    throw badUrl(pattern, `${name} is ${JSON.stringify(text)}, which is no segment of its own`)
  if (!text.isWellFormed()) throw badUrl(pattern, `${name} holds half a character`)
  return encodeSegment(text)
}

function search(query: NonNullable<UrlParts['query']>): string {
  const found = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? (value as readonly UrlValue[]) : [value as UrlValue | undefined])
      if (each !== undefined && each !== null) found.append(name, String(each))
  const text = found.toString()
  return text === '' ? '' : `?${text}`
}

function badUrl(pattern: string, why: string): UsageError {
  return new UsageError('APP_BAD_URL', `no URL for ${pattern}: ${why}`)
}
