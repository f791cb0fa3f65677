// Dependencies: values that handlers ask for by name, made once per worker, once per request or once per use, and cleaned up after.
import type { Out, Schema } from '../schema/schema.ts'
import { UsageError } from '../core/error.ts'
import type { Middleware } from './compose.ts'
import { CONTEXT_NAMES, type Context, type RequestContext, type WorkerContext } from './context.ts'
import type { StatusMap } from './reply.ts'
import { type Security, type SecurityDefinition, securityDefinition } from './security/scheme.ts'

/**
 * worker: once per worker, closed on drain. request: once per request, shared by all who ask. call: once for each use.
 * A dependency may use others of its own scope or a longer-lived one.
 */
export type Scope = 'worker' | 'request' | 'call'

/** T: its value. E: the answers that it, or what it uses, may end the request with, a union of status maps. */
export interface Dependency<T, K extends Scope = Scope, E = never> {
  readonly scope: K
  readonly '~value': T
  readonly '~returns': E
}
export type Uses<K extends Scope = Scope> = { readonly [name: string]: Dependency<any, K, any> }
/** Refuses, at compile time, a dependency named like a field of the context. */
export type Reserved = {
  readonly [N in keyof Context<any, any, any, any, any, any, any, any>]?: 'is a name of the context'
}
interface Usable {
  worker: 'worker'
  request: 'worker' | 'request'
  call: Scope
}
export type Values<U> = { readonly [N in keyof U]: U[N] extends { readonly '~value': infer T } ? T : never }
type ErrorsOf<D> = D extends { readonly '~returns': infer E } ? E : never
export type Errors<U> = ErrorsOf<U[keyof U]>
type Produced<R> = R extends AsyncGenerator<infer Y, any, any> | Generator<infer Y, any, any> ? Y : Awaited<R>

interface Declared<HS, QS, CS> {
  readonly headers: Out<HS>
  readonly query: Out<QS>
  readonly cookies: Out<CS>
}
export interface DependencySpec<K, U, HS, QS, CS, G, E> {
  scope?: K
  /** For messages and traces; else the name it is used under. */
  name?: string
  uses?: U
  /** Inputs of its own; they join the validation and the OpenAPI of every route that uses it. */
  headers?: HS
  query?: QS
  cookies?: CS
  /**
   * What a request must show, from 'millrace/security'; the factory gets it by name. Without it the request ends with 401 before anything
   * else is done for it.
   */
  security?: Security<G>
  /** Answers it may end the request with, for OpenAPI and typed clients. With 401 or 403 among them it runs before the body is read. */
  returns?: E
}

/** The run-time form; what a Dependency really is. */
export class DependencyDefinition {
  readonly scope: Scope
  readonly name: string | undefined
  readonly uses: Readonly<Record<string, DependencyDefinition>>
  readonly headers: Schema | undefined
  readonly query: Schema | undefined
  readonly cookies: Schema | undefined
  readonly security: SecurityDefinition | undefined
  readonly returns: StatusMap | undefined
  /** Returns a value, a promise, or a generator whose first yield is the value and whose rest is the clean-up. */
  readonly factory: (context: any) => unknown
  /** Comes with it, innermost around every route that uses it: for a value that has something to say in the answer. */
  readonly around: Middleware | undefined
  /** It is another one with scopes required of it, and is never made itself. */
  readonly requires: { readonly of: DependencyDefinition; readonly scopes: readonly string[] } | undefined

  constructor(
    spec: DependencySpec<Scope, Uses, Schema | undefined, Schema | undefined, Schema | undefined, any, StatusMap>,
    factory: (context: any) => unknown,
    around?: Middleware,
    requires?: DependencyDefinition['requires'],
  ) {
    this.scope = spec.scope ?? 'request'
    this.name = spec.name
    this.uses = definitions(spec.uses ?? {})
    this.headers = spec.headers
    this.query = spec.query
    this.cookies = spec.cookies
    this.returns = spec.returns
    this.factory = factory
    this.around = around
    this.requires = requires
    this.security =
      spec.security === undefined ? undefined : securityDefinition(spec.security, this.name ?? 'a dependency')
    for (const name of this.security?.gives ?? [])
      if (name in this.uses)
        throw new UsageError(
          'APP_RESERVED_NAME',
          `a dependency with this security cannot use another one as ${name}: that is what the security gives`,
        )
    if (this.scope === 'worker' && (this.headers ?? this.query ?? this.cookies ?? this.security))
      throw new UsageError(
        'APP_WORKER_INPUT',
        `${this.name ?? 'a dependency'} has scope worker, so it has no request to read inputs from`,
      )
    const reach: readonly Scope[] =
      this.scope === 'worker'
        ? ['worker']
        : this.scope === 'request'
          ? ['worker', 'request']
          : ['worker', 'request', 'call']
    for (const [name, used] of Object.entries(this.uses))
      if (!reach.includes(used.scope))
        throw new UsageError(
          'APP_SCOPE',
          `a dependency of scope ${this.scope} may not use ${name}, of scope ${used.scope}: it would outlive it`,
        )
  }

  /** For `requireScopes`. */
  static requiring(of: DependencyDefinition, scopes: readonly string[]): DependencyDefinition {
    const { scope, name } = of
    const spec = { scope, uses: { value: of } as unknown as Uses, ...(name === undefined ? {} : { name }) }
    return new DependencyDefinition(spec, ({ value }: { value: unknown }) => value, undefined, { of, scopes })
  }

  /** It may say that somebody must not ask: whatever comes from the client besides is read, and judged, after it. */
  get isGuard(): boolean {
    return this.security !== undefined || (this.returns !== undefined && (401 in this.returns || 403 in this.returns))
  }
}

/**
 * Declares a dependency. Nothing runs until a request, or a worker's start for scope 'worker', needs it.
 *
 * A generator's first `yield` gives the value; what follows is clean-up and runs in reverse order, before the head of the response is
 * written: when it throws, that is the answer. An error of the handler arrives in the generator as a throw.
 *
 * @example
 * const db = dependency({ scope: 'worker' }, async function* () { const pool = await open(); yield pool; await pool.end() })
 */
export function dependency<R>(factory: (context: RequestContext) => R): Dependency<Produced<R>, 'request'>
export function dependency<
  R,
  K extends Scope = 'request',
  U extends Uses<Usable[K]> = {},
  HS extends Schema | undefined = undefined,
  QS extends Schema | undefined = undefined,
  CS extends Schema | undefined = undefined,
  G = {},
  const E extends StatusMap = never,
>(
  spec: DependencySpec<K, U, HS, QS, CS, G, E>,
  factory: (context: (K extends 'worker' ? WorkerContext : RequestContext & Declared<HS, QS, CS>) & Values<U> & G) => R,
): Dependency<Produced<R>, K, E | Errors<U>>
export function dependency(...of: unknown[]): unknown {
  const [spec, factory] = (of.length === 1 ? [{}, of[0]] : of) as [
    DependencySpec<any, any, any, any, any, any, any>,
    (context: any) => unknown,
  ]
  if (typeof factory !== 'function')
    throw new UsageError('APP_NO_FACTORY', 'dependency(spec, factory) takes a function that makes the value')
  return new DependencyDefinition(spec, factory)
}

/** @throws UsageError `APP_NOT_A_DEPENDENCY`, `APP_RESERVED_NAME` */
export function definitions(uses: Uses): Readonly<Record<string, DependencyDefinition>> {
  for (const [name, used] of Object.entries(uses as Record<string, unknown>)) {
    if (!(used instanceof DependencyDefinition))
      throw new UsageError('APP_NOT_A_DEPENDENCY', `uses.${name} is not a dependency; make it with dependency(...)`)
    if ((CONTEXT_NAMES as readonly string[]).includes(name))
      throw new UsageError('APP_RESERVED_NAME', `a dependency cannot be called ${name}: that is a field of the context`)
  }
  return uses as unknown as Readonly<Record<string, DependencyDefinition>>
}
