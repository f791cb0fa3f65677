// Cookies as RFC 6265 reads and writes them: `Cookie` lines in, one `Set-Cookie` value out.
import { UsageError } from '../core/error.ts'

export interface CookieOptions {
  readonly maxAgeSeconds?: number
  readonly expires?: Date
  readonly domain?: string
  /** Default '/'. */
  readonly path?: string
  readonly secure?: boolean
  readonly httpOnly?: boolean
  /** Default 'lax'. */
  readonly sameSite?: 'strict' | 'lax' | 'none'
  readonly partitioned?: boolean
}

/** Cookies by name; later ones win, as in FastAPI. Values are percent-decoded where that is possible, else kept as they are. */
export function parseCookies(header: string): Record<string, string> {
  const cookies = Object.create(null) as Record<string, string>
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 1) continue
    const name = pair.slice(0, equals).trim()
    let value = pair.slice(equals + 1).trim()
    if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1)
    if (name !== '') cookies[name] = value.includes('%') ? decoded(value) : value
  }
  return cookies
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// RFC 6265 §4.1.1 path-value and domain-value: anything but controls and ';', which would start another attribute.
const ATTRIBUTE = /^[^\x00-\x1f\x7f;]*$/

/** @throws UsageError `APP_BAD_COOKIE` for a name that is no token, or an attribute holding a control or ';' */
export function setCookie(name: string, value: string, options: CookieOptions = {}): string {
  if (!NAME.test(name)) throw new UsageError('APP_BAD_COOKIE', `${JSON.stringify(name)} is not a cookie name`)
  const { path = '/', domain, maxAgeSeconds, expires, sameSite = 'lax' } = options
  for (const text of [path, domain, sameSite])
    if (text !== undefined && !ATTRIBUTE.test(text))
      throw new UsageError('APP_BAD_COOKIE', `an attribute of cookie ${name} holds a control character or ';'`)
  let line = `${name}=${encodeURIComponent(value)}; Path=${path}`
  if (domain !== undefined) line += `; Domain=${domain}`
  if (maxAgeSeconds !== undefined) line += `; Max-Age=${Math.trunc(maxAgeSeconds)}`
  if (expires) line += `; Expires=${expires.toUTCString()}`
  if (options.httpOnly) line += '; HttpOnly'
  // Browsers drop a cookie that asks for either of the two without it.
  if (options.secure || options.partitioned || sameSite === 'none') line += '; Secure'
  if (options.partitioned) line += '; Partitioned'
  return `${line}; SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`
}
