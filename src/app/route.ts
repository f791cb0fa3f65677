// Routes: the types of one endpoint declaration, and the plain data that a declaration leaves behind.
//
// Two-letter names as in reply.ts. Further: FS is `form`, L is `files`; U is `uses`; N the names in the path; PO params as the handler holds them; RV, RO and X are
// the values, outs and errors that the router adds.
import type { Duration } from '../core/duration.ts'
import type { Out, Schema } from '../schema/schema.ts'
import type { Middleware } from './compose.ts'
import type { Context } from './context.ts'
import type { DependencyDefinition, Errors, Reserved, Uses, Values } from './dependency.ts'
import type { GroupFacts, OperationFacts } from './openapi/facts.ts'
import type { Names, Params, PathOk } from './pattern.ts'
import type { Bare, Outs, ReplyFn, Result, StatusMap } from './reply.ts'
import type { DecompressOptions } from './request-content.ts'
import type { FileRules } from './uploaded-file.ts'

/** Those that the engine takes. QUERY (a GET whose question is in its body) is declared by `route({ method: 'QUERY', ... })`. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS' | 'QUERY'

export type BodyType = 'application/json' | 'text/plain'

/** How much of a route may run at once in one worker; what waits beyond `queue` is refused with 503 and Retry-After. */
export interface LimitPolicy {
  readonly concurrent: number
  /** Default 0: nothing waits. */
  readonly queue?: number
}

export interface Policy extends OperationFacts {
  /** Time from the complete head to the response head; then 504 and `signal` aborts. Default 30 s. */
  timeout?: Duration
  limit?: LimitPolicy
  /** Who goes first, and who is pushed out first, where requests wait. Default normal. */
  priority?: 'critical' | 'normal' | 'sheddable'
  /** Largest request body in bytes; over it 413. Default: the setting maxBody, 1 MiB. */
  maxBodyBytes?: number
  /**
   * What `body` is read as; another Content-Type is a 415. As text its schema gets the whole body as a string, in UTF-8. Default
   * application/json.
   */
  bodyType?: BodyType
  /**
   * Request bodies may come compressed: true for zstd, br, gzip and deflate with the usual caps. Default: as the router or the app says,
   * else none is accepted, and a Content-Encoding is a 415.
   */
  decompress?: boolean | DecompressOptions
  /** Runs around this route alone, inside the app's and the routers'. */
  use?: readonly Middleware[]
}

interface Keyed<PO, QS> {
  readonly params: PO
  readonly query: Out<QS>
}
export interface EndpointCache<C> {
  /** How long an answer is fresh. */
  ttl: Duration
  /** How long after that it may still be sent while one request fetches a new one. Default 0. */
  staleFor?: Duration
  /** How long after its ttl it may be sent where making a new one has failed. Default: as staleFor. */
  staleIfError?: Duration
  /** How long it is kept that there is nothing: 404 and 410. Default 0: not at all. */
  negativeTtl?: Duration
  /** Whether an answer that is asked for near the end of its ttl is made anew before that, behind one that is sent from the cache. Default true. */
  earlyRefresh?: boolean
  /** Answers say in `X-Cache` whether they are kept ones: HIT, STALE or MISS. Default false. */
  xCache?: boolean
  /** For `cache.invalidate(...tags)`. */
  tags?: readonly string[] | ((context: C) => readonly string[])
}

export interface Spec<PS, QS, BS, RS, U, HS, CS, FS, L, PO> extends Policy {
  params?: PS
  query?: QS
  headers?: HS
  cookies?: CS
  body?: BS
  /** Text fields of a form, urlencoded or multipart; not beside `body`. */
  form?: FS
  /** Files of a multipart form, by name: `{ avatar: { maxBytes: 100_000, types: ['image/*'] }, photos: { many: true } }`. */
  files?: L
  returns?: RS
  uses?: U
  cache?: EndpointCache<Keyed<PO, QS>>
}

/** What a client needs of a route: the schemas as they are, worked out only where a client asks. E: what its router and dependencies may answer. */
export interface Shape<PS, QS, BS, RS, HS, CS, FS, L, R, E> {
  params: PS
  query: QS
  body: BS
  returns: RS
  headers: HS
  cookies: CS
  form: FS
  files: L
  result: R
  errors: E
}
/** A declared route, as a value: export it, include it elsewhere, test it alone, type a client from it. */
export interface Endpoint<M, P, S> {
  readonly method: M
  readonly path: P
  readonly '~shape': S
}
export type Handler<PO, QS, BS, O, HS, CS, FS, L, V> = (
  context: Context<PO, QS, BS, ReplyFn<O>, HS, CS, FS, L> & V,
) => Result<Bare<O>>
/** A router with a prefix may answer at the prefix itself: ''. */
export type Path<Base extends string> = `/${string}` | (Base extends '' ? never : '')
/** A handler's own result is kept only where no `returns` speaks for it. */
type Own<RS, H> = RS extends undefined ? (H extends (context: any) => infer R ? R : never) : unknown

/**
 * The one signature behind get, post, put, patch, delete, head and options.
 *
 * H is a type parameter whose default is its constraint F. So the arrow's contextual type is worked out from the schemas before its body
 * is read, and `{ kind: 'a' }` keeps its literal; written as `handler: Handler<...>` it widens to string and is refused.
 */
export interface Add<M, Base extends string, RV, RO, X> {
  <P extends Path<Base>, R>(
    path: P,
    handler: (
      context: Context<
        Params<Names<`${Base}${P}`>, undefined>,
        undefined,
        undefined,
        ReplyFn<any>,
        undefined,
        undefined,
        undefined,
        {}
      > &
        RV,
    ) => R,
  ): Endpoint<
    M,
    `${Base}${P}`,
    Shape<undefined, undefined, undefined, undefined, undefined, undefined, undefined, {}, R, X>
  >
  <
    P extends Path<Base>,
    const RS extends Schema | undefined | StatusMap = undefined,
    U extends Uses & Reserved = {},
    const PS extends Schema | undefined = undefined,
    const QS extends Schema | undefined = undefined,
    const BS extends Schema | undefined = undefined,
    const HS extends Schema | undefined = undefined,
    const CS extends Schema | undefined = undefined,
    const FS extends Schema | undefined = undefined,
    const L extends FileRules = {},
    // Never given or inferred: names for what would otherwise be worked out several times.
    N extends string = Names<`${Base}${P}`>,
    PO = Params<N, PS>,
    F = Handler<PO, QS, BS, Outs<RS> & RO, HS, CS, FS, L, Values<U> & RV>,
    H extends F = F,
  >(
    path: P,
    spec: Spec<PS, QS, BS, RS, U, HS, CS, FS, L, PO> & PathOk<N, keyof PO>,
    handler: H,
  ): Endpoint<M, `${Base}${P}`, Shape<PS, QS, BS, RS, HS, CS, FS, L, Own<RS, H>, X | Errors<U>>>
}
/** The same as one object, method included. */
export interface AddRoute<Base extends string, RV, RO, X> {
  <
    M extends Method,
    P extends Path<Base>,
    const RS extends Schema | undefined | StatusMap = undefined,
    U extends Uses & Reserved = {},
    const PS extends Schema | undefined = undefined,
    const QS extends Schema | undefined = undefined,
    const BS extends Schema | undefined = undefined,
    const HS extends Schema | undefined = undefined,
    const CS extends Schema | undefined = undefined,
    const FS extends Schema | undefined = undefined,
    const L extends FileRules = {},
    N extends string = Names<`${Base}${P}`>,
    PO = Params<N, PS>,
    F = Handler<PO, QS, BS, Outs<RS> & RO, HS, CS, FS, L, Values<U> & RV>,
    H extends F = F,
  >(
    spec: Spec<PS, QS, BS, RS, U, HS, CS, FS, L, PO> & { method: M; path: P; handler: H } & PathOk<N, keyof PO>,
  ): Endpoint<M, `${Base}${P}`, Shape<PS, QS, BS, RS, HS, CS, FS, L, Own<RS, H>, X | Errors<U>>>
}

/** A spec with its types forgotten. */
export type AnySpec = Spec<
  Schema | undefined,
  Schema | undefined,
  Schema | undefined,
  Schema | StatusMap | undefined,
  Readonly<Record<string, DependencyDefinition>> | undefined,
  Schema | undefined,
  Schema | undefined,
  Schema | undefined,
  FileRules | undefined,
  any
>

/** What a router, or an include of one, adds to the routes in it. */
export interface Group extends Readonly<GroupFacts> {
  readonly prefix: string
  /** A host pattern: its routes answer there only. */
  readonly host?: string
  readonly version?: string
  readonly tags: readonly string[]
  readonly uses: Readonly<Record<string, DependencyDefinition>>
  readonly returns: StatusMap
  readonly use: readonly Middleware[]
  readonly decompress?: boolean | DecompressOptions | undefined
}

/** One declared route as data. `method` and `path` are its own; `router` is the group it was declared in. */
export class EndpointDefinition {
  readonly method: Method
  /** With its router's prefix, without those of includes. */
  readonly path: string
  readonly spec: AnySpec
  readonly handler: (context: any) => unknown
  readonly router: Group
  /** What people call it: the method, or WS. */
  readonly verb: string

  constructor(method: Method, path: string, spec: AnySpec, handler: (context: any) => unknown, router: Group) {
    this.method = method
    this.path = path
    this.spec = spec
    this.handler = handler
    this.router = router
    this.verb = method
  }
}

/** One route as an app serves it: the declaration, and every group around it from the outside in. */
export interface MountedRoute {
  readonly endpoint: EndpointDefinition
  /** Full pattern: prefixes of includes, of the router, and its own path. */
  readonly path: string
  /** 'GET /products/{id}', as messages name it. */
  readonly name: string
  readonly groups: readonly Group[]
  /** Of the innermost group that has one. */
  readonly host?: string | undefined
  readonly version?: string | undefined
}
