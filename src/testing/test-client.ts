// Calls an app, or one endpoint, through the real parser and encoder over a connection in memory.
import { App } from '../app/app.ts'
import { answerBody } from '../app/call-answer.ts'
import { type AnyInput, callRequest } from '../app/call-request.ts'
import { answerItems } from '../app/call-streams.ts'
import type { AnyShape, Answers, Arguments, CallOptions, Calls, Formats, Input } from '../app/call.ts'
import { contentKindOf } from '../app/content-kind.ts'
import type { StatusMap } from '../app/reply.ts'
import { statusMap } from '../app/responder.ts'
import type { BodyType, Endpoint, Method } from '../app/route.ts'
import type { Routes } from '../app/router.ts'
import type { StartedApp } from '../app/servable.ts'
import { milliseconds } from '../core/duration.ts'
import { Engine } from '../http/engine.ts'
import type { Schema } from '../schema/schema.ts'
import { ask } from './ask.ts'
import type { MessageKind, SocketEndpoint } from '../app/websocket/socket-route.ts'
import { duplexPair } from './duplex.ts'
import {
  type AnySocketShape,
  openSocket,
  type SocketClient,
  type SocketHears,
  type SocketInput,
  type SocketOptions,
  type SocketSays,
} from './socket-client.ts'

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
 * @example
 * const api = testClient(app)
 * const { status, body } = await api.call(getProduct, { params: { id: 7 } })
 * await api.close()
 */
export function testClient<P extends string, S extends AnyShape>(endpoint: Endpoint<Method, P, S>): EndpointCall<P, S>
export function testClient<R = {}, F extends keyof Formats = 'problem'>(app: Routes): TestClient<R, F>
export function testClient(of: Routes | Endpoint<any, any, any>): unknown {
  if (!('~routes' in of)) {
    const driver = new Driver(new App().include(of))
    return Object.assign((input?: TestInput) => driver.call(of, input), {
      close: () => driver.close(),
      [Symbol.asyncDispose]: () => driver.close(),
    })
  }
  const driver = new Driver(of instanceof App ? of : new App().include(of))
  const verb = (method: string) => (path: string, input?: TestInput) => driver.call({ method, path }, input)
  return {
    get: verb('GET'),
    post: verb('POST'),
    put: verb('PUT'),
    patch: verb('PATCH'),
    delete: verb('DELETE'),
    head: verb('HEAD'),
    options: verb('OPTIONS'),
    call: (endpoint: Endpoint<any, any, any>, input?: TestInput) => driver.call(endpoint, input),
    socket: (endpoint: AnySocketEndpoint | string, input?: TestInput & SocketOptions) => driver.socket(endpoint, input),
    fetch: (path: string, init?: RequestInit) => driver.fetch(path, init),
    close: () => driver.close(),
    [Symbol.asyncDispose]: () => driver.close(),
  }
}

/** `spec`: a declared route at run time has its declaration. */
interface AnyEndpoint {
  readonly method: string
  readonly path: string
  readonly spec?: {
    readonly bodyType?: BodyType | undefined
    readonly files?: object | undefined
    readonly returns?: unknown
  }
}

type TestInput = AnyInput & CallOptions

interface AnySocketEndpoint {
  readonly path: string
  readonly rules: { readonly messages: MessageKind }
}

class Driver {
  readonly #app: App<any, any>
  #running: Promise<{ readonly engine: Engine; readonly started: StartedApp }> | undefined

  constructor(app: App<any, any>) {
    this.#app = app
  }

  async call({ method, path, spec = {} }: AnyEndpoint, input: TestInput = {}): Promise<unknown> {
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

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const engine = await this.#engine()
    const [ours, theirs] = duplexPair()
    engine.accept(theirs)
    const answered = ask(path, init, { createConnection: () => ours })
    // A connection in memory holds no process open, as a socket does, and the engine's own timers are not meant to.
    const awake = setInterval(() => {}, LONG_MS)
    return answered.finally(() => clearInterval(awake))
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
    return { engine: new Engine(started.handler, { limits: started.bodyLimits }), started }
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
