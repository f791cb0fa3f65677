// Calls an app, or one endpoint, through the real parser and encoder over a connection in memory.
import { App } from '../app/app.ts'
import { answerBody } from '../app/call-answer.ts'
import { type AnyInput, callRequest } from '../app/call-request.ts'
import { answerItems } from '../app/call-streams.ts'
import type { AnyShape, Answers, Arguments, CallOptions, Calls, Formats, Input } from '../app/call.ts'
import { contentKindOf } from '../app/content-kind.ts'
import { methodCalls } from '../app/method-calls.ts'
import type { StatusMap } from '../app/reply.ts'
import { statusMap } from '../app/responder.ts'
import type { Endpoint, Method } from '../app/route.ts'
import type { Routes } from '../app/router.ts'
import type { StartedApp } from '../app/servable.ts'
import { milliseconds } from '../core/duration.ts'
import type { RequestRecord } from '../core/request-record.ts'
import { Engine } from '../http/engine.ts'
import type { Peer } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import type { Schema } from '../schema/schema.ts'
import { ask } from './ask.ts'
import { CallableRoutes, mayAnswer, type NamedCall, undeclared } from './callable-routes.ts'
import { CookieJar } from './cookie-jar.ts'
import type { MessageKind, SocketEndpoint } from '../app/websocket/socket-route.ts'
import { duplexPair } from './duplex.ts'
import { type Sent, Session, type SessionOptions } from './session.ts'
import {
  type AnySocketShape,
  openSocket,
  type SocketClient,
  type SocketHears,
  type SocketInput,
  type SocketOptions,
  type SocketSays,
} from './socket-client.ts'

export interface TestClientOptions extends SessionOptions {
  /** What the app puts in front of the paths that the module's types know: '/v1' where it includes their router under that. Default ''. */
  readonly prefix?: string
}

export interface TestClient<R, F extends keyof Formats> extends Calls<R, F>, AsyncDisposable {
  /** Calls an endpoint of the app by its value. `status` of the result narrows `body`. */
  call<P extends string, S extends AnyShape>(
    endpoint: Endpoint<Method, P, S>,
    ...input: Arguments<Input<P, S> & CallOptions>
  ): Promise<Answers<S, F>['all']>
  /**
   * Opens a WebSocket of the app, by the value that `app.ws` returned or by its path. Resolves when it is open.
   *
   * @throws SocketRefusedError with status and body, when the answer is not 101
   */
  socket<P extends string, S extends AnySocketShape>(
    endpoint: SocketEndpoint<P, S, any>,
    ...input: Arguments<SocketInput<P, S>>
  ): Promise<SocketClient<SocketSays<S>, SocketHears<S>>>
  socket(path: `/${string}`, input?: SocketOptions): Promise<SocketClient<any, any>>
  /** Anything else: the platform's fetch, with a path for a URL. */
  fetch(path: `/${string}`, init?: RequestInit): Promise<Response>
  /** What answers have set, where the option `cookies` is true. */
  readonly cookies: CookieJar
  /** Drains: deferred tasks, worker-scoped dependencies, lifespan. */
  close(): Promise<void>
}

/** Calls one endpoint. */
export interface EndpointCall<P, S extends AnyShape> extends AsyncDisposable {
  (...input: Arguments<Input<P, S> & CallOptions>): Promise<Answers<S, 'problem'>['all']>
  close(): Promise<void>
}

/**
 * The app starts on the first call, lifespan and worker-scoped dependencies included; `close()` stops it.
 *
 * A call by value finds the endpoint wherever the app has included it. A refusal (4xx, 5xx) that neither the endpoint nor Millrace declares is
 * thrown as a UsageError `CALL_UNDECLARED_STATUS`: typed callers would not expect it.
 *
 * @example
 * const api = testClient(app)
 * const { status, body } = await api.call(getProduct, { params: { id: 7 } })
 * await api.close()
 */
export function testClient<P extends string, S extends AnyShape>(
  endpoint: Endpoint<Method, P, S>,
  options?: SessionOptions,
): EndpointCall<P, S>
export function testClient<R = {}, F extends keyof Formats = 'problem'>(
  app: Routes,
  options?: TestClientOptions,
): TestClient<R, F>
export function testClient(of: Routes | Endpoint<any, any, any>, options: TestClientOptions = {}): unknown {
  if (!('~routes' in of)) {
    const driver = new Driver(new App().include(of), options)
    return Object.assign((input?: TestInput) => driver.call(of, input), {
      close: () => driver.close(),
      [Symbol.asyncDispose]: () => driver.close(),
    })
  }
  const driver = new Driver(of instanceof App ? of : new App().include(of), options)
  return {
    ...methodCalls<TestInput>((method, path, input) => driver.call({ method, path }, input)),
    call: (endpoint: Endpoint<any, any, any>, input?: TestInput) => driver.call(endpoint, input),
    socket: (endpoint: AnySocketEndpoint | string, input?: TestInput & SocketOptions) => driver.socket(endpoint, input),
    fetch: (path: string, init?: RequestInit) => driver.fetch(path, init),
    cookies: driver.cookies,
    close: () => driver.close(),
    [Symbol.asyncDispose]: () => driver.close(),
  }
}

type TestInput = AnyInput & CallOptions

interface AnySocketEndpoint {
  readonly path: string
  readonly rules: { readonly messages: MessageKind }
}

class Driver {
  readonly cookies = new CookieJar()
  readonly #app: App<any, any>
  readonly #prefix: string
  readonly #session: Session
  readonly #errors = new WeakMap<Peer, RequestRecord>()
  #calls: CallableRoutes | undefined
  #running: Promise<{ readonly engine: Engine; readonly started: StartedApp }> | undefined

  constructor(app: App<any, any>, options: TestClientOptions) {
    this.#app = app
    this.#prefix = options.prefix ?? ''
    this.#session = new Session((path, init) => this.#send(path, init), options, this.cookies)
  }

  async call(of: NamedCall, input: TestInput = {}): Promise<unknown> {
    const { method } = of
    const { path, route } = (this.#calls ??= new CallableRoutes(this.#app, this.#prefix)).find(of)
    const spec = route?.endpoint.spec ?? {}
    const declared = { bodyType: spec.bodyType, takesFiles: spec.files !== undefined }
    const { target, headers, body } = callRequest(method, path, input, declared)
    const signals = [
      input.signal,
      input.timeout === undefined ? undefined : AbortSignal.timeout(milliseconds(input.timeout)),
    ].filter(signal => signal !== undefined)
    const response = await this.fetch(target, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    })
    const { status, ok, headers: fields } = response
    if (route && !mayAnswer(route, status)) throw undeclared(route, response, await answerBody(response))
    const answered = answerItems(response, sendsText(spec.returns, status)) ?? (await answerBody(response))
    return { status, ok, headers: fields, body: answered }
  }

  async socket(endpoint: AnySocketEndpoint | string, input: TestInput & SocketOptions = {}): Promise<unknown> {
    const { target, headers } = callRequest('GET', typeof endpoint === 'string' ? endpoint : endpoint.path, input, {})
    const engine = await this.#engine()
    const [ours, theirs] = duplexPair()
    engine.accept(theirs)
    const kind = typeof endpoint === 'string' ? (input.messages ?? 'json') : endpoint.rules.messages
    return openSocket(ours, target, headers, kind, input)
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return this.#session.fetch(path, init)
  }

  async #send(path: string, init: RequestInit): Promise<Sent> {
    const engine = await this.#engine()
    const [ours, theirs] = duplexPair()
    // One of its own for each request, so that its record can be found.
    const peer: Peer = { address: '', port: 0, encrypted: false }
    engine.accept(theirs, peer)
    // A connection in memory holds no process open, as a socket does, and the engine's own timers are not meant to.
    const awake = setInterval(() => {}, LONG_MS)
    try {
      const response = await ask(path, init, { createConnection: () => ours })
      return { response, error: this.#errors.get(peer)?.error }
    } finally {
      clearInterval(awake)
    }
  }

  async #engine(): Promise<Engine> {
    if (!this.#running) {
      this.#running = this.#start()
      this.#running.catch(() => (this.#running = undefined))
    }
    return (await this.#running).engine
  }

  async close(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (!running) return
    const up = await running.catch(() => undefined)
    if (!up) return // it never started, which its callers were told
    up.started.leave()
    await up.engine.handedOverGone(GRACE_MS)
    up.engine.close()
    await up.started.stop(GRACE_MS)
  }

  async #start(): Promise<{ engine: Engine; started: StartedApp }> {
    const started = await this.#app.start()
    const handler: Handler = exchange => {
      this.#errors.set(exchange.peer, exchange.record)
      return started.handler(exchange)
    }
    return { engine: new Engine(handler, { limits: started.bodyLimits }), started }
  }
}

const LONG_MS = 60_000
const GRACE_MS = 5000

/** `events(text)`, which only the declaration can tell from JSON. */
function sendsText(returns: unknown, status: number): boolean {
  const schema = statusMap(returns as Schema | StatusMap | undefined)?.[status]
  const data = schema ? contentKindOf(schema)?.schema : undefined
  return data !== undefined && contentKindOf(data)?.form === 'text'
}
