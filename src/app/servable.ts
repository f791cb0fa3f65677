// What the server floor asks of an app: to describe itself, and to start. The whole of what server/ knows about app/.
import type { Handler } from '../http/handler.ts'
import type { Log } from './context.ts'
import type { BodyLimits } from './own-limits.ts'

export interface AppManifest {
  readonly title: string
  readonly version: string
  readonly routes: readonly { readonly method: string; readonly path: string }[]
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
  takes(method: string, path: string): boolean
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
}

export interface Servable {
  readonly '~servable': true
  /** @throws UsageError for a route that cannot be compiled, naming it */
  manifest(): AppManifest
  /** Compiles every route, then runs lifespan and worker-scoped dependencies; resolves when requests may come. */
  start(options?: StartOptions): Promise<StartedApp>
}

export function isServable(value: unknown): value is Servable {
  return typeof value === 'object' && value !== null && (value as { '~servable'?: unknown })['~servable'] === true
}
