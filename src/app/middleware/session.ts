// Sessions in a cookie: what an app remembers of a visitor, typed by a schema, kept by the visitor's browser and by nobody else.
//
//   import { App, fail } from 'millrace'
//   import { session } from 'millrace/middleware'
//
//   const visit = session({ schema: z.object({ userId: z.int() }), secrets: [process.env.SESSION_SECRET!] })
//
//   app.post('/login', { uses: { session: visit } }, ({ session }) => session.set({ userId: 7 }))
//   app.get('/me', { uses: { session: visit } }, ({ session }) => session.data ?? fail(401))
//
// It is a dependency: `uses` of a route, a router or the app, and nobody else pays. There is no store, so a session ends everywhere only by
// its time, by destroy() in the browser that has it, or with its secret: keep what must be revoked at once in the database, under `id`.
import { randomBytes } from 'node:crypto'
import { type Duration, milliseconds } from '../../core/duration.ts'
import { MillraceError, UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Issue } from '../../schema/issue.ts'
import { compileBody, type Decoder } from '../../schema/decode.ts'
import type { Out, Schema } from '../../schema/schema.ts'
import { compileResponse, type Encoder } from '../../schema/serialize.ts'
import { adding } from '../additions.ts'
import { Amendment, type Answer } from '../answer.ts'
import type { Middleware } from '../compose.ts'
import type { RequestContext } from '../context.ts'
import { type CookieOptions, parseCookies, setCookie } from '../cookie.ts'
import { type Dependency, DependencyDefinition } from '../dependency.ts'
import { exchangeOf } from '../request-state.ts'
import { encrypting, LEAST_SECRET_BYTES, type Seal, signing } from '../seal.ts'

export interface SessionOptions<S extends Schema> {
  /** What is remembered. What no longer fits it, after a deploy, is as if it were not there. */
  schema: S
  /** At least 32 bytes each, from the environment. The first makes, all can open: put a new one first, and drop the old after `maxAge`. */
  secrets: readonly string[]
  /** Nor can the visitor read it. Default false: signed. */
  encrypted?: boolean
  /** Default '14d'. Counted by us as well: a browser may keep a cookie for longer. */
  maxAge?: Duration
  /** Its time begins anew while it is used, each time a tenth of it is over. Default true. */
  rolling?: boolean
  /** Of the cookie. Default '__Host-session', which no other host can set; 'session' where that may not be (`secure`, `domain`, `path`). */
  name?: string
  /** Over https alone; browsers count localhost as that. Default true. */
  secure?: boolean
  /** Default 'lax': not sent with what other sites' pages post, sent when a link is followed. */
  sameSite?: CookieOptions['sameSite']
  domain?: string
  path?: string
}

export interface Session<T> {
  /** Names it, and tells nothing; undefined where there is none. */
  readonly id: string | undefined
  readonly data: Readonly<T> | undefined
  /** Starts it, or replaces what it holds. @throws MillraceError `SESSION_TOO_LARGE` (500): a browser would not keep it */
  set(data: T): void
  /** A new `id` for the same data: after a login, so that whoever knew the old one knows nothing. */
  regenerate(): void
  destroy(): void
}

/** RFC 6265bis §5.6: what of name and value is longer, browsers throw away in silence. */
const MOST_COOKIE_BYTES = 4096

/**
 * Changes leave with the answer, unless it is an error that was thrown. An answer that sets the cookie is not stored by caches
 * (`Cache-Control: no-store`, where it says nothing itself), and all vary by cookie.
 *
 * @throws UsageError `SESSION_BAD_OPTIONS`
 */
export function session<S extends Schema>(options: SessionOptions<S>): Dependency<Session<Out<S>>, 'request'> {
  return new SessionDefinition(new SessionCookie(options)) as unknown as Dependency<Session<Out<S>>, 'request'>
}

export class SessionDefinition extends DependencyDefinition {
  readonly cookie: SessionCookie

  constructor(cookie: SessionCookie) {
    const around: Middleware = async (context, next) => {
      const answer = await next()
      opened.get(exchangeOf(context))?.get(cookie)?.leave(answer)
      return answer
    }
    const parameter = { name: cookie.name, in: 'cookie', description: 'The session; set by answers' } as const
    super(
      { name: 'session' },
      (context: RequestContext) => cookie.of(exchangeOf(context)),
      adding(around, { parameters: [parameter] }),
    )
    this.cookie = cookie
  }
}

/** By request, then by cookie: an app may have two. */
const opened = new WeakMap<Exchange, Map<SessionCookie, OpenSession>>()

interface Content {
  readonly id: string
  /** Seconds since 1970 at which its time began. */
  readonly since: number
  readonly data: unknown
}

export class SessionCookie {
  readonly name: string
  readonly maxAgeSeconds: number
  readonly rolling: boolean
  readonly #attributes: CookieOptions
  readonly #seal: Seal
  readonly #encoder: Encoder
  readonly #decoder: Decoder

  constructor(options: SessionOptions<Schema>) {
    const { schema, secrets, encrypted = false, rolling = true, secure = true, sameSite = 'lax' } = options
    const { domain, path = '/' } = options
    refuseWeak(secrets, bad)
    this.maxAgeSeconds = Math.floor(milliseconds(options.maxAge ?? '14d', 'session() maxAge') / 1000)
    if (this.maxAgeSeconds < 1) throw bad('maxAge is less than a second')
    this.rolling = rolling
    const isHostOnly = secure && domain === undefined && path === '/'
    this.name = options.name ?? (isHostOnly ? '__Host-session' : 'session')
    if (/^__Host-/i.test(this.name) && !isHostOnly) throw bad('a __Host- cookie has secure, no domain, and the path /')
    this.#attributes = { httpOnly: true, secure, sameSite, path, ...(domain === undefined ? {} : { domain }) }
    // Refuses what no cookie can carry now, and not with the first visitor.
    setCookie(this.name, '', this.#attributes)
    this.#seal = encrypted ? encrypting(secrets, this.name) : signing(secrets, this.name)
    this.#encoder = compileResponse(schema, 'session() schema')
    this.#decoder = compileBody(schema, 'session() schema')
  }

  async of(exchange: Exchange): Promise<OpenSession> {
    let sessions = opened.get(exchange)
    if (!sessions) opened.set(exchange, (sessions = new Map()))
    let found = sessions.get(this)
    if (!found) {
      const [content, isAged] = this.#read(exchange)
      const data = content && (await this.#decoded(content.data))
      // Another may have opened it meanwhile.
      found =
        sessions.get(this) ?? new OpenSession(this, data === undefined ? undefined : { ...content!, data }, isAged)
      sessions.set(this, found)
    }
    return found
  }

  /** Of the session that a request has, or by now has got. */
  idOf(exchange: Exchange): string | undefined {
    const found = opened.get(exchange)?.get(this)
    return found ? found.id : this.#read(exchange)[0]?.id
  }

  /** @throws MillraceError `SESSION_TOO_LARGE`, ResponseError for what the schema does not declare */
  sealed({ id, since, data }: Content): string {
    const sealed = this.#seal.seal(`{"i":"${id}","t":${since},"d":${this.#encoder.encode(data)}}`)
    const bytes = this.name.length + sealed.length
    if (bytes > MOST_COOKIE_BYTES)
      throw new MillraceError(
        'SESSION_TOO_LARGE',
        `a session makes a cookie of ${bytes} bytes, and browsers keep ${MOST_COOKIE_BYTES}: keep the data elsewhere, under its id`,
        { status: 500 },
      )
    return sealed
  }

  line(value: string): string {
    return setCookie(this.name, value, { ...this.#attributes, maxAgeSeconds: value === '' ? 0 : this.maxAgeSeconds })
  }

  /** What came with the request, and whether it is to be made anew: for its time, or because a newer secret has come. */
  #read(exchange: Exchange): [content: Content | undefined, isAged: boolean] {
    const sealed = parseCookies(exchange.fields.get('cookie') ?? '')[this.name]
    const found = sealed === undefined ? undefined : this.#seal.open(sealed)
    if (!found) return [undefined, false]
    const { i: id, t: since, d: data } = JSON.parse(found.text) as { i: string; t: number; d: unknown }
    const age = now() - since
    if (age >= this.maxAgeSeconds) return [undefined, false]
    return [{ id, since, data }, found.secret > 0 || (this.rolling && age * 10 >= this.maxAgeSeconds)]
  }

  async #decoded(data: unknown): Promise<unknown> {
    const issues: Issue[] = []
    const value = await this.#decoder.decode(data, issues)
    return issues.length > 0 ? undefined : value
  }
}

class OpenSession implements Session<unknown> {
  readonly #cookie: SessionCookie
  readonly #hadOne: boolean
  #content: Content | undefined
  /** The cookie's value when the answer must set it; '' to delete it. */
  #change: string | undefined
  readonly #isAged: boolean

  constructor(cookie: SessionCookie, content: Content | undefined, isAged: boolean) {
    this.#cookie = cookie
    this.#hadOne = content !== undefined
    this.#content = content && { ...content, data: frozen(content.data) }
    this.#isAged = isAged
  }

  get id(): string | undefined {
    return this.#content?.id
  }

  get data(): any {
    return this.#content?.data
  }

  set(data: unknown): void {
    this.#keep({ id: this.id ?? newId(), since: this.#since(), data: frozen(data) })
  }

  regenerate(): void {
    if (this.#content) this.#keep({ ...this.#content, id: newId(), since: this.#since() })
  }

  destroy(): void {
    this.#content = undefined
    this.#change = this.#hadOne ? '' : undefined
  }

  #keep(content: Content): void {
    this.#change = this.#cookie.sealed(content)
    this.#content = content
  }

  /** Without rolling its time began with it. */
  #since(): number {
    return this.#cookie.rolling ? now() : (this.#content?.since ?? now())
  }

  /** Into the answer, at the end. */
  leave(answer: Answer): void {
    answer.amend(VARIES)
    if (answer.error !== undefined) return
    if (this.#isAged && this.#change === undefined && this.#content)
      this.#keep({ ...this.#content, since: this.#since() })
    if (this.#change === undefined) return
    answer.headers.append('set-cookie', this.#cookie.line(this.#change))
    if (!answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store')
  }
}

const VARIES = new Amendment(headers => headers.addToList('vary', 'Cookie'))

/** A change in place would be lost without a word. */
function frozen<T>(data: T): T {
  return Object.freeze(data)
}

/** 128 bits: nobody guesses it, and two are never the same. */
function newId(): string {
  return randomBytes(16).toString('base64url')
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** @throws what `bad` makes of it */
export function refuseWeak(secrets: readonly string[], bad: (message: string) => UsageError): void {
  if (secrets.length === 0) throw bad('secrets is empty')
  for (const secret of secrets)
    if (typeof secret !== 'string' || Buffer.byteLength(secret) < LEAST_SECRET_BYTES)
      throw bad(`a secret has fewer than ${LEAST_SECRET_BYTES} bytes; make one with: openssl rand -base64 32`)
}

function bad(message: string): UsageError {
  return new UsageError('SESSION_BAD_OPTIONS', `session(): ${message}`)
}
