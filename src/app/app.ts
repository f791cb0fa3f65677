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
import { endLeading, lead } from './leader-task.ts'
import { LiveStreams } from './live-streams.ts'
import { finishedBytes, finishedCodec } from './finished-answer.ts'
import type { Surroundings } from './handle.ts'
import { mountedFacts, startMounted, stopMounted } from './mounted-apps.ts'
import { type NodeHandler, nodeHandler, type NodeHandlerOptions } from './node-handler.ts'
import { type NodeUpgradeHandler, nodeUpgradeHandler } from './node-upgrade.ts'
import { type AsyncApiDocument, buildAsyncApi, socketsOf } from './openapi/asyncapi.ts'
import { docsEndpoints, type DocsOptions, type DocsServed } from './openapi/docs-endpoints.ts'
import {
  type ApiInfo,
  buildDocument,
  type OpenApiDocument,
  type OpenApiVersion,
  refuseOtherVersion,
} from './openapi/document.ts'
import { ownLimits } from './own-limits.ts'
import type { ErrorFormat } from './problem.ts'
import type { StatusMap } from './reply.ts'
import { checkRootPath, rooted } from './root-path.ts'
import type { Endpoint, MountedRoute } from './route.ts'
import { routeFacts } from './route-facts.ts'
import { pathOf } from './route-path.ts'
import { type Lifespan, Router, type RouterOptions, type Routes } from './router.ts'
import { unroutedMiddleware } from './unrouted-middleware.ts'
import { CompiledSocket } from './websocket/compiled-socket.ts'
import { SocketDefinition } from './websocket/socket-route.ts'
import { type AppManifest, isServable, type Servable, type StartedApp, type StartOptions } from './servable.ts'
import { urlFor, type UrlOptions } from './url.ts'
import { varyBy, type Versioning, versionsOf } from './versions.ts'
import { isAt, type RoutedRoute, type Ways, waysOf } from './ways.ts'
import { loadWebRequest } from './web-request.ts'

export interface AppOptions<U, E> extends ApiInfo, Omit<RouterOptions<'', U, E>, 'prefix' | 'version'> {
  /** What errors look like on the wire, and in the OpenAPI document. Default 'problem', RFC 9457. */
  errorFormat?: ErrorFormat
  /** How requests name the version of a route they want, where routers have a `version`. */
  versions?: Versioning
  /** What a proxy in front puts before every path, '/api': requests may come with it or without; links and the document have it. */
  rootPath?: string
  /** Where the documentation is served, each a path or false. Default /openapi.json, /docs, /redoc, and /asyncapi.json for WebSockets. */
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
  /** What stands before every path outside: of a proxy, of a mount. */
  #outside: string
  readonly #embedded = new Embedded(() => this.start())

  constructor(of: AppOptions<U, E> = {}) {
    // Its `version` is that of the document, and none that requests ask for.
    const { version: _, ...router } = of
    super(router)
    if (of.openapiVersion !== undefined) refuseOtherVersion(of.openapiVersion)
    this.#options = of
    this.#outside = checkRootPath(of.rootPath)
  }

  /**
   * Routes that answer on one host only; case and port do not count. A name in the pattern takes one label and is one of `params`.
   *
   * @example
   * const tenant = app.host('{tenant}.example.com')
   * tenant.get('/orders', ({ params }) => ordersOf(params.tenant))
   *
   * @returns a router for them. What the app has besides answers there too, where the host has nothing of its own
   * @throws UsageError `APP_BAD_HOST`
   */
  host<const H extends string>(pattern: H): Router<`//${H}`>
  /** The same for a router, or for another app, which has the host to itself. */
  host(pattern: string, what: Routes | Servable): this
  host(pattern: string, what?: Routes | Servable): unknown {
    const router = new Router()
    if (what === undefined) {
      this['~includeAt'](pattern, router)
      return router
    }
    if (isServable(what)) router.mount('/', what)
    else router.include(what)
    this['~includeAt'](pattern, router)
    return this
  }

  /**
   * The URL of a route of this app: its path string, or the route itself. Prefixes of includes are part of the path; what a proxy or a mount
   * puts before it is added. Options as for `urlFor`.
   *
   * @example app.url('/products/{id}', { params: { id: 7 } })
   * @throws UsageError `APP_NO_ROUTE` for a path that no route has, `APP_BAD_URL`
   */
  url<P extends string>(route: P | Endpoint<any, P, any>, ...of: UrlOptions<P>): string {
    const path = pathOf(route, this['~mounted']())
    return urlFor<string>((path.startsWith('//') ? '' : this.#outside) + path, ...(of as UrlOptions<string>))
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

  /**
   * The OpenAPI document.
   *
   * @param of.version  of routes that have versions; default: the usual one
   * @param of.openapiVersion  default: that of the app
   * @throws UsageError for a schema that cannot be described, naming route and place
   */
  openapi(of: { readonly version?: string; readonly openapiVersion?: OpenApiVersion } = {}): OpenApiDocument {
    return this.#describe(of.version, this.#outside, of.openapiVersion)
  }

  /** The AsyncAPI 3 document: its WebSocket routes. @throws as `openapi()` */
  asyncapi(): AsyncApiDocument {
    return buildAsyncApi(this.#options, this['~mounted']())
  }

  manifest(within: readonly Servable[] = []): AppManifest {
    const { docs, openapi, asyncapi } = this.#paths
    const { requestTimeoutMs, body } = ownLimits({})
    const routes = this.#compile({ requestTimeoutMs, maxBodyBytes: body.maxBodyBytes }, new LiveStreams(), '')
    const log = this.#options.log ?? createLogger()
    // Looked up and described here, where a mistake in it can still be told at start-up.
    this.#ways(routes, { requestTimeoutMs, log, afterResponse: new AfterResponse({ onError: () => {} }) })
    const versions = versionsOf(this['~mounted'](), this.#options.versions)
    if (openapi !== false) for (const version of versions?.all ?? [undefined]) this.#describe(version, '')
    if (asyncapi !== false) this.asyncapi()
    return {
      title: this.#options.title ?? 'Millrace',
      version: this.#options.version ?? '0.1.0',
      routes: this['~mounted']().flatMap(route => mountedFacts(route, [...within, this]) ?? routeFacts(route)),
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
    const rootPath = of.mountedAt === undefined ? checkRootPath(of.rootPath ?? this.#options.rootPath) : ''
    this.#outside = of.mountedAt ?? rootPath
    const streams = new LiveStreams()
    const routes = this.#compile(limits, streams, of.mountedAt ?? '')
    const afterResponse = new AfterResponse({ onError: err => log.error({ err }, 'deferred task failed') })
    const ways = this.#ways(routes, { requestTimeoutMs: limits.requestTimeoutMs, log, afterResponse })
    // Who takes no context cannot ask for its `request`: such an app does without these 18 MiB.
    if (routes.some(({ route }) => route.handler.length > 0)) loadWebRequest()
    const stopping = new AbortController()
    const worker = await startWorker(
      stopping,
      log,
      this['~lifespans'](),
      routes.map(({ route }) => route),
    )
    const sockets = routes.flatMap(({ route }) => (route instanceof CompiledSocket ? [route] : []))
    let inner: readonly StartedApp[]
    try {
      for (const socket of sockets) await socket.open(streams, log)
      inner = await startMounted(routes, { ...of, log, within: [...(of.within ?? []), this] }, this.#outside)
    } catch (error) {
      stopping.abort(error)
      throw await worker.fail(error)
    }
    const leading = this['~leaders']().map(task => lead(task, log))
    return {
      handler: rootPath === '' ? ways.handler : rooted(ways.handler, rootPath),
      bodyLimits: own.body,
      takes: ways.takes,
      leave() {
        streams.leave()
        for (const end of leading) void end()
        for (const app of inner) app.leave()
      },
      async stop(graceMs: number) {
        const untilMs = performance.now() + graceMs
        streams.leave()
        await streams.settled(graceMs)
        for (const socket of sockets) socket.close()
        if (leading.length > 0) await endLeading(leading, Math.max(0, untilMs - performance.now()), log)
        await afterResponse.drain(Math.max(0, untilMs - performance.now()))
        await stopMounted(inner, Math.max(0, untilMs - performance.now()))
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
   * A listener for the `upgrade` event of a node:http or https server, for WebSocket routes. The server sends it every request that names
   * Upgrade, so those for other routes are answered by it too, and end their connection.
   *
   * @example
   * http.createServer(app.nodeHandler()).on('upgrade', app.nodeUpgradeHandler()).listen(8000)
   */
  nodeUpgradeHandler(): NodeUpgradeHandler {
    return nodeUpgradeHandler(this.#embedded, () => this.#options.log ?? (this.#log ??= createLogger()))
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
    const all = { openapi: '/openapi.json', docs: '/docs', redoc: '/redoc', asyncapi: '/asyncapi.json' } as const
    if (docs === false) return { openapi: false, docs: false, redoc: false, asyncapi: false }
    const paths = { ...all, ...docs }
    return paths.openapi === false ? { ...paths, docs: false, redoc: false } : paths
  }

  #describe(version: string | undefined, outside: string, openapiVersion?: OpenApiVersion): OpenApiDocument {
    const info = this.#options
    const routes = this['~mounted']()
    const versions = versionsOf(routes, info.versions)
    const shown = routes.filter(route => isAt(route, route.host, version ?? versions?.default))
    return buildDocument(info, shown, info.errorFormat ?? 'problem', { outside, versions, openapiVersion })
  }

  #compile(limits: RouteLimits, streams: LiveStreams, mountedAt: string): readonly RoutedRoute[] {
    const mounted = this['~mounted']()
    const info = this.#options
    const versions = versionsOf(mounted, info.versions)
    const hasSockets = socketsOf(mounted).length > 0
    const docs = (version?: string) =>
      docsEndpoints(info, this.#paths, {
        document: outside => this.#describe(version, outside),
        use: this['~middleware'],
        version,
        asyncApi: hasSockets && version === versions?.default ? () => this.asyncapi() : undefined,
      })
    const all = [...mounted, ...(versions ? versions.all.flatMap(docs) : docs())]
    // Each route bounds its own loads.
    this.#cache ??= new Cache({ name: 'endpoints', loadTimeout: null, codec: finishedCodec, sizeOf: finishedBytes })
    const surroundings = {
      overrides: this.#overrides,
      cache: this.#cache,
      format: info.errorFormat ?? 'problem',
      streams,
      mountedAt,
      ...limits,
    }
    const vary = versions && varyBy(versions.header)
    return all.map(each => {
      const route = vary && each.version !== undefined ? { ...each, groups: [vary, ...each.groups] } : each
      return {
        mounted: route,
        route: isSocket(route) ? new CompiledSocket(route, surroundings) : new CompiledRoute(route, surroundings),
      }
    })
  }

  #ways(routes: readonly RoutedRoute[], of: Pick<Surroundings, 'requestTimeoutMs' | 'log' | 'afterResponse'>): Ways {
    return waysOf(routes, this.#options.versions, table => ({
      table,
      middleware: unroutedMiddleware(table, this['~middleware'], this['~prefixed']()),
      format: this.#options.errorFormat ?? 'problem',
      redirectSlashes: this.#options.redirectSlashes ?? true,
      ...of,
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
  lifespans: readonly Lifespan[],
  routes: readonly CompiledRoute[],
): Promise<CleanUp> {
  const context: WorkerContext = { signal: stopping.signal, log }
  const cleanUp = new CleanUp()
  const values = new Map<DependencyDefinition, unknown>()
  try {
    for (const lifespan of lifespans) await cleanUp.open('lifespan', lifespan(context))
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
