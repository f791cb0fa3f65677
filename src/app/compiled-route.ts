// One route ready to run: everything that can be worked out before the first request has been.
import type { Cache } from '../cache/cache.ts'
import { milliseconds } from '../core/duration.ts'
import { UsageError } from '../core/error.ts'
import { viewFor } from '../core/route-view.ts'
import { Limiter } from '../flow/limiter.ts'
import type { Priority } from '../flow/priority.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import { additionsOf, isForUnrouted, isInert } from './additions.ts'
import type { Middleware } from './compose.ts'
import type { Log } from './context.ts'
import type { DependencyDefinition } from './dependency.ts'
import { DependencyPlan, type WorkerValues } from './dependencies.ts'
import { EndpointCache } from './endpoint-cache.ts'
import { Guard } from './guard.ts'
import { InputReader, type Inputs } from './input.ts'
import type { LiveStreams } from './live-streams.ts'
import { parseHost } from './host-pattern.ts'
import { capture, mountOf, passage } from './mount.ts'
import { parsePattern, patternNames } from './pattern.ts'
import type { ErrorFormat } from './problem.ts'
import { BodyPolicy, decompressOf } from './request-content.ts'
import { FormView, HandlerView, type RequestState } from './request-state.ts'
import { Responder, statusMap } from './responder.ts'
import type { MountedRoute } from './route.ts'

/** For routes that say nothing. */
export interface RouteLimits {
  readonly requestTimeoutMs: number
  readonly maxBodyBytes: number
}

export interface RouteSurroundings extends RouteLimits {
  readonly overrides: ReadonlyMap<DependencyDefinition, DependencyDefinition>
  readonly cache: Cache
  readonly format: ErrorFormat
  readonly streams: LiveStreams
  /** The prefix under which the whole app is mounted. */
  readonly mountedAt?: string
}

export class CompiledRoute {
  readonly name: string
  readonly pattern: string
  handler: (context: any) => unknown
  /** Of a mounted app around which nothing stands: requests go straight to it. */
  passage: ((exchange: Exchange, rest: string) => void | Promise<void>) | undefined = undefined
  /** Its host has names, whose values stand before those of its path. */
  readonly isHosted: boolean
  readonly inputs: InputReader
  readonly plan: DependencyPlan
  /** Where some dependency says who may ask. */
  readonly guard: Guard | undefined
  readonly responder: Responder
  readonly middleware: readonly Middleware[]
  readonly cache: EndpointCache | undefined
  readonly limiter: Limiter | undefined
  readonly priority: Priority
  readonly timeoutMs: number
  /** Neither a permit, nor a cache, nor values to be made, nor files to be let go of, nor a WebSocket: the handler follows the inputs at once. */
  readonly isPlain: boolean
  readonly readsForm: boolean
  /** They are let go of behind the answer. */
  readonly takesFiles: boolean
  /** Where the route says something about bodies. */
  readonly bodyPolicy: BodyPolicy | undefined
  workerValues: WorkerValues = new Map()
  /** Answers for it when its time is up; the same for every request, so made once. */
  overdue: ((exchange: Exchange) => void) | undefined = undefined
  readonly #isBare: boolean
  #constants: readonly (readonly [string, unknown])[] = []

  /** @throws UsageError naming the route and the place in it that cannot be compiled */
  constructor(route: MountedRoute, of: RouteSurroundings) {
    const { spec } = route.endpoint
    const hostNames = route.host === undefined ? [] : parseHost(route.host).names
    this.name = route.name
    this.pattern = (of.mountedAt ?? '') + route.path
    this.isHosted = hostNames.length > 0
    this.handler = route.endpoint.handler
    this.plan = new DependencyPlan([...route.groups.map(group => group.uses), spec.uses ?? {}], of.overrides)
    const middleware = [...route.groups.flatMap(group => group.use), ...(spec.use ?? [])]
    if (spec.use?.some(isForUnrouted))
      throw new UsageError(
        'APP_UNROUTED_ONLY',
        `${route.name}: staticFiles() answers what no route takes; a route answers with file(params.path, { root })`,
      )
    const around = this.plan.steps.flatMap(({ definition }) => definition.around ?? [])
    this.middleware = [...new Set([...middleware, ...around])].filter(each => !isInert(each) && !isForUnrouted(each))
    const maxBodyBytes =
      spec.maxBodyBytes ??
      additionsOf(middleware, route.endpoint.method).findLast(added => added.maxBodyBytes !== undefined)?.maxBodyBytes
    this.guard = this.plan.guards.length > 0 ? new Guard(this.plan, of.format, route.name) : undefined
    this.inputs = new InputReader({
      spec,
      steps: this.plan.steps.map(step => (this.plan.guards.includes(step) ? {} : step.definition)),
      names: [...hostNames, ...patternNames(parsePattern(route.path))],
      ownNames: patternNames(parsePattern(route.endpoint.path)),
      maxBodyBytes,
      bodyType: spec.bodyType ?? 'application/json',
      format: of.format,
      where: route.name,
    })
    this.responder = new Responder(
      statusMap(spec.returns),
      Object.assign({}, ...route.groups.map(group => group.returns)),
      route.name,
      of.streams,
    )
    this.cache = spec.cache
      ? new EndpointCache(
          of.cache,
          route,
          this.plan.steps.map(step => step.name),
          this.inputs.headerNames,
          of.format,
        )
      : undefined
    this.limiter = spec.limit ? new Limiter({ ...spec.limit, name: `${route.name} limit` }) : undefined
    this.priority = spec.priority ?? 'normal'
    this.timeoutMs =
      spec.timeout === undefined ? of.requestTimeoutMs : milliseconds(spec.timeout, `${route.name} timeout`)
    const decompress = decompressOf([...route.groups.map(group => group.decompress), spec.decompress], route.name)
    const bodyPolicy = new BodyPolicy(maxBodyBytes, of.maxBodyBytes, decompress)
    this.bodyPolicy = bodyPolicy.isEmpty ? undefined : bodyPolicy
    this.readsForm = this.inputs.readsForm
    this.takesFiles = this.inputs.takesFiles
    this.isPlain =
      route.endpoint.verb !== 'WS' &&
      this.plan.isStatic &&
      !this.cache &&
      !this.limiter &&
      this.middleware.length === 0 &&
      !this.takesFiles &&
      mountOf(route.endpoint)?.app === undefined
    this.#isBare = this.plan.isStatic && !this.limiter && this.middleware.length === 0 && spec.timeout === undefined
  }

  /** Gives a mounted app's route what answers for it. */
  serveBy(handler: Handler): void {
    if (this.#isBare) this.passage = passage(handler)
    else this.handler = capture(handler)
  }

  /** Gives it the worker's values, once, before the first request. */
  bind(workerValues: WorkerValues): void {
    const own = this.plan.workers.map(each => [each, viewFor(this.pattern, workerValues.get(each))] as const)
    this.workerValues = new Map(own)
    this.#constants = this.plan.constants(this.workerValues)
  }

  /** @param state  where the stages share one already */
  view(exchange: Exchange, log: Log, inputs: Inputs | undefined, state?: RequestState): HandlerView {
    const view = this.readsForm ? formView(exchange, log, inputs, state) : new HandlerView(exchange, log, state)
    if (inputs) {
      view.params = inputs.params
      view.query = inputs.query
      view.headers = inputs.headers
      view.cookies = inputs.cookies
      view.body = inputs.body
    } else view.params = NO_PARAMS
    for (const [name, value] of this.#constants) (view as unknown as Record<string, unknown>)[name] = value
    return view
  }
}

function formView(exchange: Exchange, log: Log, inputs: Inputs | undefined, state?: RequestState): FormView {
  const view = new FormView(exchange, log, state)
  view.form = inputs?.form
  view.files = inputs?.files
  return view
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null))
