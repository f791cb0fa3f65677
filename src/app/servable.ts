// What the server floor asks of an app: to describe itself, and to start. The whole of what server/ knows about app/.
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import type { Log } from './context.ts'
import type { BodyLimits } from './own-limits.ts'

/** One route, as it is listed. */
export interface RouteFacts {
  /** '*' for a mount, which takes any. */
  readonly method: string
  /** With everything before it; '//host/path' where it answers on one host only. */
  readonly path: string
  /** The operation id; undefined for what is not in the document. */
  readonly id?: string
  readonly version?: string
  /** What stands around it, in words: 'limit 200+50', '2s', 'cache 5s', 'deprecated'. */
  readonly notes?: readonly string[]
}

export interface AppManifest {
  readonly title: string
  readonly version: string
  readonly routes: readonly RouteFacts[]
  /** Path of the docs page, '/docs'; undefined when turned off. */
  readonly docs: string | undefined
  /** What `new App({ server: {...} })` said; weaker than flags, environment and the config file. */
  readonly server: Readonly<Record<string, unknown>>
}

export interface StartedApp {
  readonly handler: Handler
  /** What it says itself about bodies, for whoever serves it without the settings of a server. */
  readonly bodyLimits: BodyLimits
  /** Whether a route takes such a request: one for OPTIONS of a path that has routes is taken too. */
  takes(exchange: Exchange): boolean
  /** No more clients are taken: streams that have no end of their own are ended, so that their clients come back somewhere else. */
  leave(): void
  /** After the last request: deferred tasks, worker-scoped dependencies in reverse, lifespan. */
  stop(graceMs: number): Promise<void>
}

export interface StartOptions {
  /** Default time from a complete head to the response head, for routes that say nothing. Default: as the app's `server` says, else 30,000. */
  readonly requestTimeoutMs?: number
  /** The engine's own limit, for what routes that say nothing make of a compressed body. Default: as the app's `server` says, else 1 MiB. */
  readonly maxBodyBytes?: number
  readonly log?: Log
  /** What a proxy in front puts before every path, '/api': requests may come with it or without. Default: the app's own. */
  readonly rootPath?: string
  /** For an app that is mounted in another: the whole prefix. */
  readonly mountedAt?: string
  /** The apps around it, from the outside in. */
  readonly within?: readonly Servable[]
}

export interface Servable {
  readonly '~servable': true
  /** @throws UsageError for a route that cannot be compiled, naming it */
  manifest(within?: readonly Servable[]): AppManifest
  /** Compiles every route, then runs lifespan and worker-scoped dependencies; resolves when requests may come. */
  start(options?: StartOptions): Promise<StartedApp>
}

export function isServable(value: unknown): value is Servable {
  return typeof value === 'object' && value !== null && (value as { '~servable'?: unknown })['~servable'] === true
}
