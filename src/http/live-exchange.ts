// An exchange while it lives: answered once, aborted once, bounded in time. The same whatever carries it.
import { DeadlineError } from '../core/deadline.ts'
import { UsageError } from '../core/error.ts'
import { RequestRecord } from '../core/request-record.ts'
import { signalOf } from '../core/request-signal.ts'
import { ConnectionError } from './errors.ts'
import type { Exchange, FieldLines, Peer, ProtocolSwitch, RequestBody, ResponseWriter } from './exchange.ts'
import type { FieldList, PreparedHead } from './prepared-head.ts'
import type { ReadyAnswer } from './ready-answer.ts'
import { FAILED_BODY, FAILED_HEAD } from './response-encoder.ts'
import type { Origin, TrustedProxies } from './trusted-proxy.ts'

/** Below this, a limit is looked at every 50 ms instead of with the sweep. */
export const SHORT_LIMIT_MS = 2000

/** What every exchange wants to know of what carries it. */
export interface Carrier {
  readonly peer: Peer
  readonly trustedProxies: TrustedProxies | undefined
}

export abstract class LiveExchange implements Exchange {
  readonly record: RequestRecord
  answered = false
  /** performance.now() by which a head must be out. */
  limitAtMs = Infinity
  #passed: ((exchange: Exchange) => void) | undefined
  #controller: AbortController | undefined
  #isAborted = false
  #abortReason: unknown = undefined
  /** The answer was not the handler's: what the handler does now is late and not wrong. */
  #isOverruled = false
  /** As a trusted proxy tells it; made on first use. */
  #origin: Origin | undefined

  constructor(method: string, startedMs: number) {
    this.record = new RequestRecord()
    this.record.method = method
    this.record.startedMs = startedMs
  }

  abstract get method(): string
  abstract get target(): string
  abstract get path(): string
  abstract get search(): string
  abstract get fields(): FieldLines
  abstract readonly body: RequestBody
  abstract send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void
  abstract start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter
  abstract earlyHints(fields: FieldList): void

  sendReady({ head, body }: ReadyAnswer): void {
    this.send(head, body)
  }

  protected abstract get carrier(): Carrier
  /** What the request says, and no proxy. */
  protected abstract get namedAuthority(): string
  /** Ends it without an answer, or in the middle of one, as a peer will notice. */
  protected abstract cutLine(reason: unknown): void
  protected abstract report(error: unknown): void
  /** `limitTime` was given less than the usual look at time-outs would notice. */
  protected abstract hurry(): void

  get authority(): string {
    return this.#told()?.authority ?? this.namedAuthority
  }

  get scheme(): 'http' | 'https' {
    return this.peer.encrypted ? 'https' : 'http'
  }

  get peer(): Peer {
    return this.#told()?.peer ?? this.carrier.peer
  }

  get protocolSwitch(): ProtocolSwitch | undefined {
    return undefined
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      signalOf(this, this.#controller.signal)
      if (this.#isAborted) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  destroy(reason: unknown): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.cutLine(reason)
  }

  /** An answer that has begun cannot be completed. */
  cut(reason: unknown): void {
    // Neither that the client has left nor what whoever cuts it has told already.
    if (!(reason instanceof ConnectionError)) this.report(reason)
    this.cutLine(reason)
  }

  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void {
    if (this.answered) return
    this.limitAtMs = this.record.startedMs + timeoutMs
    this.#passed = passed
    if (timeoutMs < SHORT_LIMIT_MS) this.hurry()
  }

  /** Nobody will ask for it any more: what it holds on to may go. */
  protected forgetLimit(): void {
    this.#passed = undefined
  }

  checkTime(nowMs: number): void {
    if (nowMs < this.limitAtMs) return
    this.limitAtMs = Infinity
    const passed = this.#passed
    this.#passed = undefined
    this.#isOverruled = true
    this.abort(new DeadlineError())
    try {
      // The signal's listeners may have answered.
      if (!this.answered) passed?.(this)
    } catch (error) {
      this.failed(error)
    }
  }

  /** The engine answers in the handler's place. */
  overrule(status: number, error: unknown): void {
    this.begin(status)
    this.#isOverruled = true
    this.record.error = error
    this.abort(error)
  }

  abort(reason: unknown): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }

  /** The peer is gone: nothing can be answered any more. */
  lose(reason: unknown): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.abort(reason)
  }

  /** The handler threw or rejected. */
  failed(error: unknown): void {
    this.record.error ??= error
    // What it throws because the client is gone is our own reason coming back.
    if (!(this.#isAborted && error === this.#abortReason)) this.report(error)
    if (!this.answered) this.send(FAILED_HEAD, FAILED_BODY)
    else this.cutLine(error)
  }

  /** @returns undefined when no proxy is trusted, and the connection alone tells */
  #told(): Origin | undefined {
    const { trustedProxies } = this.carrier
    if (trustedProxies === undefined) return undefined
    const { peer } = this.carrier
    const scheme = peer.encrypted ? 'https' : 'http'
    return (this.#origin ??= trustedProxies.origin({ peer, scheme, authority: this.namedAuthority }, this.fields))
  }

  protected begin(status: number): void {
    this.answered = true
    this.limitAtMs = Infinity
    this.record.status = status
  }

  /** A second answer. */
  protected again(): void {
    if (this.#isOverruled || this.#isAborted) return
    this.report(new UsageError('HTTP_ANSWERED_TWICE', 'this exchange has an answer already; the second is left out'))
  }
}
