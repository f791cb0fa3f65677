// What a supervisor and its workers say to each other over IPC. Plain JSON; order is kept in each direction.
import type { RouteFacts } from '../app/servable.ts'
import type { PoolSpec, ServiceSpec } from '../core/host.ts'
import type { CacheAnswer, CacheAsk } from './cache-messages.ts'
import type { Counters } from './counters.ts'
import type { Failure } from './errors.ts'
import type { InspectionOrder } from './inspection.ts'
import type { Settings } from './settings.ts'

/** All that a worker has to know before it loads the app. */
export interface WorkerPlan {
  /** As typed: the module that exports the app. */
  readonly app: string
  /** 1 and up. */
  readonly worker: number
  readonly workers: number
  readonly settings: Settings
  /** Of `millrace dev`. */
  readonly isDevelopment: boolean
  /** The shared listening socket, inherited. */
  readonly listenFd: number
  readonly services: readonly StartedService[]
  /** 48 bytes in base64, the same for all workers: what TLS session tickets are encrypted with. */
  readonly ticketKeys: string
  /** Where the report of a blocked event loop goes. */
  readonly reportDir: string
}

export interface StartedService {
  readonly name: string
  readonly key: string
  readonly address: Readonly<Record<string, unknown>>
}

/**
 * What a worker finishes before it ends: 'orderly' requests, and idle connections until their time-out, because closing one can lose a
 * request that is on its way; 'prompt' requests alone, so that a browser meets new code at once; 'quick' nothing.
 */
export type DrainMode = 'orderly' | 'prompt' | 'quick'

export type ToWorker =
  | { readonly type: 'start'; readonly plan: WorkerPlan }
  /** Listen now. Whatever was published before this message has been delivered before the first request. */
  | { readonly type: 'open' }
  | { readonly type: 'drain'; readonly mode: DrainMode; readonly delayMs: number; readonly graceMs: number }
  | { readonly type: 'workers'; readonly count: number }
  /** This worker leads, until it says 'resigned'. */
  | { readonly type: 'lead' }
  | { readonly type: 'counted'; readonly id: number; readonly value: number }
  | { readonly type: 'cache'; readonly answers: readonly CacheAnswer[] }
  /** Too many connections are here, and too few elsewhere. */
  | { readonly type: 'part'; readonly count: number }
  /** In development: newer code cannot run, and this is why. */
  | { readonly type: 'broken'; readonly message: string }
  /** Read the files of the certificate again. */
  | { readonly type: 'reopen' }
  | { readonly type: 'inspect'; readonly id: number; readonly order: InspectionOrder }
  | { readonly type: 'deliver'; readonly channel: string; readonly message: unknown }
  | {
      readonly type: 'ask'
      readonly id: number
      readonly channel: string
      readonly message: unknown
      readonly timeoutMs: number
    }
  /** The end of our own request `id`. */
  | {
      readonly type: 'asked'
      readonly id: number
      readonly answers: readonly unknown[]
      readonly silent: readonly number[]
    }
  | {
      readonly type: 'service'
      readonly id: number
      readonly address?: StartedService['address']
      readonly failure?: Failure
    }

export type FromWorker =
  /** The app has started and waits for 'open'. */
  | { readonly type: 'loaded' }
  /** Listening. */
  | { readonly type: 'ready' }
  /** The app could not be loaded or started; the process ends by itself. */
  | { readonly type: 'failed'; readonly failure: Failure }
  /** An error that nobody caught: it serves what it has for a moment, and ends by itself. */
  | { readonly type: 'faulted' }
  /** Once a second from the worker's own loop, and once at its end. */
  | { readonly type: 'heartbeat'; readonly counters: Counters }
  | { readonly type: 'publish'; readonly channel: string; readonly message: unknown }
  | {
      readonly type: 'request'
      readonly id: number
      readonly channel: string
      readonly message: unknown
      readonly timeoutMs: number
    }
  | { readonly type: 'answer'; readonly id: number; readonly answers: readonly unknown[]; readonly complete: boolean }
  /** What this worker did as the leader has ended. */
  | { readonly type: 'resigned' }
  /** `lifeMs` null: for good. */
  | {
      readonly type: 'count'
      readonly id: number
      readonly name: string
      readonly by: number
      readonly lifeMs: number | null
    }
  | { readonly type: 'cache'; readonly asks: readonly CacheAsk[] }
  | { readonly type: 'service'; readonly id: number; readonly spec: ServiceSpec }
  /** What 'inspect' asked for begins; a heap snapshot holds the loop until its end. */
  | { readonly type: 'inspecting'; readonly id: number }
  /** The end of 'inspect'. */
  | { readonly type: 'inspected'; readonly id: number; readonly bytes?: number; readonly failure?: Failure }

/** What to read. */
export interface ToManifestChild {
  readonly app: string
  /** Instead of millrace.config.ts; '' for that. */
  readonly configFile: string
  readonly wantsOpenapi: boolean
}

export type FromManifestChild =
  { readonly type: 'manifest'; readonly manifest: Manifest } | { readonly type: 'failed'; readonly failure: Failure }

/** Which function of which module to call. */
export interface ToHooksChild {
  readonly name: string
  readonly file: string
  readonly services: readonly StartedService[]
}

export type FromHooksChild = { readonly type: 'done' } | { readonly type: 'failed'; readonly failure: Failure }

/** The app as data, read in a child: the supervisor never runs user code. */
export interface Manifest {
  readonly title: string
  readonly version: string
  readonly routes: readonly RouteFacts[]
  readonly docs?: string | undefined
  /** What `new App({ server })` said. */
  readonly server: Readonly<Record<string, unknown>>
  readonly services: readonly ServiceSpec[]
  readonly pools: readonly PoolSpec[]
  readonly configFile?: { readonly name: string; readonly values: Readonly<Record<string, unknown>> }
  /** Only when asked for. */
  readonly openapi?: unknown
}
