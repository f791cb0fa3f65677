// What a handler may end with, and `reply(status, body)`: its way to say another status, fields or cookies than the usual ones.
//
// Type names of two letters, here and in route.ts: PS QS BS HS CS are the schemas of params, query, body, headers and cookies;
// RS is `returns`; O maps a status to what the handler gives for it.
import type { Out, Schema } from '../schema/schema.ts'
import type { CookieOptions } from './cookie.ts'

declare const replied: unique symbol
/** Opaque: `reply` has already checked status and body, so a handler's result type need not repeat them. */
export interface Reply {
  readonly [replied]: true
}

export interface ReplyInit {
  readonly headers?: Readonly<Record<string, string>>
  /** A value, or a value with its attributes; an empty value with maxAgeSeconds 0 deletes. */
  readonly cookies?: Readonly<Record<string, string | ({ readonly value: string } & CookieOptions)>>
}

export type StatusMap = { readonly [status: number]: Schema | null }

/** Status to what the handler gives; `any` where nothing is declared. */
export type Outs<RS> = RS extends undefined ? any : RS extends Schema ? { 200: Out<RS> } : OutMap<RS>
export type OutMap<E> = { [C in keyof E]: Out<E[C]> }

/** A bare value goes out with the lowest 2xx declared. */
export type Bare<O> = O extends { 200: infer B }
  ? B
  : O extends { 201: infer B }
    ? B
    : O extends { 202: infer B }
      ? B
      : O extends { 203: infer B }
        ? B
        : O extends { 204: infer B }
          ? B
          : O extends { 206: infer B }
            ? B
            : never

export type Result<B> = B | Reply | Response | Promise<B | Reply | Response>

export interface ReplyFn<O> {
  <C extends keyof O & number>(
    status: C,
    ...body: O[C] extends void ? [body?: null, init?: ReplyInit] : [body: O[C], init?: ReplyInit]
  ): Reply
}

/** The run-time form of a Reply. */
export class MadeReply {
  readonly status: number
  readonly body: unknown
  readonly init: ReplyInit | undefined

  constructor(status: number, body: unknown, init: ReplyInit | undefined) {
    this.status = status
    this.body = body
    this.init = init
  }
}

/** One function for every route: it knows nothing of the request, so a context costs no closure for it. */
export const reply = ((status: number, body?: unknown, init?: ReplyInit) =>
  new MadeReply(status, body, init)) as unknown as ReplyFn<any>
