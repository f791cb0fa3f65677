// Refuses what other sites' pages have a visitor's browser send: cookies come along with that, and the visitor knows nothing of it.
//
//   import { App } from 'millrace'
//   import { csrf } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(csrf())
//
// Two checks, of requests that may change something. The first asks where a request comes from, which browsers say in fields that no page
// can set: Sec-Fetch-Site, in all of them since 2023, else Origin. Clients that are no browsers say neither, and nobody rides on them. It is
// the algorithm of Go's http.CrossOriginProtection. The second, with `token`, has pages show a token that only they could read.
import { randomBytes } from 'node:crypto'
import { UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import { adding } from '../additions.ts'
import type { Answer } from '../answer.ts'
import type { Middleware, MiddlewareContext } from '../compose.ts'
import type { RequestContext } from '../context.ts'
import { parseCookies, setCookie } from '../cookie.ts'
import type { Dependency } from '../dependency.ts'
import { HttpError } from '../http-error.ts'
import { exchangeOf } from '../request-state.ts'
import { isEqual, type Seal, signing } from '../seal.ts'
import { refuseWeak, type Session, SessionDefinition } from './session.ts'

export interface CsrfOptions {
  /** Other origins whose pages may write: 'https://admin.shop.example'. */
  origins?: readonly string[]
  /** Requests that are not looked at, such as webhooks with a signature of their own. */
  except?: (context: MiddlewareContext) => boolean
  /** A signed double submit besides: a cookie that pages read and send back as a field. Default none. */
  token?: CsrfTokenOptions
}

export interface CsrfTokenOptions {
  /** As those of `session()`: at least 32 bytes, the newest first. */
  secrets: readonly string[]
  /** Binds a token to a session: one from before a login is nothing after it. */
  session?: Dependency<Session<any>, 'request'>
  /** Of the cookie, which scripts can read. Default '__Host-csrf', or 'csrf' without `secure`. */
  cookie?: string
  /** The field that it comes back in. Default 'x-csrf-token'. */
  header?: string
  /** Over https alone; browsers count localhost as that. Default true. */
  secure?: boolean
}

/**
 * GET, HEAD and OPTIONS pass. What is refused is a 403 that says which check it was.
 *
 * @throws UsageError `CSRF_BAD_OPTIONS`
 */
export function csrf(options: CsrfOptions = {}): Middleware {
  const { origins = [], except, token } = options
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw bad(`${JSON.stringify(origin)} is not an origin; write scheme, host and port alone: https://shop.example`)
  const trusted = new Set(origins)
  const tokens = token && new Tokens(token)
  const check: Middleware = async (context, next) => {
    const exchange = exchangeOf(context)
    const shown = tokens?.of(exchange)
    if (!READS.has(context.method) && except?.(context) !== true) {
      if (!isOurs(context, trusted)) throw new HttpError(403, 'This request comes from another site')
      if (tokens && !tokens.isShown(exchange, shown))
        throw new HttpError(403, `The field ${tokens.header} must repeat the cookie ${tokens.cookie}`)
    }
    const answer = await next()
    tokens?.leave(exchange, answer, shown)
    return answer
  }
  return adding(check, method =>
    READS.has(method)
      ? {}
      : {
          statuses: [403],
          parameters: tokens
            ? [{ name: tokens.header, in: 'header', description: `Repeats the cookie ${tokens.cookie}` }]
            : [],
        },
  )
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])

function isOurs({ headers, authority, scheme }: MiddlewareContext, trusted: ReadonlySet<string>): boolean {
  const origin = headers.get('origin')
  const site = headers.get('sec-fetch-site')
  // 'none': the visitor's own doing, such as a bookmark.
  if (site === 'same-origin' || site === 'none') return true
  if (site === undefined && origin === undefined) return true
  if (origin === undefined) return false
  if (trusted.has(origin)) return true
  // The host alone: behind a proxy that nobody has named, ours would seem to be http.
  return (
    site === undefined &&
    URL.canParse(origin) &&
    new URL(origin).host === new URL(`${scheme}://${authority || 'invalid'}`).host
  )
}

/** What is now valid for each request, for pages that are made on the server. */
const current = new WeakMap<Exchange, string>()

/** The token that a page made for this request should send back; undefined where no `csrf({ token })` is around. */
export function csrfTokenOf(context: RequestContext): string | undefined {
  return current.get(exchangeOf(context))
}

class Tokens {
  readonly cookie: string
  readonly header: string
  readonly #secure: boolean
  readonly #seal: Seal
  readonly #sessionId: (exchange: Exchange) => string

  constructor(options: CsrfTokenOptions) {
    const { secrets, session, secure = true } = options
    refuseWeak(secrets, bad)
    if (session !== undefined && !((session as unknown) instanceof SessionDefinition))
      throw bad('token.session takes what session() made')
    this.cookie = options.cookie ?? (secure ? '__Host-csrf' : 'csrf')
    this.header = (options.header ?? 'x-csrf-token').toLowerCase()
    this.#secure = secure
    this.#seal = signing(secrets, `csrf ${this.cookie}`)
    const definition = session as unknown as SessionDefinition | undefined
    this.#sessionId = exchange => definition?.cookie.idOf(exchange) ?? ''
    this.#line('')
  }

  /** The one that came as a cookie, if it is valid; else a new one, which the answer will set. */
  of(exchange: Exchange): string {
    const sent = parseCookies(exchange.fields.get('cookie') ?? '')[this.cookie]
    const token = sent !== undefined && this.#isValid(exchange, sent) ? sent : this.#made(exchange)
    current.set(exchange, token)
    return token
  }

  /** @param token  what is valid: a request without a cookie shows no new one */
  isShown(exchange: Exchange, token: string | undefined): boolean {
    const shown = exchange.fields.all(this.header)
    return shown.length === 1 && isEqual(Buffer.from(shown[0]!), Buffer.from(token!))
  }

  /** Sets the cookie where it was not there, or the session is another one by now. */
  leave(exchange: Exchange, answer: Answer, token: string | undefined): void {
    const sent = parseCookies(exchange.fields.get('cookie') ?? '')[this.cookie]
    const next = this.#isValid(exchange, token!) ? token! : this.#made(exchange)
    answer.headers.addToList('vary', 'Cookie')
    if (next === sent) return
    answer.headers.append('set-cookie', this.#line(next))
    if (!answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store')
  }

  #made(exchange: Exchange): string {
    return this.#seal.seal(`${randomBytes(16).toString('base64url')}!${this.#sessionId(exchange)}`)
  }

  #isValid(exchange: Exchange, token: string): boolean {
    const text = this.#seal.open(token)?.text
    return text !== undefined && text.slice(text.indexOf('!') + 1) === this.#sessionId(exchange)
  }

  #line(token: string): string {
    return setCookie(this.cookie, token, { secure: this.#secure, sameSite: 'strict' })
  }
}

function bad(message: string): UsageError {
  return new UsageError('CSRF_BAD_OPTIONS', `csrf(): ${message}`)
}
