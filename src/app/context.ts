// What handlers and dependencies hold while they run. It carries what they need and never points back at its app.
import type { Peer } from '../http/exchange.ts'
import type { Out } from '../schema/schema.ts'
import type { FilesOf } from './uploaded-file.ts'

/** A pino logger fits. */
export interface Log {
  debug(...of: unknown[]): void
  info(...of: unknown[]): void
  warn(...of: unknown[]): void
  error(...of: unknown[]): void
}

/** What a worker-scoped dependency and the lifespan hold. */
export interface WorkerContext {
  /** Aborts when the worker drains. */
  readonly signal: AbortSignal
  readonly log: Log
}

/** Name to value, or to one value for each of several lines: `{ link: ['</app.css>; rel=preload; as=style'] }`. */
export type EarlyHints = Readonly<Record<string, string | readonly string[]>>

/** What a request- or call-scoped dependency holds, and a handler with more. */
export interface RequestContext {
  /** Aborts when the client disconnects and when the deadline passes. */
  readonly signal: AbortSignal
  /** Runs after the response, only when the handler ended without throwing; drain waits for it. */
  defer(task: () => unknown): void
  /** The request in the web platform's form, made on first use. */
  readonly request: Request
  /**
   * Who asks, looked up on first use: the other end of the connection, or the client that a trusted proxy names (settings `trustedProxies`
   * and `proxyProtocol`). `address` is '' where nobody can tell: on a unix socket, in memory, or behind a proxy that does not say.
   */
  readonly client: Peer
  readonly log: Log
  /**
   * 103 Early Hints (RFC 8297), at once: what the client may fetch while the answer is being made. Ignored after the answer has begun,
   * and where there is no way to send them (HTTP/1.0, app.fetch).
   *
   * @throws UsageError `HTTP_BAD_FIELD`
   */
  earlyHints(fields: EarlyHints): void
}

/** PO: params as the handler holds them. F: its `reply`. L: its `files`. */
export interface Context<PO, QS, BS, F, HS, CS, FS, L> extends RequestContext {
  readonly params: PO
  readonly query: Out<QS>
  readonly body: Out<BS>
  readonly headers: Out<HS>
  readonly cookies: Out<CS>
  readonly form: Out<FS>
  readonly files: FilesOf<L>
  readonly reply: F
}

/** The names that a dependency may not take. The run-time twin of `keyof Context`, checked against it by the compiler. */
export const CONTEXT_NAMES: readonly (keyof Context<any, any, any, any, any, any, any, any>)[] = [
  'signal',
  'defer',
  'request',
  'client',
  'log',
  'earlyHints',
  'params',
  'query',
  'body',
  'headers',
  'cookies',
  'form',
  'files',
  'reply',
]
