// Fields that tell browsers to be careful with what we answer.
//
//   import { App } from 'millrace'
//   import { secureHeaders } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(secureHeaders({ contentSecurityPolicy: { 'img-src': ["'self'", 'https://cdn.example'] } }))
//
// A field that an answer has already is left as it is: a page may need a policy of its own.
import { milliseconds, type Duration } from '../../core/duration.ts'
import { UsageError } from '../../core/error.ts'
import { checkField } from '../../http/prepared-head.ts'
import { Amendment } from '../answer.ts'
import type { Middleware } from '../compose.ts'

/** Directive to its sources; an empty list for one that takes none, false to leave out a default. */
export type ContentSecurityPolicy = Readonly<Record<string, readonly string[] | false>>

export interface SecureHeadersOptions {
  /** Directives beside and instead of the defaults (see below), the whole policy as text, or false for none. */
  contentSecurityPolicy?: ContentSecurityPolicy | string | false
  /** Only reports what the policy would refuse. Default false. */
  reportOnly?: boolean
  /** Strict-Transport-Security, over https alone. Default a year for this host; false for none. */
  hsts?: { readonly maxAge?: Duration; readonly includeSubDomains?: boolean; readonly preload?: boolean } | false
  /** X-Frame-Options, for browsers that do not know frame-ancestors. Default SAMEORIGIN. */
  frameOptions?: 'DENY' | 'SAMEORIGIN' | false
  /** Default no-referrer. */
  referrerPolicy?: string | false
  /** Cross-Origin-Opener-Policy. Default same-origin. */
  openerPolicy?: string | false
  /** Cross-Origin-Resource-Policy: who may load an answer without CORS. Default same-origin. */
  resourcePolicy?: 'same-origin' | 'same-site' | 'cross-origin' | false
  /** Cross-Origin-Embedder-Policy. Default none. */
  embedderPolicy?: string | false
  /** Permissions-Policy, such as 'camera=(), geolocation=()'. Default none. */
  permissionsPolicy?: string | false
}

// Helmet 8's, without what it keeps for pages of the past: no inline styles, no sources over https from anywhere, and nothing about
// upgrading http, which the pages of a development server would trip over.
const DEFAULT_POLICY: ContentSecurityPolicy = {
  'default-src': ["'self'"],
  'base-uri': ["'self'"],
  'font-src': ["'self'", 'data:'],
  'form-action': ["'self'"],
  'frame-ancestors': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'script-src-attr': ["'none'"],
}

/** @throws UsageError `SECURE_HEADERS_BAD_OPTIONS` */
export function secureHeaders(options: SecureHeadersOptions = {}): Middleware {
  const policy = policyText(options.contentSecurityPolicy ?? {})
  const fields: [name: string, value: string | false][] = [
    [`content-security-policy${options.reportOnly ? '-report-only' : ''}`, policy],
    ['cross-origin-embedder-policy', options.embedderPolicy ?? false],
    ['cross-origin-opener-policy', options.openerPolicy ?? 'same-origin'],
    ['cross-origin-resource-policy', options.resourcePolicy ?? 'same-origin'],
    ['origin-agent-cluster', '?1'],
    ['permissions-policy', options.permissionsPolicy ?? false],
    ['referrer-policy', options.referrerPolicy ?? 'no-referrer'],
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', options.frameOptions ?? 'SAMEORIGIN'],
  ]
  const overHttp = given(fields)
  const overHttps = given([...fields, ['strict-transport-security', hstsText(options.hsts ?? {})]])
  return async (context, next) => {
    const answer = await next()
    // Over http it means nothing (RFC 6797 §7.2), and a development server must not take its host to https for a year.
    answer.amend(context.scheme === 'https' ? overHttps : overHttp)
  }
}

function given(fields: readonly (readonly [string, string | false])[]): Amendment {
  const sent = fields.filter((field): field is [string, string] => field[1] !== false)
  for (const [name, value] of sent)
    try {
      checkField(name, value)
    } catch (error) {
      throw bad(`${name} cannot be ${JSON.stringify(value)}`, error)
    }
  return new Amendment(headers => {
    for (const [name, value] of sent) if (!headers.has(name)) headers.set(name, value)
  })
}

function policyText(policy: ContentSecurityPolicy | string | false): string | false {
  if (typeof policy !== 'object') return policy
  const directives = Object.entries({ ...DEFAULT_POLICY, ...policy }).flatMap(([name, sources]) => {
    if (sources === false) return []
    // Either sign would end the directive, and the rest be read as another.
    const text = [name, ...sources].join(' ')
    if (!/^[a-z-]+$/.test(name) || /[;,]/.test(text))
      throw bad(`${JSON.stringify(text)} is not a directive of a policy`)
    return [text]
  })
  return directives.length === 0 ? false : directives.join('; ')
}

function hstsText(hsts: Exclude<SecureHeadersOptions['hsts'], undefined>): string | false {
  if (hsts === false) return false
  const { maxAge = '365d', includeSubDomains = false, preload = false } = hsts
  const seconds = Math.floor(milliseconds(maxAge, 'secureHeaders() hsts maxAge') / 1000)
  if (preload && (!includeSubDomains || seconds < 31_536_000))
    throw bad('hsts preload is for a host with includeSubDomains and a year of maxAge; lists take no other')
  return `max-age=${seconds}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`
}

function bad(message: string, cause?: unknown): UsageError {
  return new UsageError('SECURE_HEADERS_BAD_OPTIONS', `secureHeaders(): ${message}`, { cause })
}
