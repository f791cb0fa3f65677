// Collects endpoints under a prefix; what it declares (tags, dependencies, answers, middleware) holds for each of them.
import { UsageError } from '../core/error.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { definitions, type Errors, type Uses, type Values } from './dependency.ts'
import type { Middleware } from './compose.ts'
import type { WorkerContext } from './context.ts'
import type { GroupFacts } from './openapi/facts.ts'
import { parseHost } from './host-pattern.ts'
import { checkMountable, type Mountable, MountDefinition, type MountOptions } from './mount.ts'
import type { Leader } from './leader-task.ts'
import { parsePattern } from './pattern.ts'
import type { OutMap, StatusMap } from './reply.ts'
import type { DecompressOptions } from './request-content.ts'
import {
  type Add,
  type AddRoute,
  type AnySpec,
  type Endpoint,
  EndpointDefinition,
  type Group,
  type Method,
  type MountedRoute,
} from './route.ts'
import {
  type AddSocket,
  type AnySocketSpec,
  SOCKET_KEYS,
  SocketDefinition,
  type SocketEndpoint,
} from './websocket/socket-route.ts'

/** What `include` and `testClient` ask for: a mark, so that no generic class is ever compared member by member. */
export interface Routes {
  readonly '~routes': true
}

export interface RouterOptions<Base, U, E> extends GroupFacts {
  /** '/carts/{cart}'; starts with '/', does not end with it. */
  prefix?: Base
  /**
   * '2': its routes answer requests that ask for this version, by the field that the app's `versions` names. Routes without one answer
   * every version. (A version in the path is a prefix: '/v2'.)
   */
  version?: string
  /** Resolved for every route in it, whether the handler reads them or not. */
  uses?: U
  /** Answers that any route in it may give. */
  returns?: E
  use?: readonly Middleware[]
  /** Before the `yield` at start, after it when the worker has drained; once per worker. Those of routers run behind the app's own. */
  lifespan?: Lifespan
  /**
   * Runs in one worker of the server at a time, from when it has started: schedules, pumps, a listener for all. When that worker leaves, `signal`
   * aborts, and another begins as soon as this has ended. One that throws is started again, ever later; one that returns is done.
   */
  leader?: Leader
  /** Request bodies of its routes may come compressed, unless a route says otherwise. */
  decompress?: boolean | DecompressOptions
}

/** Before the `yield` at start, after it when the worker has drained; once per worker. */
export type Lifespan = (context: WorkerContext) => AsyncGenerator<void, void, undefined>

/** What an include adds to every route in it, outside of what its router says; the same router may be included again with another. */
export interface IncludeOptions extends GroupFacts {
  prefix?: string
  version?: string
  uses?: Uses
  /** Answers that any of its routes may give. */
  returns?: StatusMap
  use?: readonly Middleware[]
  decompress?: boolean | DecompressOptions
}

type Entry =
  | { readonly group: Group; readonly router: Router<any, any, any> }
  | { readonly group?: undefined; readonly endpoint: EndpointDefinition }

export class Router<
  const Base extends string = '',
  U extends Uses = {},
  const E extends StatusMap = never,
  V = [keyof U] extends [never] ? {} : Values<U>,
  O = [E] extends [never] ? {} : OutMap<E>,
  X = E | Errors<U>,
> implements Routes {
  readonly '~routes' = true as const
  readonly #group: Group
  readonly #use: Middleware[]
  readonly #entries: Entry[] = []
  readonly #lifespan: Lifespan | undefined
  readonly #leader: Leader | undefined

  declare readonly get: Add<'GET', Base, V, O, X>
  declare readonly post: Add<'POST', Base, V, O, X>
  declare readonly put: Add<'PUT', Base, V, O, X>
  declare readonly patch: Add<'PATCH', Base, V, O, X>
  declare readonly delete: Add<'DELETE', Base, V, O, X>
  declare readonly head: Add<'HEAD', Base, V, O, X>
  declare readonly options: Add<'OPTIONS', Base, V, O, X>
  /** A WebSocket route: the handler runs once for each socket, while it is open. A plain GET gets 426. */
  declare readonly ws: AddSocket<Base, V, X>

  constructor(of: RouterOptions<Base, U, E> = {}) {
    this.#use = [...(of.use ?? [])]
    this.#lifespan = of.lifespan
    this.#leader = of.leader
    this.#group = group({ ...of, use: this.#use })
  }

  /** Adds a route given as one object. */
  readonly route: AddRoute<Base, V, O, X> = ((
    of: AnySpec & { method: Method; path: string; handler: (context: any) => unknown },
  ) => {
    const { method, path, handler, ...spec } = of
    return this.#add(method, path, spec, handler)
  }) as never

  /** Adds middleware for every route in this router, inside what was added before. */
  use(...middleware: readonly Middleware[]): this {
    this['~beforeChange']()
    this.#use.push(...middleware)
    return this
  }

  /** Takes in another router, or one endpoint declared elsewhere, with its own router's prefix and dependencies. */
  include(what: Routes | Endpoint<any, any, any> | SocketEndpoint<any, any, any>, of: IncludeOptions = {}): this {
    this['~beforeChange']()
    if (what instanceof Router) {
      const circle = what.#wayTo(this)
      if (circle)
        throw new UsageError(
          'APP_INCLUDE_CYCLE',
          `a router cannot include itself, directly or through others: ${[this.#name, ...circle].join(' -> ')}`,
        )
      this.#entries.push({ group: group(of), router: what })
    } else if (what instanceof EndpointDefinition) {
      const alone = new Router(of)
      alone.#entries.push({ endpoint: what })
      this.#entries.push({ group: group({}), router: alone })
    } else {
      throw new UsageError(
        'APP_NOT_ROUTES',
        'include() takes a Router, an App or an endpoint (what app.get() and its like return)',
      )
    }
    return this
  }

  /**
   * Leaves everything below a path to somebody else: another App (started, drained and stopped with this one), a function from Request to
   * Response or an object with such a `fetch`, or `{ node: listener }` of node:http or Express. They see the path behind the prefix; the prefix
   * alone is redirected to the one with its slash. Any method; routes of this router below the same prefix win.
   *
   * @throws UsageError `APP_NOT_MOUNTABLE`, `APP_BAD_PREFIX`
   */
  mount(path: `/${string}`, what: Mountable, of: MountOptions = {}): this {
    this['~beforeChange']()
    const own = path === '/' ? '' : path
    if (own !== '') checkPrefix(own)
    const full = this.#group.prefix + own
    checkMountable(what, `mount ${full || '/'}`)
    parsePattern(full === '' ? '/' : full)
    if (of.uses) definitions(of.uses)
    const mount = new MountDefinition(full, what, of, this.#group)
    this.#entries.push({ endpoint: mount.root }, { endpoint: mount })
    return this
  }

  /** An include that holds on one host. For the app. */
  protected '~includeAt'(host: string, router: Router<any, any, any, any, any, any>): void {
    this['~beforeChange']()
    this.#entries.push({ group: { ...group({}), host: parseHost(host).text }, router })
  }

  /** Throws where what is added would come too late. For the app. */
  '~beforeChange'(): void {}

  /** Its own middleware, for the app: requests that no route takes run through it too. */
  get '~middleware'(): readonly Middleware[] {
    return this.#use
  }

  /** Its own and those of the routers in it, each once. For the app. */
  '~lifespans'(): readonly Lifespan[] {
    const inner = this.#entries.flatMap(entry => (entry.group ? entry.router['~lifespans']() : []))
    return [...new Set([...(this.#lifespan ? [this.#lifespan] : []), ...inner])]
  }

  /** As `~lifespans`. */
  '~leaders'(): readonly Leader[] {
    const inner = this.#entries.flatMap(entry => (entry.group ? entry.router['~leaders']() : []))
    return [...new Set([...(this.#leader ? [this.#leader] : []), ...inner])]
  }

  /** Every group of it that a prefix leads to, with all that surrounds it. For the app. */
  '~prefixed'(outer: readonly Group[] = []): readonly (readonly Group[])[] {
    const own = [...outer, this.#group]
    return [
      ...(this.#group.prefix === '' ? [] : [own]),
      ...this.#entries.flatMap(entry => {
        if (!entry.group) return []
        const included = [...own, entry.group]
        return [...(entry.group.prefix === '' ? [] : [included]), ...entry.router['~prefixed'](included)]
      }),
    ]
  }

  /** Every route in it with all that surrounds it, in order of declaration. For the app and its tools. */
  '~mounted'(outer: readonly Group[] = []): MountedRoute[] {
    return this.#entries.flatMap((entry): MountedRoute[] => {
      if (entry.group) return entry.router['~mounted']([...outer, this.#group, entry.group])
      const { endpoint } = entry
      // An endpoint declared here brings this router as its own; one included alone brings the router it was declared in.
      const around = [...outer, this.#group]
      const groups = around.includes(endpoint.router) ? around : [...around, endpoint.router]
      const own = endpoint.path.slice(endpoint.router.prefix.length)
      const path = groups.map(group => group.prefix).join('') + own
      return [mountedRoute(endpoint, path, groups)]
    })
  }

  /** Names of routers from itself down to `other`; undefined when that is not in it. */
  #wayTo(other: unknown): readonly string[] | undefined {
    if (other === this) return [this.#name]
    for (const entry of this.#entries) {
      const way = entry.group && entry.router.#wayTo(other)
      if (way) return [this.#name, ...way]
    }
    return undefined
  }

  /** As messages name it. */
  get #name(): string {
    return this.#group.prefix || 'a router without a prefix'
  }

  #add(method: Method, path: string, spec: AnySpec, handler: unknown): Endpoint<any, any, any> {
    if (!METHODS.has(method))
      throw new UsageError(
        'APP_BAD_METHOD',
        `${method} ${this.#group.prefix}${path}: ${NO_METHOD[method] ?? `a route has one of ${[...METHODS].join(', ')}`}`,
      )
    const full = this.#checked(method, path, spec, handler, SPEC_KEYS)
    const endpoint = new EndpointDefinition(method, full, spec, handler as (context: any) => unknown, this.#group)
    this.#entries.push({ endpoint })
    return endpoint as unknown as Endpoint<any, any, any>
  }

  #addSocket(path: string, spec: AnySocketSpec, handler: unknown): SocketEndpoint<any, any, any> {
    const full = this.#checked('WS', path, spec, handler, SOCKET_KEYS)
    for (const uses of [this.#group.uses, spec.uses ?? {}])
      if ('socket' in uses)
        throw new UsageError(
          'APP_RESERVED_NAME',
          `WS ${full}: a dependency cannot be called socket: that is a field of the context`,
        )
    const endpoint = new SocketDefinition(full, spec, handler as (context: any) => unknown, this.#group)
    this.#entries.push({ endpoint })
    return endpoint as unknown as SocketEndpoint<any, any, any>
  }

  /** @returns the path with the router's prefix */
  #checked(verb: string, path: string, spec: { uses?: unknown }, handler: unknown, keys: ReadonlySet<string>): string {
    this['~beforeChange']()
    const full = this.#group.prefix + path
    if (typeof handler !== 'function')
      throw new UsageError('APP_NO_HANDLER', `${verb} ${full} has no handler; give a function as the last argument`)
    if (!path.startsWith('/') && (path !== '' || full === ''))
      throw new UsageError('APP_BAD_PATTERN', `${verb} ${JSON.stringify(path)}: a path starts with '/'`)
    parsePattern(full)
    refuseUnknownKeys(spec, `${verb} ${full}`, keys)
    if (spec.uses) definitions(spec.uses as never)
    return full
  }

  static {
    for (const [name, method] of [
      ['get', 'GET'],
      ['post', 'POST'],
      ['put', 'PUT'],
      ['patch', 'PATCH'],
      ['delete', 'DELETE'],
      ['head', 'HEAD'],
      ['options', 'OPTIONS'],
    ] as const)
      Object.defineProperty(this.prototype, name, {
        value(this: Router<any, any, any>, path: string, ...rest: [unknown] | [AnySpec, unknown]) {
          return rest.length === 1 ? this.#add(method, path, {}, rest[0]) : this.#add(method, path, rest[0], rest[1])
        },
      })
    Object.defineProperty(this.prototype, 'ws', {
      value(this: Router<any, any, any>, path: string, ...rest: [unknown] | [AnySocketSpec, unknown]) {
        return rest.length === 1 ? this.#addSocket(path, {}, rest[0]) : this.#addSocket(path, rest[0], rest[1])
      },
    })
  }
}

function mountedRoute(endpoint: EndpointDefinition, path: string, groups: readonly Group[]): MountedRoute {
  const host = groups.findLast(group => group.host !== undefined)?.host
  const version = groups.findLast(group => group.version !== undefined)?.version
  const place = host === undefined ? path : `//${host}${path}`
  const name = `${endpoint.verb} ${place}${version === undefined ? '' : ` (version ${version})`}`
  return { endpoint, path, name, groups, host, version }
}

const METHODS: ReadonlySet<string> = new Set<Method>([
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'QUERY',
])
const NO_METHOD: Readonly<Record<string, string>> = {
  TRACE: 'it is never answered: it would show a script the fields that it may not read',
  CONNECT: 'the server is no tunnel',
}

/** A misspelt key would be a check that never runs. The compiler says so too, to those who ask it. */
function refuseUnknownKeys(spec: object, name: string, keys: ReadonlySet<string>): void {
  for (const key of Object.keys(spec))
    if (!keys.has(key))
      throw new UsageError(
        'APP_UNKNOWN_KEY',
        `${name}: ${key} is nothing that a route declares${didYouMean(key, keys) || `; it may have ${[...keys].join(', ')}`}`,
      )
}

const SPEC_KEYS: ReadonlySet<string> = new Set(
  Object.keys({
    params: true,
    query: true,
    headers: true,
    cookies: true,
    body: true,
    form: true,
    files: true,
    returns: true,
    uses: true,
    use: true,
    timeout: true,
    limit: true,
    priority: true,
    maxBodyBytes: true,
    bodyType: true,
    decompress: true,
    cache: true,
    summary: true,
    description: true,
    tags: true,
    deprecated: true,
    operationId: true,
    hidden: true,
    externalDocs: true,
    examples: true,
    responses: true,
    callbacks: true,
    openapi: true,
  } satisfies Record<keyof AnySpec, true>),
)

function checkPrefix(prefix: string): void {
  if (!prefix.startsWith('/') || prefix.endsWith('/'))
    throw new UsageError(
      'APP_BAD_PREFIX',
      `${JSON.stringify(prefix)} is not a prefix: it starts with '/' and does not end with it`,
    )
}

function group(of: RouterOptions<string, Uses, any> | IncludeOptions): Group {
  const prefix = of.prefix ?? ''
  if (prefix !== '') {
    checkPrefix(prefix)
    parsePattern(prefix)
  }
  return {
    prefix,
    tags: of.tags ?? [],
    uses: definitions(of.uses ?? {}),
    returns: (of.returns as StatusMap | undefined) ?? {},
    use: of.use ?? [],
    decompress: of.decompress,
    ...(of.version === undefined ? {} : { version: of.version }),
    ...(of.deprecated ? { deprecated: true } : {}),
    ...(of.hidden ? { hidden: true } : {}),
    ...(of.responses ? { responses: of.responses } : {}),
    ...(of.callbacks ? { callbacks: of.callbacks } : {}),
    ...(of.operationIds ? { operationIds: of.operationIds } : {}),
  }
}
