// What a test client does between one request and the next, where it is asked to: keeps cookies, follows redirects, throws what a handler threw.
import type { CookieJar } from './cookie-jar.ts'

export interface SessionOptions {
  /** Cookies that answers set go along with later requests, as in a browser. Default false: each request says what it sends. */
  readonly cookies?: boolean
  /** 'follow': as fetch does, up to 20 of them, within the app. Default 'manual': a test sees the redirect. */
  readonly redirects?: 'manual' | 'follow'
  /** 'throw': what made an answer a 500 is thrown by the call, with its stack. Default 'answer': the 500 itself. */
  readonly errors?: 'answer' | 'throw'
  /** Sent with every request; its own win. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface Sent {
  readonly response: Response
  /** What the app has noted of it: the error that it made an answer of. */
  readonly error: unknown
}

export class Session {
  readonly #send: (path: string, init: RequestInit) => Promise<Sent>
  readonly #options: SessionOptions
  readonly #cookies: CookieJar

  constructor(send: (path: string, init: RequestInit) => Promise<Sent>, options: SessionOptions, cookies: CookieJar) {
    this.#send = send
    this.#options = options
    this.#cookies = cookies
  }

  async fetch(path: string, init: RequestInit): Promise<Response> {
    const { redirects = 'manual', headers: own = {} } = this.#options
    const asked = new Request(new URL(path, ORIGIN), init)
    let { method } = asked
    const headers = new Headers(own)
    asked.headers.forEach((value, name) => headers.set(name, value))
    // Read once, because a redirect may ask for it again.
    let body = asked.body === null ? null : await asked.arrayBuffer()
    for (let hops = 0; ; hops++) {
      const response = await this.#once(path, { method, headers, body, signal: asked.signal })
      const location = response.headers.get('location')
      if (redirects === 'manual' || location === null || !REDIRECTS.has(response.status)) return response
      const to = URL.canParse(location, new URL(path, ORIGIN)) ? new URL(location, new URL(path, ORIGIN)) : undefined
      // Elsewhere there is nobody to ask.
      if (!to || to.host !== new URL(ORIGIN).host) return response
      if (hops === MOST_HOPS)
        throw new Error(`${method} ${path}: more than ${MOST_HOPS} redirects, the last to ${location}`)
      await response.body?.cancel()
      path = to.pathname + to.search
      // Fetch standard, HTTP-redirect fetch: a POST becomes a GET, but for 307 and 308.
      if (response.status === 303 ? method !== 'HEAD' : method === 'POST' && response.status < 307) {
        method = 'GET'
        body = null
        for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name)
      }
    }
  }

  async #once(path: string, init: RequestInit & { readonly headers: Headers }): Promise<Response> {
    const { cookies = false, errors = 'answer' } = this.#options
    const { pathname } = new URL(path, ORIGIN)
    const headers = new Headers(init.headers)
    if (cookies) {
      const field = together(headers.get('cookie'), this.#cookies.field(pathname))
      if (field !== undefined) headers.set('cookie', field)
    }
    const { response, error } = await this.#send(path, { ...init, headers })
    if (cookies) this.#cookies.store(response.headers.getSetCookie(), pathname)
    if (errors === 'throw' && response.status === 500 && error !== undefined) {
      await response.body?.cancel()
      throw error
    }
    return response
  }
}

const ORIGIN = 'http://testserver'
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** As the Fetch standard. */
const MOST_HOPS = 20

/** A request's own cookies win over kept ones of the same name. */
function together(own: string | null, kept: string | undefined): string | undefined {
  if (own === null || kept === undefined) return own ?? kept
  const named = new Set(own.split(';').map(pair => pair.split('=', 1)[0]!.trim()))
  const others = kept.split('; ').filter(pair => !named.has(pair.split('=', 1)[0]!))
  return [own, ...others].join('; ')
}
