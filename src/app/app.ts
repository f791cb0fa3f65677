// An application: its routes, what surrounds all of them, and how one worker starts and stops it.
import { Cache } from '../cache/cache.ts'
import { UsageError } from '../core/error.ts'
import { AfterResponse } from '../tasks/after-response.ts'
import { createLogger } from '../observe/logger.ts'
import { CompiledRoute, type RouteLimits } from './compiled-route.ts'
import type { Log, WorkerContext } from './context.ts'
import { CleanUp, type WorkerValues } from './dependencies.ts'
import { type Dependency, DependencyDefinition, type Scope, type Uses } from './dependency.ts'
import { Embedded } from './embedded.ts'
import { fetchThrough } from './fetch-exchange.ts'
import { LiveStreams } from './live-streams.ts'
import { handle } from './handle.ts'
import { type NodeHandler, nodeHandler, type NodeHandlerOptions } from './node-handler.ts'
import { docsEndpoints, type DocsOptions, type DocsServed } from './openapi/docs-endpoints.ts'
import { type ApiInfo, buildDocument, type OpenApiDocument } from './openapi/document.ts'
import { ownLimits } from './own-limits.ts'
import type { ErrorFormat } from './problem.ts'
import type { StatusMap } from './reply.ts'
import type { MountedRoute } from './route.ts'
import { RouteTable } from './route-table.ts'
import { Router, type RouterOptions } from './router.ts'
import { unroutedMiddleware } from './unrouted-middleware.ts'
import { CompiledSocket } from './websocket/compiled-socket.ts'
import { SocketDefinition } from './websocket/socket-route.ts'
import type { AppManifest, Servable, StartedApp, StartOptions } from './servable.ts'
import { loadWebRequest } from './web-request.ts'

export interface AppOptions<U, E> extends ApiInfo, Omit<RouterOptions<'', U, E>, 'prefix'> {
  /** What errors look like on the wire, and in the OpenAPI document. Default 'problem', RFC 9457. */
  errorFormat?: ErrorFormat
  /** Before the `yield` at start, after it when the worker has drained; once per worker. */
  lifespan?: (context: WorkerContext) => AsyncGenerator<void, void, undefined>
  /** Where the documentation is served, each a path or false. Default /openapi.json, /docs and /redoc. */
  docs?: DocsOptions | false
  /** A path that no route has, but with the other slash at its end, is redirected there (307). Default true. */
  redirectSlashes?: boolean
  /** Settings of the server, by their names in docs/reference/settings.md; weaker than the command line. */
  server?: Readonly<Record<string, unknown>>
  /** Default: lines for people on stderr. */
  log?: Log
}

export class App<U extends Uses = {}, const E extends StatusMap = never> extends Router<'', U, E> implements Servable {
  readonly '~servable' = true as const
  readonly #options: AppOptions<U, E>
  readonly #overrides = new Map<DependencyDefinition, DependencyDefinition>()
  #cache: Cache | undefined
  #log: Log | undefined
  #started = 0
  readonly #embedded = new Embedded(() => this.start())

  constructor(of: AppOptions<U, E> = {}) {
    super(of)
    this.#options = of
  }

  /**
   * Puts a value, or a function that makes one, in place of a dependency; for tests, before the app starts.
   *
   * @throws UsageError `APP_STARTED`
   */
  override<T>(
    dependency: Dependency<T, Scope, any>,
    fake: NoInfer<T> | (() => NoInfer<T> | Promise<NoInfer<T>>),
  ): this {
    if (this.#started > 0)
      throw new UsageError('APP_STARTED', 'override() comes before the app starts: its routes are compiled then')
    const original = dependency as unknown as DependencyDefinition
    if (!(original instanceof DependencyDefinition))
      throw new UsageError('APP_NOT_A_DEPENDENCY', 'override() takes what dependency(...) made')
    const make = typeof fake === 'function' ? (fake as () => unknown) : () => fake
    this.#overrides.set(
      original,
      new DependencyDefinition({ scope: original.scope, ...(original.name ? { name: original.name } : {}) }, () =>
        make(),
      ),
    )
    return this
  }

  override '~beforeChange'(): void {
    if (this.#started > 0)
      throw new UsageError('APP_STARTED', 'routes and middleware come before the app starts: they are compiled then')
  }

  /** The OpenAPI 3.1 document. @throws UsageError for a schema that cannot be described, naming route and place */
  openapi(): OpenApiDocument {
    return buildDocument(this.#options, this['~mounted'](), this.#options.errorFormat ?? 'problem')
  }

  manifest(): AppManifest {
    const { docs, openapi } = this.#paths
    const { requestTimeoutMs, body } = ownLimits({})
    this.#compile({ requestTimeoutMs, maxBodyBytes: body.maxBodyBytes }, new LiveStreams())
    // Described here, where a mistake in it can still be told at start-up.
    if (openapi !== false) this.openapi()
    return {
      title: this.#options.title ?? 'Millrace',
      version: this.#options.version ?? '0.1.0',
      routes: this['~mounted']().map(({ endpoint, path }) => ({ method: endpoint.verb, path })),
      docs: docs === false ? undefined : docs,
      server: this.#options.server ?? {},
    }
  }

  async start(of: StartOptions = {}): Promise<StartedApp> {
    this.#started++
    const log = this.#options.log ?? of.log ?? createLogger()
    const own = ownLimits(this.#options.server ?? {})
    const limits = {
      requestTimeoutMs: of.requestTimeoutMs ?? own.requestTimeoutMs,
      maxBodyBytes: of.maxBodyBytes ?? own.body.maxBodyBytes,
    }
    const streams = new LiveStreams()
    const routes = this.#compile(limits, streams)
    const table = new RouteTable<CompiledRoute>()
    for (const { mounted, route } of routes) table.add(mounted.endpoint.method, mounted.path, route)
    // Who takes no context cannot ask for its `request`: such an app does without these 18 MiB.
    if (routes.some(({ route }) => route.handler.length > 0)) loadWebRequest()
    const stopping = new AbortController()
    const worker = await startWorker(
      stopping,
      log,
      this.#options.lifespan,
      routes.map(({ route }) => route),
    )
    const sockets = routes.flatMap(({ route }) => (route instanceof CompiledSocket ? [route] : []))
    for (const socket of sockets) await socket.open(streams, log)
    const afterResponse = new AfterResponse({ onError: err => log.error({ err }, 'deferred task failed') })
    return {
      handler: handle({
        table,
        middleware: unroutedMiddleware(table, this['~middleware'], this['~prefixed']()),
        requestTimeoutMs: limits.requestTimeoutMs,
        format: this.#options.errorFormat ?? 'problem',
        redirectSlashes: this.#options.redirectSlashes ?? true,
        log,
        afterResponse,
      }),
      bodyLimits: own.body,
      takes: (method, path) =>
        table.find(method, path) !== undefined || (method === 'OPTIONS' && table.allowed(path).length > 0),
      leave: () => streams.leave(),
      async stop(graceMs: number) {
        const untilMs = performance.now() + graceMs
        streams.leave()
        await streams.settled(graceMs)
        for (const socket of sockets) socket.close()
        await afterResponse.drain(Math.max(0, untilMs - performance.now()))
        stopping.abort()
        await worker.finish()
      },
    }
  }

  /**
   * Answers a Request in this process, through every stage but the engine. Starts the app on first use; `close()` stops it.
   * Rejects when the app cannot be started, and for an answer that is cut before its head.
   *
   * @throws MillraceError `APP_CLOSED`
   */
  readonly fetch = (request: Request): Promise<Response> => {
    const { running } = this.#embedded
    if (running) return fetchThrough(running.handler, request, this.#embedded)
    return this.#embedded.up().then(({ handler }) => fetchThrough(handler, request, this.#embedded))
  }

  /**
   * A listener for requests of a node:http, https or http2 server, or a handler for Express and its like. Starts the app on first use;
   * `close()` stops it. Where it is mounted under a path, the app's paths begin behind that.
   *
   * @example
   * http.createServer(app.nodeHandler()).listen(8000)
   * express().use('/api', app.nodeHandler({ fallThrough: true }))
   */
  nodeHandler(of: NodeHandlerOptions = {}): NodeHandler {
    return nodeHandler(this.#embedded, () => this.#options.log ?? (this.#log ??= createLogger()), of)
  }

  /**
   * Ends what `fetch` and `nodeHandler()` have started, once: open requests get `graceMs` to be answered and are cut then; after them
   * deferred tasks, worker-scoped dependencies in reverse, lifespan. Close the server around it first. Later requests are refused.
   */
  close(graceMs = 10_000): Promise<void> {
    return this.#embedded.close(graceMs)
  }

  get #paths(): DocsServed {
    const { docs = {} } = this.#options
    const all = { openapi: '/openapi.json', docs: '/docs', redoc: '/redoc' } as const
    if (docs === false) return { openapi: false, docs: false, redoc: false }
    const paths = { ...all, ...docs }
    return paths.openapi === false ? { openapi: false, docs: false, redoc: false } : paths
  }

  #compile(
    limits: RouteLimits,
    streams: LiveStreams,
  ): readonly { readonly mounted: MountedRoute; readonly route: CompiledRoute }[] {
    const mounted = this['~mounted']()
    const info = this.#options
    const all = [...mounted, ...docsEndpoints(info, this.#paths, () => this.openapi(), this['~middleware'])]
    this.#cache ??= new Cache({ name: 'endpoints' })
    const surroundings = {
      overrides: this.#overrides,
      cache: this.#cache,
      format: info.errorFormat ?? 'problem',
      ...limits,
      streams,
    }
    return all.map(mounted => ({
      mounted,
      route: isSocket(mounted) ? new CompiledSocket(mounted, surroundings) : new CompiledRoute(mounted, surroundings),
    }))
  }
}

function isSocket(mounted: MountedRoute): mounted is MountedRoute & { readonly endpoint: SocketDefinition } {
  return mounted.endpoint instanceof SocketDefinition
}

/** Runs the lifespan and makes every worker-scoped value, in order; undoes all of it when one of them fails. */
async function startWorker(
  stopping: AbortController,
  log: Log,
  lifespan: ((context: WorkerContext) => AsyncGenerator<void, void, undefined>) | undefined,
  routes: readonly CompiledRoute[],
): Promise<CleanUp> {
  const context: WorkerContext = { signal: stopping.signal, log }
  const cleanUp = new CleanUp()
  const values = new Map<DependencyDefinition, unknown>()
  try {
    if (lifespan) await cleanUp.open('lifespan', lifespan(context))
    for (const route of routes)
      for (const definition of route.plan.workers) {
        if (values.has(definition)) continue
        const view: Record<string, unknown> = { ...context }
        for (const [name, used] of Object.entries(definition.uses)) view[name] = values.get(route.plan.standIn(used))
        values.set(definition, await cleanUp.open(definition.name ?? 'worker dependency', definition.factory(view)))
      }
    for (const route of routes) route.bind(values satisfies WorkerValues)
  } catch (error) {
    stopping.abort(error)
    throw await cleanUp.fail(error)
  }
  return cleanUp
}
