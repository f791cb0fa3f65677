// One request as the app's stages share it, and the contexts through which user code sees it.
import { UsageError } from '../core/error.ts'
import type { Exchange, FieldLines, Peer } from '../http/exchange.ts'
import type { AfterResponse } from '../tasks/after-response.ts'
import type { MiddlewareContext } from './compose.ts'
import type { EarlyHints, Log, RequestContext } from './context.ts'
import { noted } from './noted-log.ts'
import { reply } from './reply.ts'
import type { Uploads } from './uploads.ts'
import { webRequest } from './web-request.ts'

/** Per request: the exchange, what was deferred, and the signal that user code gets. */
export class RequestState {
  readonly exchange: Exchange
  /** Middleware may note something about the request on it. */
  log: Log
  #deferred: (() => unknown)[] | undefined = undefined
  /** Where tasks go that are deferred when it is over. */
  #afterResponse: AfterResponse | undefined = undefined
  /** While what middleware surrounds is at work: answers in its place, so that the 504 passes through the middleware. */
  interrupt: (() => void) | undefined = undefined
  /** `interrupt` has been called. */
  isOverdue = false
  /** From the request's head to the answer's: the route's, unless something has shortened it. */
  timeoutMs = Infinity
  /** What is done when it has passed. */
  overdue: ((exchange: Exchange) => void) | undefined = undefined
  /** Waiting for a permit. */
  isQueued = false
  readonly #signal: AbortSignal | undefined
  #load: RequestState | undefined = undefined
  #request: Request | undefined = undefined
  /** The files of a form, for a route that takes some. */
  uploads: Uploads | undefined = undefined

  /** @param signal  where work outlives one caller: stands in for the exchange's */
  constructor(exchange: Exchange, log: Log, signal?: AbortSignal) {
    this.exchange = exchange
    this.log = log
    this.#signal = signal
  }

  get signal(): AbortSignal {
    return this.#signal ?? this.exchange.signal
  }

  /** Bounds its time further. A longer time than it has changes nothing. */
  shorten(timeoutMs: number): void {
    if (timeoutMs >= this.timeoutMs) return
    this.timeoutMs = timeoutMs
    // Else it has not come to the stage that bounds it.
    if (this.overdue) this.exchange.limitTime(timeoutMs, this.overdue)
  }

  /** Nothing of it has begun. */
  get isWaiting(): boolean {
    return this.isQueued || this.#load?.isQueued === true
  }

  /** For a load that this request starts and others may wait for: it goes on, and has its own deferred tasks, when this one is over. */
  forLoad(signal: AbortSignal): RequestState {
    return (this.#load = new RequestState(this.exchange, this.log, signal))
  }

  defer(task: () => unknown): void {
    if (typeof task !== 'function') throw new TypeError('defer() takes a function')
    if (this.#afterResponse) this.#afterResponse.run([task])
    else (this.#deferred ??= []).push(task)
  }

  /** It is over and ended well: runs what was deferred, and what still will be (a deferred task may defer another). */
  runDeferred(afterResponse: AfterResponse): void {
    this.#afterResponse = afterResponse
    if (!this.#deferred) return
    const { uploads } = this
    // They run in order, so files go last.
    if (uploads) uploads.outlives = afterResponse.run([...this.#deferred, () => uploads.release()])
    else afterResponse.run(this.#deferred)
  }

  get request(): Request {
    return (this.#request ??= webRequest(this.exchange, this.signal))
  }

  earlyHints(fields: EarlyHints): void {
    const lines = Object.entries(fields).flatMap(([name, value]) =>
      typeof value === 'string' ? [name, value] : value.flatMap(each => [name, each]),
    )
    if (lines.length > 0) this.exchange.earlyHints(lines)
  }
}

// Getters, so that a handler pays only for the fields it takes. Destructuring calls them like any other. The state behind them is made
// when it is first needed: most requests to a plain route never do.
class View implements RequestContext {
  readonly #exchange: Exchange
  readonly #log: Log
  #state: RequestState | undefined

  constructor(exchange: Exchange, log: Log, state: RequestState | undefined) {
    this.#exchange = exchange
    this.#log = log
    this.#state = state
  }

  /** The state, if anything has asked for it. */
  static usedState(view: View): RequestState | undefined {
    return view.#state
  }

  static state(view: View): RequestState {
    return (view.#state ??= new RequestState(view.#exchange, view.#log))
  }

  /** @throws UsageError `APP_NOT_A_CONTEXT` */
  static exchange(view: object): Exchange {
    if (#exchange in view) return view.#exchange
    throw new UsageError(
      'APP_NOT_A_CONTEXT',
      'this takes the context itself, as handlers and middleware get it, no copy',
    )
  }

  get signal(): AbortSignal {
    return this.#state?.signal ?? this.#exchange.signal
  }

  get request(): Request {
    return View.state(this).request
  }

  get client(): Peer {
    return this.#exchange.peer
  }

  get log(): Log {
    return this.#state?.log ?? this.#log
  }

  get defer(): (task: () => unknown) => void {
    const state = View.state(this)
    return task => state.defer(task)
  }

  get earlyHints(): (fields: EarlyHints) => void {
    const state = View.state(this)
    return fields => state.earlyHints(fields)
  }
}

/** What a handler gets; the values of its dependencies are set on it by name. */
export class HandlerView extends View {
  params: unknown = undefined
  query: unknown = undefined
  headers: unknown = undefined
  cookies: unknown = undefined
  body: unknown = undefined

  get reply(): typeof reply {
    return reply
  }
}

/** That of a route which reads a form; others do not carry its fields. */
export class FormView extends HandlerView {
  form: unknown = undefined
  files: unknown = undefined
}

/** What a dependency's factory gets; the values of what it uses are set on it by name. */
export class DependencyView extends View {
  headers: unknown = undefined
  query: unknown = undefined
  cookies: unknown = undefined

  constructor(state: RequestState) {
    super(state.exchange, state.log, state)
  }
}

export class MiddlewareView extends View implements MiddlewareContext {
  readonly #exchange: Exchange

  constructor(state: RequestState) {
    super(state.exchange, state.log, state)
    this.#exchange = state.exchange
  }

  note(fields: Readonly<Record<string, unknown>>): void {
    const state = View.state(this)
    state.log = noted(state.log, fields)
  }

  get scheme(): 'http' | 'https' {
    return this.#exchange.scheme
  }

  get authority(): string {
    return this.#exchange.authority
  }

  get method(): string {
    return this.#exchange.method
  }

  get path(): string {
    return this.#exchange.path
  }

  get search(): string {
    return this.#exchange.search
  }

  get headers(): FieldLines {
    return this.#exchange.fields
  }

  get route(): string {
    return this.#exchange.record.route
  }
}

/** Bounds the time of the request behind a context. */
export function shortenTime(context: RequestContext, timeoutMs: number): void {
  View.state(context as View).shorten(timeoutMs)
}

/** The request behind a context, for what keeps something beside it. @throws UsageError `APP_NOT_A_CONTEXT` */
export function exchangeOf(context: RequestContext): Exchange {
  return View.exchange(context)
}
