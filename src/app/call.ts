// An endpoint as its callers see it: what to send, and the union of answers that may come back. Types only.
//
// S is an endpoint's Shape, F the error format of its app.
import type { Duration } from '../core/duration.ts'
import type { In, Schema } from '../schema/schema.ts'
import type { Names } from './pattern.ts'
import type { Reply } from './reply.ts'
import type { Shape } from './route.ts'

/** What is left of a value after JSON; only for routes that declare no `returns`. */
export type Json<T> = T extends string | number | boolean | null
  ? T
  : T extends { toJSON(): infer J }
    ? Json<J>
    : T extends bigint | symbol | undefined | void | ((...of: any) => unknown)
      ? null
      : T extends readonly (infer I)[]
        ? Json<I>[]
        : T extends object
          ? { [K in keyof T]: Json<T[K]> }
          : unknown

/** What JSON carries as it is. */
type Plain = string | number | boolean | null | undefined | readonly Plain[] | { readonly [key: string]: Plain }
/**
 * A schema's input as a caller gets it: a Date is its text, a bigint its digits, a Set an array, bytes are a Blob. Most inputs are plain,
 * and to see that costs a comparison and no instantiation.
 */
export type Wired<T> = T extends Plain
  ? T
  : T extends Date | bigint
    ? string
    : T extends Uint8Array | Blob
      ? Blob
      : T extends AsyncIterable<infer I>
        ? AsyncIterable<Wired<I>>
        : T extends ReadonlySet<infer I>
          ? Wired<I>[]
          : T extends object
            ? { [K in keyof T]: Wired<T[K]> }
            : T

export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
}
export interface ValidationProblem extends ProblemDetails {
  readonly errors: readonly {
    readonly type: string
    readonly loc: readonly (string | number)[]
    readonly msg: string
    readonly input: unknown
  }[]
}
export interface Formats {
  problem: { any: ProblemDetails; 422: ValidationProblem }
  fastapi: { any: { readonly detail: unknown }; 422: { readonly detail: ValidationProblem['errors'] } }
}
/** What Millrace itself can answer on any route, beside 422. */
type Standing = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503 | 504

/** One possible answer; `status` tells which, and so what `body` is. */
export interface Told<C, B> {
  readonly status: C
  readonly ok: C extends 200 | 201 | 202 | 203 | 204 | 206 ? true : false
  readonly body: B
  readonly headers: Headers
}
export type AnyShape = Shape<any, any, any, any, any, any, any, any, any, any>
type Wire<RS> = RS extends Schema ? { 200: Wired<In<RS>> } : WireMap<RS>
type WireMap<E> = { [C in keyof E]: Wired<In<E[C]>> }
// Interfaces, read at `all`, where aliases would do: an editor then shows the union itself, not the alias and its arguments.
interface ByStatus<W> {
  all: { [C in keyof W]: Told<C, W[C]> }[keyof W]
}
interface Mine<RS, R> {
  all: [RS] extends [undefined] ? Told<200, Json<Exclude<Awaited<R>, Reply | Response>>> : ByStatus<Wire<RS>>['all']
}
interface Theirs<E> {
  all: E extends unknown ? ByStatus<WireMap<E>>['all'] : never
}
interface Declares<S extends AnyShape> {
  all: Mine<S['returns'], S['result']>['all'] | Theirs<S['errors']>['all']
}
interface Whole<T extends { status: unknown }, F extends keyof Formats> {
  all:
    | T
    | Told<Exclude<Standing, T['status']>, Formats[F]['any']>
    | (422 extends T['status'] ? never : Told<422, Formats[F][422]>)
}
/** What a call resolves to: what the route, its router and its dependencies declare, then Millrace's own for the other statuses. */
export interface Answers<S extends AnyShape, F extends keyof Formats> {
  all: Whole<Declares<S>['all'], F>['all']
}

type Part<N extends string, I> = [I] extends [undefined]
  ? {}
  : {} extends I
    ? { readonly [K in N]?: I }
    : { readonly [K in N]: I }
type SentOne<R> = R extends { many: true } ? readonly Blob[] : Blob
/** A File has a name of its own; a Blob is sent under that of its field. */
type Sent<L> = { readonly [N in keyof L as L[N] extends { optional: true } ? never : N]: SentOne<L[N]> } & {
  readonly [N in keyof L as L[N] extends { optional: true } ? N : never]?: SentOne<L[N]>
}
type PathInput<P, PS> = [PS] extends [undefined]
  ? P extends `${string}{${string}`
    ? { readonly params: { readonly [K in Names<P>]: string | number } }
    : {}
  : { readonly params: In<PS> }
export interface CallOptions {
  readonly signal?: AbortSignal
  readonly timeout?: Duration
}
/** What a call takes: the wire form of each declared input, optional where everything in it is. */
export type Input<P, S extends AnyShape> = PathInput<P, S['params']> &
  Part<'query', In<S['query']>> &
  Part<'body', In<S['body']>> &
  Part<'cookies', In<S['cookies']>> &
  Part<'form', In<S['form']>> &
  ([keyof S['files']] extends [never] ? {} : Part<'files', Sent<S['files']>>) &
  ([S['headers']] extends [undefined]
    ? { readonly headers?: Record<string, string> }
    : Part<'headers', In<S['headers']>>)
export type Arguments<I> = {} extends I ? [input?: I] : [input: I]

/** One pass over a module's exports; what is not an endpoint of this method falls out. */
type At<R, M> = {
  readonly [
    K in keyof R as R[K] extends { readonly method: M; readonly path: infer P extends string } ? P : never
  ]: R[K] extends {
    readonly '~shape': infer S extends AnyShape
  }
    ? S
    : never
}
/**
 * The same with the modules and objects among them, one level down. Tables of their own that meet, not one of all endpoints: mapped over a
 * union of 300, each call costs 8,000 instantiations in place of 1,000 (bench/types).
 */
type Table<R, M> = [Inner<R>] extends [never] ? At<R, M> : At<R, M> & Meet<InnerAt<Inner<R>, M>>
type InnerAt<N, M> = N extends unknown ? (table: At<N, M>) => void : never
type Meet<F> = [F] extends [(table: infer T) => void] ? T : never
type Inner<R> = {
  [K in keyof R]: R[K] extends { readonly '~shape': object } | Opaque ? never : R[K] extends object ? R[K] : never
}[keyof R]
/** Something else, by a mark of its own: not looked into. */
type Opaque =
  | ((...of: any) => unknown)
  | (abstract new (...of: any) => unknown)
  | readonly unknown[]
  | { readonly _zod: object }
  | { readonly '~standard': object }
  | { readonly '~value': unknown }
  | { readonly '~routes': true }

// Conditionals, not a type parameter with a default: that one is tried with every path at once, and 300 make TS2590.
interface Verb<T, F extends keyof Formats, O> {
  <P extends keyof T>(
    path: P,
    ...input: T[P] extends infer S extends AnyShape ? Arguments<Input<P, S> & O> : never
  ): Promise<T[P] extends infer S extends AnyShape ? Answers<S, F>['all'] : never>
}
interface Bodiless<A> {
  all: A extends Told<infer C, any> ? Told<C, null> : never
}
interface HeadVerb<T, F extends keyof Formats, O> {
  <P extends keyof T>(
    path: P,
    ...input: T[P] extends infer S extends AnyShape ? Arguments<Input<P, S> & O> : never
  ): Promise<T[P] extends infer S extends AnyShape ? Bodiless<Answers<S, F>['all']>['all'] : never>
}
interface ByMethod<R> {
  readonly GET: Table<R, 'GET'>
  readonly POST: Table<R, 'POST'>
  readonly PUT: Table<R, 'PUT'>
  readonly PATCH: Table<R, 'PATCH'>
  readonly DELETE: Table<R, 'DELETE'>
  readonly HEAD: Table<R, 'GET' | 'HEAD'>
  readonly OPTIONS: Table<R, 'OPTIONS'>
  readonly QUERY: Table<R, 'QUERY'>
}
/** A call whose answer is the platform's Response, its body unread. */
export interface RawCall<R, O> {
  <M extends keyof ByMethod<R>, P extends keyof ByMethod<R>[M]>(
    method: M,
    path: P,
    ...input: ByMethod<R>[M][P] extends infer S extends AnyShape ? Arguments<Input<P, S> & O> : never
  ): Promise<Response>
}
/** Calls by path, typed from a module that exports endpoints. O: what a call may say beside its inputs. */
export interface Calls<R, F extends keyof Formats, O = CallOptions> {
  readonly get: Verb<Table<R, 'GET'>, F, O>
  readonly post: Verb<Table<R, 'POST'>, F, O>
  readonly put: Verb<Table<R, 'PUT'>, F, O>
  readonly patch: Verb<Table<R, 'PATCH'>, F, O>
  readonly delete: Verb<Table<R, 'DELETE'>, F, O>
  /** Every GET has a HEAD: status and headers, no body. */
  readonly head: HeadVerb<Table<R, 'GET' | 'HEAD'>, F, O>
  readonly options: Verb<Table<R, 'OPTIONS'>, F, O>
  readonly query: Verb<Table<R, 'QUERY'>, F, O>
}
