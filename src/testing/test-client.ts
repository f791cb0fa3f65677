// Calls an app, or one endpoint, through the real parser and encoder over a connection in memory.
import { App } from '../app/app.ts'
import type { AnyShape, Answers, Arguments, Calls, Formats, Input } from '../app/call.ts'
import type { BodyType, Endpoint, Method } from '../app/route.ts'
import type { Routes } from '../app/router.ts'
import type { StartedApp } from '../app/servable.ts'
import { milliseconds, type Duration } from '../core/duration.ts'
import { Engine } from '../http/engine.ts'
import { ask } from './ask.ts'
import { duplexPair } from './duplex.ts'

export interface TestClient<R, F extends keyof Formats> extends Calls<R, F>, AsyncDisposable {
  /** Calls an endpoint of the app by its value. `status` of the result narrows `body`. */
  call<P extends string, S extends AnyShape>(
    endpoint: Endpoint<Method, P, S>,
    ...input: Arguments<Input<P, S>>
  ): Promise<Answers<S, F>['all']>
  /** Anything else: the platform's fetch, with a path for a URL. */
  fetch(path: `/${string}`, init?: RequestInit): Promise<Response>
  /** Drains: deferred tasks, worker-scoped dependencies, lifespan. */
  close(): Promise<void>
}

/** Calls one endpoint. */
export interface EndpointCall<P, S extends AnyShape> extends AsyncDisposable {
  (...input: Arguments<Input<P, S>>): Promise<Answers<S, 'problem'>['all']>
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
    return Object.assign((input?: AnyInput) => driver.call(of, input), {
      close: () => driver.close(),
      [Symbol.asyncDispose]: () => driver.close(),
    })
  }
  const driver = new Driver(of instanceof App ? of : new App().include(of))
  const verb = (method: string) => (path: string, input?: AnyInput) => driver.call({ method, path }, input)
  return {
    get: verb('GET'),
    post: verb('POST'),
    put: verb('PUT'),
    patch: verb('PATCH'),
    delete: verb('DELETE'),
    call: (endpoint: Endpoint<any, any, any>, input?: AnyInput) => driver.call(endpoint, input),
    fetch: (path: string, init?: RequestInit) => driver.fetch(path, init),
    close: () => driver.close(),
    [Symbol.asyncDispose]: () => driver.close(),
  }
}

/** `spec`: a declared route at run time has its declaration. */
interface AnyEndpoint {
  readonly method: string
  readonly path: string
  readonly spec?: { readonly bodyType?: BodyType | undefined; readonly files?: object | undefined }
}

interface AnyInput {
  readonly params?: Record<string, unknown>
  readonly query?: Record<string, unknown>
  readonly headers?: Record<string, unknown>
  readonly cookies?: Record<string, unknown>
  readonly body?: unknown
  readonly form?: Record<string, unknown>
  readonly files?: Record<string, Blob | readonly Blob[] | undefined>
  readonly signal?: AbortSignal
  readonly timeout?: Duration
}

class Driver {
  readonly #app: App<any, any>
  #running: Promise<{ readonly engine: Engine; readonly started: StartedApp }> | undefined

  constructor(app: App<any, any>) {
    this.#app = app
  }

  async call(endpoint: AnyEndpoint, input: AnyInput = {}): Promise<unknown> {
    const path = endpoint.path.replaceAll(/\{([^}*]+)(\*?)\}/g, (_, name: string, rest: string) => {
      const value = text(input.params?.[name])
      return rest ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value)
    })
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(input.query ?? {}))
      for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) query.append(name, text(each))
    const headers = new Headers()
    for (const [name, value] of Object.entries(input.headers ?? {}))
      if (value !== undefined) headers.set(name, text(value))
    const cookies = Object.entries(input.cookies ?? {}).filter(([, value]) => value !== undefined)
    if (cookies.length > 0)
      headers.set('cookie', cookies.map(([name, value]) => `${name}=${encodeURIComponent(text(value))}`).join('; '))
    const init: RequestInit = { method: endpoint.method, headers }
    if (input.body !== undefined) {
      const type = endpoint.spec?.bodyType ?? 'application/json'
      headers.set('content-type', type)
      init.body = type === 'text/plain' ? text(input.body) : JSON.stringify(input.body)
    } else if (input.form ?? input.files ?? endpoint.spec?.files)
      init.body = formOf(input, (input.files ?? endpoint.spec?.files) !== undefined)
    const signals = [
      input.signal,
      input.timeout === undefined ? undefined : AbortSignal.timeout(milliseconds(input.timeout)),
    ].filter(signal => signal !== undefined)
    if (signals.length > 0) init.signal = AbortSignal.any(signals)
    const response = await this.fetch(query.size > 0 ? `${path}?${query}` : path, init)
    return { status: response.status, ok: response.ok, headers: response.headers, body: await bodyOf(response) }
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    if (!this.#running) {
      this.#running = this.#start()
      this.#running.catch(() => (this.#running = undefined))
    }
    const { engine } = await this.#running
    const [ours, theirs] = duplexPair()
    engine.accept(theirs)
    const answered = ask(path, init, { createConnection: () => ours })
    // A connection in memory holds no process open, as a socket does, and the engine's own timers are not meant to.
    const awake = setInterval(() => {}, LONG_MS)
    return answered.finally(() => clearInterval(awake))
  }

  async close(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (!running) return
    const up = await running.catch(() => undefined)
    if (!up) return // it never started, which its callers were told
    up.engine.close()
    await up.started.stop(5_000)
  }

  async #start(): Promise<{ engine: Engine; started: StartedApp }> {
    const started = await this.#app.start()
    return { engine: new Engine(started.handler, { limits: started.bodyLimits }), started }
  }
}

const LONG_MS = 60_000

/** As a browser sends it: urlencoded, or multipart where the route takes files. */
function formOf({ form = {}, files = {} }: AnyInput, isMultipart: boolean): URLSearchParams | FormData {
  const body = isMultipart ? new FormData() : new URLSearchParams()
  for (const [name, value] of Object.entries(form))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) body.append(name, text(each))
  if (body instanceof FormData)
    for (const [name, value] of Object.entries(files))
      for (const file of [value ?? []].flat() as readonly Blob[])
        body.append(name, file, file instanceof File ? file.name : name)
  return body
}

async function bodyOf(response: Response): Promise<unknown> {
  const bytes = await response.text()
  if (bytes === '') return null
  return /[/+]json\b/.test(response.headers.get('content-type') ?? '') ? JSON.parse(bytes) : bytes
}

function text(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
