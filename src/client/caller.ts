// Makes a client's calls.
//
// The life of a call:
//   request        path, query, fields and body from the input          > UsageError
//   headers        the client's, Authorization, the key and the time left
//   attempt        fetch, and the body read                             > CLIENT_NO_ANSWER
//   401            once more with another Authorization, where the provider has one
//   429, 503, none a wait and another attempt, within budget and time   (retry.ts)
//   answer         what the types have, or thrown                       > CLIENT_UNEXPECTED_ANSWER
// All of it within the call's time                                      > CLIENT_TIMED_OUT
import { callRequest, type AnyInput, type CallRequest } from '../app/call-request.ts'
import type { Told } from '../app/call.ts'
import { type Duration, milliseconds } from '../core/duration.ts'
import { UsageError } from '../core/error.ts'
import { Authorization, type Authorize } from './authorization.ts'
import { CallTime } from './call-time.ts'
import { CallError, type CallName } from './errors.ts'
import { events, itemsOf, lines } from './item-streams.ts'
import { received, told } from './received.ts'
import { Retry, type RetryOptions } from './retry.ts'

export interface ClientOptions {
  /** Sent with every call; a function is asked before each. A call's own headers win. */
  readonly headers?: HeaderSource | (() => HeaderSource | Promise<HeaderSource>)
  /** The value of Authorization, or a function that knows it and is asked again after a 401. */
  readonly authorization?: string | Authorize
  /** Time for a call with its retries, until the body is read or a stream begins. Default '30s'. */
  readonly timeout?: Duration
  /** Whether refused and lost calls are made again. Default: up to 3 attempts, and one retry for ten calls. */
  readonly retry?: RetryOptions | false
  /**
   * Idempotency-Key on every POST and PATCH, the same for each attempt. Default true, but not for another origin than the page's: there
   * a server's CORS has to allow it first.
   */
  readonly idempotencyKeys?: boolean
  /**
   * Request-Timeout-Ms on every call: what is left of its time, for the `deadline()` middleware of the server. Default as for
   * idempotencyKeys.
   */
  readonly deadlineHeader?: boolean
  /** Cookies in browsers. Default: the platform's, which sends them to the page's own origin. */
  readonly credentials?: RequestCredentials
  /** In place of the platform's; `app.fetch` calls an app in this process. */
  readonly fetch?: (request: Request) => Promise<Response>
}
type HeaderSource = Readonly<Record<string, string>>

/** What a call may say beside its inputs. */
export interface ClientCallOptions {
  readonly signal?: AbortSignal
  /** In place of the client's. */
  readonly timeout?: Duration
  /** Makes a POST or PATCH repeatable after a lost answer: the server does the work of a key once. */
  readonly idempotencyKey?: string
  /** False: one attempt. */
  readonly retry?: boolean
  /** For a route that returns `events(text)`: data is text as it is. Default: JSON, and text only where it is none. */
  readonly eventData?: 'text'
}

type CallInput = AnyInput & ClientCallOptions

/** What is fetched once: the request as prepared, and who it is from. */
interface Prepared {
  readonly call: CallName
  readonly request: CallRequest
  readonly input: CallInput
  readonly isRepeatable: boolean
  readonly time: CallTime
  readonly key: string | undefined
}

/** As Connect-Timeout-Ms of the Connect protocol: whole milliseconds in at most ten digits. */
const MOST_MS = 9_999_999_999

export class Caller {
  readonly #base: string
  readonly #options: ClientOptions
  readonly #timeoutMs: number
  readonly #retry: Retry
  readonly #authorization: Authorization
  readonly #isForeign: boolean

  /** @throws UsageError `CLIENT_BAD_URL`, `CLIENT_BAD_OPTIONS`, `CORE_BAD_DURATION` */
  constructor(url: string, options: ClientOptions) {
    this.#base = baseOf(url)
    this.#options = options
    this.#timeoutMs = milliseconds(options.timeout ?? '30s', 'client() timeout')
    this.#retry = new Retry(options.retry === false ? { attempts: 1 } : options.retry)
    this.#authorization = new Authorization(options.authorization)
    this.#isForeign = isForeign(this.#base)
  }

  /** The answer with its body read. */
  async call(method: string, path: string, input: CallInput = {}): Promise<Told<any, any>> {
    const prepared = this.#prepare(method, path, input)
    try {
      return await this.#attempts(prepared, response => this.#answer(prepared, response))
    } finally {
      prepared.time.lift()
    }
  }

  /** The platform's Response, its body unread, whatever its status. */
  async fetch(method: string, path: string, input: CallInput = {}): Promise<Response> {
    const prepared = this.#prepare(method, path, input)
    try {
      return await this.#attempts(prepared, async response => response)
    } finally {
      prepared.time.lift()
    }
  }

  async #answer(prepared: Prepared, response: Response): Promise<Told<any, any>> {
    const { call, input, isRepeatable, time } = prepared
    const kind = call.method === 'HEAD' ? undefined : itemsOf(response)
    if (kind === undefined) return received(response, call)
    if (kind === 'lines') return told(response, call, lines(response, call, time.signal))
    const again = async (lastId: string | undefined) => {
      const headers = { ...input.headers, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
      return this.fetch(call.method, call.path, { ...input, headers })
    }
    return told(
      response,
      call,
      events(response, call, {
        isText: input.eventData === 'text',
        signal: time.signal,
        again: isRepeatable ? again : undefined,
      }),
    )
  }

  #prepare(method: string, path: string, input: CallInput): Prepared {
    const request = callRequest(method, path, input)
    const call = { method, path, url: this.#base + request.target }
    const timeoutMs =
      input.timeout === undefined ? this.#timeoutMs : milliseconds(input.timeout, `${method} ${path} timeout`)
    const own = input.idempotencyKey ?? request.headers.get('idempotency-key') ?? undefined
    const mayKey = this.#options.idempotencyKeys ?? !this.#isForeign
    return {
      call,
      request,
      input,
      // A stream is gone once it has been sent.
      isRepeatable: (IDEMPOTENT.has(method) || own !== undefined) && !(request.body instanceof ReadableStream),
      time: new CallTime(call, timeoutMs, input.signal),
      key: own ?? (mayKey && KEYED.has(method) ? crypto.randomUUID() : undefined),
    }
  }

  async #attempts<T>(prepared: Prepared, read: (response: Response) => Promise<T>): Promise<T> {
    const { call, input, isRepeatable, time } = prepared
    const canRepeat = input.retry !== false && !(prepared.request.body instanceof ReadableStream)
    this.#retry.begin()
    let authorization = await this.#authorization.value()
    for (let attempt = 1, isRenewed = false; ; attempt++) {
      let response: Response | undefined
      try {
        time.signal.throwIfAborted()
        response = await this.#send(prepared, authorization)
        if (response.status === 401 && authorization !== undefined && !isRenewed && canRepeat) {
          const other = await this.#authorization.afterRefusal(authorization)
          if (other !== undefined) {
            await response.body?.cancel()
            authorization = other
            isRenewed = true
            attempt--
            continue
          }
        }
        const waitMs = canRepeat ? this.#retry.waitMs(response, isRepeatable, attempt, time.leftMs) : undefined
        if (waitMs === undefined) return await read(response)
        await response.body?.cancel()
        await time.pause(waitMs)
      } catch (error) {
        if (time.signal.aborted) throw time.signal.reason
        if (error instanceof CallError || error instanceof UsageError) throw error
        const waitMs = canRepeat ? this.#retry.waitMs(undefined, isRepeatable, attempt, time.leftMs) : undefined
        if (waitMs === undefined)
          throw new CallError('CLIENT_NO_ANSWER', call, `got no answer from ${call.url}: ${tell(error)}`, error)
        await time.pause(waitMs)
      }
    }
  }

  async #send({ call, request, time, key }: Prepared, authorization: string | undefined): Promise<Response> {
    const { headers: own, credentials, deadlineHeader } = this.#options
    const headers = new Headers(typeof own === 'function' ? await own() : own)
    if (authorization !== undefined) headers.set('authorization', authorization)
    if (key !== undefined) headers.set('idempotency-key', key)
    if (deadlineHeader ?? !this.#isForeign)
      headers.set('request-timeout-ms', String(Math.min(MOST_MS, Math.max(1, Math.floor(time.leftMs)))))
    request.headers.forEach((value, name) => headers.set(name, value))
    const asked = new Request(call.url, {
      method: call.method,
      headers,
      signal: time.signal,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.body instanceof ReadableStream ? { duplex: 'half' } : {}),
      ...(credentials === undefined ? {} : { credentials }),
    })
    return (this.#options.fetch ?? fetch)(asked)
  }
}

// RFC 9110 §9.2.2, and QUERY, which is safe.
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY', 'PUT', 'DELETE'])
const KEYED: ReadonlySet<string> = new Set(['POST', 'PATCH'])

/** '/api' is the page's own origin, in a browser. */
function baseOf(url: string): string {
  const isPath = url === '' || (url.startsWith('/') && !url.startsWith('//'))
  const parsed = isPath ? new URL(url, 'http://page.invalid') : URL.canParse(url) ? new URL(url) : undefined
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:'
  if (!parsed || !isHttp || parsed.search !== '' || parsed.hash !== '')
    throw new UsageError(
      'CLIENT_BAD_URL',
      `client(): ${JSON.stringify(url)} is not where an API is: write its origin, and a prefix if it has one, like https://shop.example/v1`,
    )
  return url.replace(/\/+$/, '')
}

/** Of another origin than the page that this runs in; outside of pages nothing is. */
function isForeign(base: string): boolean {
  const page = (globalThis as { location?: { readonly origin?: string } }).location?.origin
  return page !== undefined && base !== '' && new URL(base, page).origin !== page
}

/** Node says 'fetch failed' and keeps the why in the cause. */
function tell(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  return cause?.message || cause?.code || message || String(error)
}
