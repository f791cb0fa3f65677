// Cross-origin resource sharing: which other origins' pages may read the answers, and with what they may ask.
//
//   import { App } from 'millrace'
//   import { cors } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(cors({ origins: ['https://shop.example'], methods: ['GET', 'POST', 'DELETE'], credentials: true }))
//
// Use it on the app, outermost: then preflights of every path are answered, those that no route takes included, and errors carry the
// fields that let a page read them. On a router or a route it answers the preflights of what is in it. CORS opens doors for browsers; it
// keeps nobody else out and is no authorisation.
import { type Duration, milliseconds } from '../../core/duration.ts'
import { UsageError } from '../../core/error.ts'
import { Amendment, Answer, AnswerHeaders } from '../answer.ts'
import type { Middleware } from '../compose.ts'
import { HttpError } from '../http-error.ts'

export interface CorsOptions {
  /**
   * Who may read: '*' for everybody, exact origins ('https://shop.example'), a pattern that the whole origin must match, or a function.
   * Default '*'. A sandboxed page's origin is the text 'null': it is refused unless it is named.
   */
  origins?: '*' | readonly string[] | RegExp | ((origin: string) => boolean)
  /** Methods a preflight may ask for. Default GET, HEAD, POST. */
  methods?: '*' | readonly string[]
  /** Request headers beyond the safelisted ones (Accept, Accept-Language, Content-Language, Content-Type). Default none. */
  headers?: '*' | readonly string[]
  /** Response headers that scripts may read beyond the safelisted ones. */
  exposeHeaders?: readonly string[]
  /** Cookies and Authorization may come along. Not with origins '*': any site could act as your visitor. Default false. */
  credentials?: boolean
  /** How long a browser may remember a preflight's answer. Default '10m'. */
  maxAge?: Duration
  /** Lets pages on the public internet ask a server on a private network. Default false. */
  privateNetwork?: boolean
}

const EVERY_METHOD = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY']
// May be sent without asking (Fetch standard, CORS-safelisted request-header); Content-Type here for JSON, as in Starlette.
const SAFELISTED_HEADERS = ['accept', 'accept-language', 'content-language', 'content-type']

/**
 * A preflight is answered with 204 and never reaches a route; one that asks for too much with 400, saying what is not allowed.
 *
 * @throws UsageError `CORS_BAD_OPTIONS` for credentials with '*', and for an origin that no browser would ever send
 */
export function cors(options: CorsOptions = {}): Middleware {
  const { credentials = false, exposeHeaders = [], headers = [], privateNetwork = false } = options
  const allows = originTest(options.origins ?? '*', credentials)
  const isForAll = options.origins === undefined || options.origins === '*'
  const methods = options.methods === '*' ? EVERY_METHOD : (options.methods ?? ['GET', 'HEAD', 'POST'])
  if (credentials && exposeHeaders.includes('*'))
    throw bad('exposeHeaders cannot be * with credentials: browsers take it for a header of that name; list them')
  const allowedHeaders = headers === '*' ? undefined : new Set([...SAFELISTED_HEADERS, ...headers.map(lower)])
  const maxAge = String(Math.floor(milliseconds(options.maxAge ?? '10m') / 1000))

  const preflight = (origin: string, method: string, asked: string | undefined, asksPrivate: boolean): Answer => {
    const askedHeaders = (asked ?? '').split(',').flatMap(name => lower(name.trim()) || [])
    const refused = [
      ...(allows(origin) ? [] : ['origin']),
      ...(methods.includes(method) ? [] : ['method']),
      ...(allowedHeaders && askedHeaders.some(name => !allowedHeaders.has(name)) ? ['headers'] : []),
      ...(asksPrivate && !privateNetwork ? ['private-network'] : []),
    ]
    if (refused.length > 0) {
      // The page's console then says what was refused, and not that CORS is missing altogether.
      const told = new AnswerHeaders()
      dress(told, origin)
      const headers = Object.fromEntries(pairs(told.lines))
      throw new HttpError(400, `Disallowed CORS ${refused.join(', ')}`, { headers })
    }
    const answer = new Answer(204, null, ['access-control-allow-methods', methods.join(', ')])
    const echoed = allowedHeaders ? [...allowedHeaders] : askedHeaders
    if (echoed.length > 0) answer.headers.set('access-control-allow-headers', echoed.join(', '))
    if (!allowedHeaders) answer.headers.addToList('vary', 'Access-Control-Request-Headers')
    if (asksPrivate) answer.headers.set('access-control-allow-private-network', 'true')
    answer.headers.set('access-control-max-age', maxAge)
    return answer
  }

  const dress = (headers: AnswerHeaders, origin: string | undefined) => {
    // The same for everybody, so caches need not tell origins apart; else they must, whoever asked.
    if (isForAll) headers.set('access-control-allow-origin', '*')
    else {
      headers.addToList('vary', 'Origin')
      if (origin === undefined || !allows(origin)) return
      headers.set('access-control-allow-origin', origin)
      if (credentials) headers.set('access-control-allow-credentials', 'true')
    }
  }
  const exposed = exposeHeaders.join(', ')
  const dressAll = (headers: AnswerHeaders, origin: string | undefined) => {
    dress(headers, origin)
    if (exposed !== '') headers.set('access-control-expose-headers', exposed)
  }
  const withoutOrigin = new Amendment(headers => dressAll(headers, undefined))

  return async (context, next) => {
    const fields = context.headers
    const origin = fields.get('origin')
    const method = fields.get('access-control-request-method')
    if (context.method === 'OPTIONS' && origin !== undefined && method !== undefined) {
      const asksPrivate = fields.get('access-control-request-private-network') === 'true'
      const answer = preflight(origin, method, fields.get('access-control-request-headers'), asksPrivate)
      dress(answer.headers, origin)
      return answer
    }
    const answer = await next()
    if (origin === undefined || isForAll) answer.amend(withoutOrigin)
    else dressAll(answer.headers, origin)
  }
}

function originTest(origins: NonNullable<CorsOptions['origins']>, credentials: boolean): (origin: string) => boolean {
  if (origins === '*') {
    if (credentials)
      throw bad(
        "origins '*' with credentials would let any site act as your visitor; list the origins, or give a function",
      )
    return () => true
  }
  if (typeof origins === 'function') return origins
  if (origins instanceof RegExp) {
    // The whole origin: /https:\/\/.*\.shop\.example/ must not let https://x.shop.example.evil.test in.
    const whole = new RegExp(`^(?:${origins.source})$`, origins.flags.replaceAll(/[gy]/g, ''))
    return origin => whole.test(origin)
  }
  for (const origin of origins)
    if (origin !== 'null' && (origin.includes('*') || !URL.canParse(origin) || new URL(origin).origin !== origin))
      throw bad(
        `${JSON.stringify(origin)} is not an origin; write scheme, host and port alone, like https://shop.example, or give a RegExp`,
      )
  const known = new Set(origins)
  return origin => known.has(origin)
}

function pairs(lines: readonly string[]): [string, string][] {
  return lines.flatMap((text, n): [string, string][] => (n % 2 === 0 ? [[text, lines[n + 1]!]] : []))
}

function bad(message: string): UsageError {
  return new UsageError('CORS_BAD_OPTIONS', `cors(): ${message}`)
}

function lower(text: string): string {
  return text.toLowerCase()
}
