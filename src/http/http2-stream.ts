// One HTTP/2 stream, which carries one request and its answer.
//
// The life of a stream
//
//   gather  the head asks for a small body: it is waited for as in HTTP/1 (connection.ts), for the same reasons.
//   open    the handler has the exchange.
//   sent    answered; what was written is still being taken, and what is left of the request is not wanted.
//   closed  both sides have ended, or one of them has reset it.
//
// How much of a body is read ahead of its handler is the stream's flow-control window: node:http2 gives it back as we read.
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ConnectionOwner } from './connection-owner.ts'
import {
  answerCut,
  bodyAborted,
  bodyTooSlow,
  clientGone,
  clientStalled,
  ConnectionError,
  type ProtocolError,
  protocolError,
} from './errors.ts'
import type { Peer } from './exchange.ts'
import { Http2Exchange, type Http2ExchangeLine } from './http2-exchange.ts'
import { fieldObject, responseFields } from './http2-fields.ts'
import { type Http2Head, readHead } from './http2-head.ts'
import { Http2Output } from './http2-output.ts'
import { SHORT_LIMIT_MS } from './live-exchange.ts'
import { IncomingBody, NO_BODY, type BodySource } from './request-body.ts'
import { refusalOf } from './response-encoder.ts'
import type { TrustedProxies } from './trusted-proxy.ts'

/** What a stream needs of its session. */
export interface StreamSession {
  readonly owner: ConnectionOwner
  readonly peer: Peer
  /** Why streams of this session end, when we end it; undefined while we do not. */
  readonly endReason: ConnectionError | undefined
  hurry(): void
  /** @param isAnswered  the client had its answer by then */
  streamClosed(line: Http2Line, isAnswered: boolean): void
}

type Phase = 'gather' | 'open' | 'sent' | 'closed'

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants

export class Http2Line implements Http2ExchangeLine, BodySource {
  readonly out: Http2Output
  readonly #stream: ServerHttp2Stream
  readonly #session: StreamSession
  #phase: Phase = 'gather'
  #sinceMs = 0
  #exchange: Http2Exchange | undefined
  #waitingHead: Http2Head | undefined
  /** Until the last of it has arrived. */
  #body: IncomingBody | undefined
  #received: IncomingBody | undefined
  #owesContinue = false
  #isPaused = false
  #error: unknown = undefined

  constructor(stream: ServerHttp2Stream, session: StreamSession) {
    this.#stream = stream
    this.#session = session
    this.out = new Http2Output(stream)
    const wired = stream as WiredStream
    wired[LINE] = this
    wired.on('drain', onDrain)
    wired.on('error', onError)
    wired.on('close', onClose)
  }

  get peer(): Peer {
    return this.#session.peer
  }

  get trustedProxies(): TrustedProxies | undefined {
    return this.#session.owner.trustedProxies
  }

  /** Serves the request. */
  begin(lines: readonly string[], flags: number): void {
    const { limits } = this.#session.owner
    let head: Http2Head
    try {
      head = readHead(lines, limits)
    } catch (error) {
      this.#refuse(error as ProtocolError)
      return
    }
    if ((flags & NGHTTP2_FLAG_END_STREAM) !== 0 || head.contentLength === 0) return this.#open(head)
    const length = head.contentLength < 0 ? undefined : head.contentLength
    this.#received = this.#body = new IncomingBody(
      this,
      length === undefined ? 'chunked' : 'length',
      length,
      limits.maxBodyBytes,
    )
    this.#owesContinue = head.expectsContinue
    const wired = this.#stream as WiredStream
    wired.on('end', onEnd)
    wired.on('data', onData)
    // A body that is large by its own account is the handler's from the start; nor can one be waited for that waits for us.
    if ((length ?? 0) > limits.gatherBytes || this.#owesContinue) {
      this.#pause()
      this.#open(head)
      return
    }
    this.#waitingHead = head
    this.#sinceMs = performance.now()
    this.#session.hurry()
  }

  // The body of the request

  received(piece: Buffer): void {
    const body = this.#body
    if (body === undefined) return
    this.#owesContinue = false
    body.push(piece)
    if (this.#phase === 'gather') {
      if (body.received >= this.#session.owner.limits.gatherBytes) this.#endGather()
    } else if (body.isFull) this.#pause()
  }

  /** The client has sent the last of it; or has reset the stream, which must not pass for that. */
  peerEnded(): void {
    const body = this.#body
    if (body === undefined || this.#stream.closed) return
    this.#body = undefined
    body.finish()
    if (this.#phase === 'gather') this.#endGather()
  }

  readOn(): void {
    if (this.#body === undefined) return
    if (this.#owesContinue) {
      this.#owesContinue = false
      this.out.interim(100, fieldObject([]))
    }
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#stream.resume()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#stream.pause()
  }

  #endGather(): void {
    const head = this.#waitingHead!
    this.#waitingHead = undefined
    if (this.#body?.isFull) this.#pause()
    this.#open(head)
  }

  // The exchange

  #open(head: Http2Head): void {
    const { owner } = this.#session
    const exchange = new Http2Exchange(this, head, this.#received ?? NO_BODY, performance.now())
    this.#exchange = exchange
    this.#phase = 'open'
    owner.began()
    try {
      const promise = owner.handler(exchange)
      if (promise !== undefined) promise.then(undefined, (error: unknown) => exchange.failed(error))
    } catch (error) {
      exchange.failed(error)
    }
  }

  finished(exchange: Http2Exchange): void {
    if (this.#exchange !== exchange) return
    this.#conclude(exchange)
    this.#phase = 'sent'
    this.#dropBody()
  }

  /** What is left of the request is not wanted: the client is told so, behind the answer (RFC 9113 §8.1). */
  #dropBody(): void {
    const body = this.#body
    if (body === undefined) return
    this.#body = undefined
    body.fail(bodyAborted())
    body.drop()
    this.#resetWhenSent()
  }

  #resetWhenSent(): void {
    if (this.#stream.writableFinished) this.#stream.close(NGHTTP2_NO_ERROR)
    else this.#stream.once('finish', () => this.#stream.close(NGHTTP2_NO_ERROR))
  }

  /** The exchange is over, however it ended. */
  #conclude(exchange: Http2Exchange): void {
    this.#exchange = undefined
    if (this.#received !== undefined) exchange.record.bytesIn = this.#received.received
    this.#session.owner.ended(exchange)
  }

  cut(exchange: Http2Exchange, reason: unknown): void {
    exchange.record.error ??= reason
    this.#lose(answerCut(reason))
    this.#stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  hurry(): void {
    this.#session.hurry()
  }

  report(error: unknown, exchange: Http2Exchange): void {
    this.#session.owner.failed(error, exchange)
  }

  // The end

  /** The peer broke the protocol on this stream alone: one answer, and nothing more of it is read. */
  #refuse(error: ProtocolError, bodyError: unknown = error): void {
    this.#session.owner.refused(error)
    this.#waitingHead = undefined
    const exchange = this.#exchange
    this.#body?.fail(bodyError)
    if (exchange !== undefined && exchange.answered) return this.cut(exchange, error)
    const { head, body } = refusalOf(error)
    this.out.head(responseFields(head, undefined, body.length), false)
    this.out.write(body)
    this.out.end()
    if (exchange !== undefined) {
      exchange.overrule(error.status, error)
      this.#conclude(exchange)
    }
    this.#phase = 'sent'
    this.#body = undefined
    if (!this.#stream.readableEnded) this.#resetWhenSent()
  }

  /** Ends it from our side, so that the client sees that it is not whole. */
  reset(reason: ConnectionError): void {
    this.#error ??= reason
    this.#lose(reason)
    this.#stream.close(NGHTTP2_CANCEL)
  }

  #lose(reason: unknown): void {
    this.#body?.fail(bodyAborted(reason))
    this.#body = undefined
    const exchange = this.#exchange
    if (exchange === undefined) return
    exchange.record.error ??= reason
    this.#conclude(exchange)
    exchange.lose(reason)
  }

  errored(error: unknown): void {
    this.#error ??= error
  }

  closed(): void {
    if (this.#phase === 'closed') return
    const isAnswered = this.#phase === 'sent' && this.out.isTaken
    this.#phase = 'closed'
    this.#waitingHead = undefined
    const reason =
      this.#session.endReason ?? (this.#error instanceof ConnectionError ? this.#error : clientGone(this.#error))
    this.#lose(reason)
    this.out.closed(reason)
    this.#session.streamClosed(this, isAnswered)
  }

  // Time

  /** @param elapsedMs  since the last sweep */
  sweep(nowMs: number, elapsedMs: number): void {
    this.look(nowMs)
    if (this.#phase === 'open' && this.#received?.isAwaited) this.#checkRate(this.#received, elapsedMs)
    if (this.out.progress(nowMs, this.#session.owner.limits) === 'stalled') this.reset(clientStalled())
  }

  #checkRate(body: IncomingBody, elapsedMs: number): void {
    const { minRateGraceMs, bodyMinBytesPerSecond } = this.#session.owner.limits
    if (this.#body === undefined || this.#isPaused) return
    body.readingMs += elapsedMs
    if (body.readingMs <= minRateGraceMs || body.received * 1000 >= bodyMinBytesPerSecond * body.readingMs) return
    this.#refuse(protocolError('HTTP_BODY_TOO_SLOW'), bodyTooSlow())
  }

  /** @returns true when it must be looked at again soon */
  look(nowMs: number): boolean {
    if (this.#phase === 'gather') {
      if (this.#waitingHead === undefined) return false
      if (nowMs - this.#sinceMs < this.#session.owner.limits.gatherMs) return true
      this.#endGather()
    } else this.#exchange?.checkTime(nowMs)
    return this.#exchange !== undefined && this.#exchange.limitAtMs - nowMs < SHORT_LIMIT_MS
  }
}

// Listeners are shared by all streams, as those of connection.ts are by all sockets.

const LINE = Symbol('line')

interface WiredStream extends ServerHttp2Stream {
  [LINE]: Http2Line
}

function onData(this: WiredStream, piece: Buffer): void {
  this[LINE].received(piece)
}

function onEnd(this: WiredStream): void {
  this[LINE].peerEnded()
}

function onDrain(this: WiredStream): void {
  this[LINE].out.drained()
}

function onError(this: WiredStream, error: Error): void {
  this[LINE].errored(error)
}

function onClose(this: WiredStream): void {
  this[LINE].closed()
}
