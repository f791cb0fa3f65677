// One HTTP/1 connection: the only file that touches a socket, and the only one that knows in which order things happen.
//
// The life of a connection
//
//   idle    nothing has arrived. After keepAliveTimeoutMs: closed.
//   head    the first byte has; the head has not. After headTimeoutMs: 408.
//   gather  the head asks for a small body: it is waited for, up to gatherMs, so that the handler finds it complete, a slow
//           sender holds no permit, and a broken body is refused before anything has happened.
//   open    the handler has the exchange. One at a time: what a client pipelines is answered in the order it was sent, and a GET
//           behind a POST sees what the POST did. Reading goes on, so that a client that goes away is noticed, until maxReadAhead
//           requests or maxReadAheadBytes are waiting.
//   skip    answered, and a little of its body is still to come: read and thrown away to keep the connection.
//   linger  our last answer is out and our side is closed; what still comes is thrown away, so that the kernel does not answer it
//           with a reset that would overtake the answer (RFC 9112 §9.6). After lingerMs: closed.
//   closed  or handed over to another protocol, from 'open': nothing of it is ours any more.
//
// Timers: none here. The engine sweeps its connections and each looks at its own clock; `#sinceMs` is 0 after a change of phase
// and stamped by the next sweep, so that a request on the fast path never asks for the time it does not need.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ChunkedDecoder, LengthDecoder, type BodyDecoder } from './body-decoder.ts'
import { type ConnectionOwner, drawRequests, type OwnedConnection } from './connection-owner.ts'
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
import type { Peer, TakenConnection } from './exchange.ts'
import type { FieldSection } from './field-section.ts'
import { HandedOver, Taken } from './handed-over.ts'
import { HttpExchange, type ExchangeLine } from './http-exchange.ts'
import { type Lean, READER } from './lean-socket.ts'
import { SHORT_LIMIT_MS } from './live-exchange.ts'
import { peerOf } from './peer.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { IncomingBody, NO_BODY, type BodySource } from './request-body.ts'
import { parseHead, type RequestHead } from './request-parser.ts'
import {
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_KEPT,
  CONTINUE,
  encodeRefusal,
} from './response-encoder.ts'
import { SendBuffer } from './send-buffer.ts'
import { resetOnClose } from './socket-reset.ts'
import { SwitchedLine } from './switched-line.ts'
import type { TrustedProxies } from './trusted-proxy.ts'

type Phase = 'idle' | 'head' | 'gather' | 'open' | 'skip' | 'linger' | 'closed'

// One full read of a socket: of a body that still has so much to come.
const MUCH_BYTES = 65_536
const HEAD_END = Buffer.from('\r\n\r\n')

export class Connection implements OwnedConnection, ExchangeLine, BodySource {
  readonly out: SendBuffer
  readonly #socket: Duplex
  readonly #owner: ConnectionOwner
  readonly #in = new ReceiveBuffer()
  /** Of the request before, while the connection is busy. */
  #lastSection: FieldSection | undefined
  #phase: Phase = 'idle'
  #sinceMs = 0
  #exchange: HttpExchange | undefined
  /** The body of the request at hand, until the last of it has arrived. */
  #decoder: BodyDecoder | undefined
  #body: IncomingBody | undefined
  /** In 'gather': the head that waits for its body. */
  #waitingHead: RequestHead | undefined
  #owesContinue = false
  #closesAfterAnswer = false
  #peerEnded = false
  #isPaused = false
  #isRunning = false
  /** Pipelined requests served in this turn of the loop. */
  #served = 0
  #awaitsTurnEnd = false
  #headsAhead = 0
  /** The exchange at 0 is the last one. Below it there is no limit. */
  #requestsLeft: number
  #peer: Peer | undefined
  #roomWaiters: { resolve: () => void; reject: (reason: unknown) => void }[] | undefined
  #error: unknown = undefined

  /** @param peer  who it is, where somebody in front of us knows better than the socket */
  constructor(socket: Duplex, owner: ConnectionOwner, peer?: Peer) {
    this.#socket = socket
    this.#owner = owner
    this.#peer = peer
    this.#requestsLeft = drawRequests(owner.limits.maxRequestsPerConnection)
    this.out = new SendBuffer(socket)
    // Ours to decide: with the default the stream would answer a FIN by closing under a request at work.
    socket.allowHalfOpen = true
    if (socket instanceof Socket) socket.setNoDelay(true)
    const wired = socket as WiredSocket
    wired[CONNECTION] = wired[READER] = this
    wired.on('data', onData)
    wired.on('end', onEnd)
    wired.on('drain', onDrain)
    wired.on('error', onError)
    wired.on('close', onClose)
    // It comes paused from whoever has read something before us.
    socket.resume()
  }

  get peer(): Peer {
    return (this.#peer ??= peerOf(this.#socket))
  }

  get trustedProxies(): TrustedProxies | undefined {
    return this.#owner.trustedProxies
  }

  get isOpen(): boolean {
    return this.#phase !== 'closed' && this.#phase !== 'linger'
  }

  // Reading

  get expectsMuch(): boolean {
    const decoder = this.#decoder
    return decoder !== undefined && (decoder.remaining === undefined || decoder.remaining >= MUCH_BYTES)
  }

  receivedBorrowed(bytes: Buffer, length: number): void {
    if (this.#in.length > 0 || this.#exchange !== undefined || this.#decoder !== undefined || !this.isOpen)
      return this.received(Buffer.from(bytes.subarray(0, length)))
    this.#in.borrow(bytes, length)
    this.#serveTurn()
    this.#in.own()
  }

  received(chunk: Buffer): void {
    if (!this.isOpen) return
    this.#in.append(chunk)
    if (this.#decoder !== undefined) this.#readBody()
    else if (this.#exchange !== undefined) this.#readAhead(chunk)
    else this.#serveTurn()
  }

  #serveTurn(): void {
    if (!this.#awaitsTurnEnd) this.#served = 0
    this.#run()
  }

  /** Serves what has arrived, until something has to be waited for. */
  #run(): void {
    const { limits } = this.#owner
    this.#isRunning = true
    while (this.#exchange === undefined && this.#decoder === undefined && this.#in.length > 0 && this.isOpen) {
      if (this.#served >= limits.requestsPerTurn) {
        this.#awaitTurnEnd()
        this.#pause()
        break
      }
      // Who asks and asks and does not read the answers would have us keep them all: `drained` goes on.
      if (this.#socket.writableNeedDrain) {
        this.#pause()
        break
      }
      let head: RequestHead | undefined
      try {
        head = parseHead(this.#in, limits, this.#lastSection)
      } catch (error) {
        this.#refuse(error as ProtocolError)
        break
      }
      if (head === undefined) {
        if (this.#phase !== 'head') this.#enter('head')
        break
      }
      this.#served++
      this.#lastSection = head.section
      if (head.kind === 'none') this.#open(head)
      else this.#expectBody(head)
    }
    this.#isRunning = false
    // A cut head, or nothing: what is whole is still answered.
    const isOver = this.#phase === 'head' || (this.#phase === 'idle' && this.#in.length === 0)
    if (this.#peerEnded && isOver) this.#shutDown()
    else this.#settle()
  }

  /** Sends what is ready: at once, or at the end of the turn when more answers are about to be joined to it. */
  #settle(): void {
    if (this.#awaitsTurnEnd || this.out.isEmpty) return
    if (this.#exchange !== undefined && this.#served > 1) this.#awaitTurnEnd()
    else this.out.flush()
  }

  #awaitTurnEnd(): void {
    if (this.#awaitsTurnEnd) return
    this.#awaitsTurnEnd = true
    setImmediate(endTurn, this)
  }

  turnEnded(): void {
    this.#awaitsTurnEnd = false
    this.#served = 0
    if (this.#phase === 'closed') return
    this.out.flush()
    this.serveOn()
  }

  /** Serves what was pipelined behind the request that has just been answered. */
  serveOn(): void {
    if (this.#exchange !== undefined || this.#decoder !== undefined || !this.isOpen) return
    if (this.#in.length > 0) this.#run()
    if (this.#decoder === undefined && (this.#in.length === 0 || this.#phase === 'head')) this.#resume()
  }

  #readAhead(chunk: Buffer): void {
    const { maxReadAhead, maxReadAheadBytes } = this.#owner.limits
    for (
      let at = chunk.indexOf(HEAD_END);
      at >= 0 && this.#headsAhead < maxReadAhead;
      at = chunk.indexOf(HEAD_END, at + 4)
    )
      this.#headsAhead++
    if (this.#headsAhead >= maxReadAhead || this.#in.length >= maxReadAheadBytes) this.#pause()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  #resume(): void {
    this.#headsAhead = 0
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    this.#sinceMs = 0
  }

  // The body of a request

  #expectBody(head: RequestHead): void {
    const { limits } = this.#owner
    const isChunked = head.kind === 'chunked'
    // Pieces of it are handed out as they lie here.
    this.#in.own()
    this.#body = new IncomingBody(this, head.kind, isChunked ? undefined : head.contentLength, limits.maxBodyBytes)
    this.#decoder = isChunked ? new ChunkedDecoder(limits) : new LengthDecoder(head.contentLength)
    this.#owesContinue = head.expectsContinue && this.#in.length === 0
    if (!this.#decode()) return
    // The end came while an earlier request was being answered: the rest of this one never will.
    if (this.#decoder !== undefined && this.#peerEnded) return this.#shutDown()
    const isSmall = isChunked ? this.#body.received < limits.gatherBytes : head.contentLength <= limits.gatherBytes
    if (this.#decoder !== undefined && isSmall && !this.#owesContinue) {
      this.#waitingHead = head
      this.#phase = 'gather'
      this.#sinceMs = performance.now()
      this.#owner.hurry(this)
      // Enough was read ahead, perhaps; what is waited for is more.
      this.#resume()
    } else this.#open(head)
  }

  #readBody(): void {
    this.#owesContinue = false
    if (!this.#decode()) return
    if (this.#phase === 'gather') {
      if (this.#decoder === undefined || this.#body!.received >= this.#owner.limits.gatherBytes) this.#endGather()
    } else if (this.#phase === 'skip') {
      if (this.#decoder === undefined) this.#next()
    } else if (this.#decoder !== undefined && this.#body!.isFull) this.#pause()
    else if (this.#decoder === undefined && this.#in.length > 0)
      this.#readAhead(this.#in.bytes.subarray(this.#in.start))
  }

  /** @returns false when the body was broken and the request is refused */
  #decode(): boolean {
    try {
      if (this.#decoder!.decode(this.#in, this.#body!)) {
        this.#decoder = undefined
        this.#body!.finish()
      }
      return true
    } catch (error) {
      this.#refuse(error as ProtocolError)
      return false
    }
  }

  #endGather(): void {
    const head = this.#waitingHead!
    this.#waitingHead = undefined
    this.#open(head)
    if (!this.#isRunning) this.#settle()
  }

  readOn(): void {
    if (this.#decoder === undefined || !this.isOpen) return
    if (this.#owesContinue) {
      this.#owesContinue = false
      this.out.latin1(CONTINUE)
      this.flushSoon()
    }
    this.#resume()
  }

  // The exchange

  #open(head: RequestHead): void {
    const body = head.kind === 'none' ? NO_BODY : this.#body!
    const exchange = new HttpExchange(this, head, body, performance.now())
    this.#exchange = exchange
    this.#closesAfterAnswer = false
    this.#requestsLeft--
    this.#enter('open')
    this.#owner.began()
    if (this.#peerEnded && this.#owner.halfClose === 'abort') exchange.abort(clientGone(this.#error))
    try {
      const promise = this.#owner.handler(exchange)
      if (promise !== undefined) promise.then(undefined, (error: unknown) => exchange.failed(error))
    } catch (error) {
      exchange.failed(error)
    }
  }

  connectionField(exchange: HttpExchange, canBeDelimited: boolean): string {
    const { head } = exchange
    const isKept =
      head.keepsAlive &&
      canBeDelimited &&
      !this.#owner.isDraining &&
      this.#requestsLeft !== 0 &&
      (this.#decoder === undefined || this.#canSkip()) &&
      !(this.#peerEnded && this.#in.length === 0)
    this.#closesAfterAnswer = !isKept
    if (!isKept) return CONNECTION_CLOSE
    return head.minorVersion > 0 ? CONNECTION_KEPT : CONNECTION_KEEP_ALIVE
  }

  /** A client that was not told to continue may send the body or not: then nobody knows where the next request starts. */
  #canSkip(): boolean {
    const remaining = this.#decoder?.remaining
    return !this.#owesContinue && remaining !== undefined && remaining <= this.#owner.limits.maxReadAheadBytes
  }

  finished(exchange: HttpExchange): void {
    if (this.#exchange !== exchange) return
    const body = this.#body
    this.#conclude(exchange)
    if (this.#decoder !== undefined) {
      body!.fail(bodyAborted())
      body!.drop()
      if (this.#closesAfterAnswer || !this.#canSkip()) this.#shutDown()
      else {
        this.#body = body
        this.#enter('skip')
        this.#resume()
      }
    } else if (this.#closesAfterAnswer || exchange.isLast) this.#part(exchange.head)
    else this.#next()
    if (!this.#isRunning) this.#settle()
  }

  /** The exchange is over, however it ended. */
  #conclude(exchange: HttpExchange): void {
    this.#exchange = undefined
    if (this.#body !== undefined) {
      exchange.record.bytesIn = this.#body.received
      this.#body = undefined
    }
    this.#owner.ended(exchange)
  }

  /** Ready for the next request, which may be here already. */
  #next(): void {
    this.#body = undefined
    this.#enter('idle')
    if (this.#isRunning) return
    if (this.#in.length > 0) {
      if (!this.out.isEmpty) this.#awaitTurnEnd()
      // Not from within the handler that is just answering: what it does after `send` belongs before the next request.
      process.nextTick(serveOn, this)
    } else if (this.#peerEnded) this.#shutDown()
    else this.#resume()
  }

  flushSoon(): void {
    if (!this.#isRunning) this.#awaitTurnEnd()
  }

  roomAgain(): Promise<void> {
    if (!this.isOpen) return Promise.reject(this.#goneReason())
    this.out.flush()
    if (!this.#socket.writableNeedDrain) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    ;(this.#roomWaiters ??= []).push({ resolve, reject })
    return promise
  }

  drained(): void {
    const waiters = this.#roomWaiters
    this.#roomWaiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.resolve()
    if (this.#isPaused) this.serveOn()
  }

  hurry(): void {
    this.#owner.hurry(this)
  }

  report(error: unknown, exchange: HttpExchange): void {
    this.#owner.failed(error, exchange)
  }

  get isDraining(): boolean {
    return this.#owner.isDraining
  }

  /** Another protocol takes over. Nothing that has arrived is lost, and nothing that comes is read here. */
  handOver(exchange: HttpExchange): TakenConnection | undefined {
    if (this.#exchange !== exchange || this.#peerEnded) return undefined
    // It goes on from the same socket: what has been answered here goes first.
    this.out.flush()
    const taken = new Taken(this.#socket, this.#in.bytes.subarray(this.#in.start, this.#in.end), exchange)
    this.#in.clear()
    exchange.switched(new SwitchedLine(this.#socket, this.#peer, this.trustedProxies))
    this.#conclude(exchange)
    this.#enter('closed')
    this.#lastSection = undefined
    const wired = this.#socket as Duplex & Lean & { [CONNECTION]?: Connection | undefined }
    // Not deleted: an object that has lost a property is kept as a table, which is larger and slower by far.
    wired[READER] = wired[CONNECTION] = undefined
    wired.off('data', onData).off('end', onEnd).off('drain', onDrain).off('error', onError).off('close', onClose)
    this.#owner.handedOver(this, new HandedOver(wired, this.#owner))
    this.#resume()
    return taken
  }

  // The end

  /** The peer broke the protocol: one answer, and not one more byte is parsed. */
  #refuse(error: ProtocolError, bodyError: unknown = error): void {
    this.#owner.refused(error)
    const exchange = this.#exchange
    this.#body?.fail(bodyError)
    if (exchange === undefined) {
      // While skipping, the request has its answer already.
      if (this.#phase !== 'skip') this.out.latin1(encodeRefusal(error))
    } else if (exchange.answered) return this.cut(exchange, error)
    else {
      exchange.overrule(error.status, error)
      this.out.latin1(encodeRefusal(error))
      this.#conclude(exchange)
    }
    this.#shutDown()
  }

  /** Behind the last answer. A client that asked for the end sends no more (RFC 9112 §9.6): nothing is waited for, as in nginx. */
  #part({ kind, section, minorVersion }: RequestHead): void {
    const isAsked = section.asksClose || (minorVersion === 0 && !section.asksKeepAlive)
    // Old clients send an empty line behind a body.
    if (!isAsked || kind !== 'none' || this.#in.length > 0) return this.#shutDown()
    this.out.flush()
    // The kernel has it all: it sends the end behind it.
    if (this.out.isDirect && this.out.onItsWay === 0) {
      this.#enter('linger')
      this.#socket.destroy()
    } else this.#shutDown()
  }

  /** Closes our side, once everything is out, and reads on for a while. */
  #shutDown(): void {
    this.#enter('linger')
    this.#waitingHead = undefined
    this.#decoder = undefined
    this.#body = undefined
    this.#in.clear()
    this.out.flush()
    this.#socket.end()
    this.#resume()
  }

  cut(exchange: HttpExchange, reason: unknown): void {
    if (this.#exchange !== exchange) return
    exchange.record.error ??= reason
    this.#error ??= reason
    this.#lose(exchange, answerCut(reason))
    // Nothing of this answer is out: what waits are whole answers to the requests before it, and a FIN behind them says no more than
    // that this one has none. A reset could overtake them.
    if (exchange.record.status === 0 && (!this.out.isEmpty || this.out.onItsWay > 0)) this.#shutDown()
    else this.#abandon(true)
  }

  /** Nothing to do: each answer from now on says `Connection: close`. */
  leave(): void {}

  part(): boolean {
    if (this.#requestsLeft === 0 || this.#requestsLeft === 1) return false
    this.#requestsLeft = 1
    return true
  }

  /** Now, whatever is under way. */
  destroy(reason: ConnectionError): void {
    if (this.#phase === 'closed') return
    this.#error ??= reason
    const isMidAnswer = this.#exchange !== undefined || this.out.onItsWay > 0
    if (this.#exchange !== undefined) this.#lose(this.#exchange, this.#goneReason())
    this.#abandon(isMidAnswer)
  }

  #abandon(isMidAnswer: boolean): void {
    this.#enter('linger')
    // A FIN could pass for the end of a body that the connection delimits. To an idle client it is the kinder of the two.
    if (isMidAnswer) resetOnClose(this.#socket)
    // Whole answers may wait in front of the one that is cut: they go to the kernel before the end does.
    this.out.flush()
    this.#socket.destroy()
  }

  #lose(exchange: HttpExchange, reason: unknown): void {
    this.#body?.fail(bodyAborted(reason))
    exchange.record.error ??= reason
    this.#conclude(exchange)
    exchange.lose(reason)
  }

  #goneReason(): unknown {
    return this.#error instanceof ConnectionError ? this.#error : clientGone(this.#error)
  }

  peerEnded(): void {
    this.#peerEnded = true
    switch (this.#phase) {
      case 'open':
        if (this.#decoder !== undefined) {
          // The rest of the body will never come; the answer may still be wanted.
          this.#decoder = undefined
          this.#in.clear()
          this.#body!.fail(bodyAborted(clientGone(undefined)))
        }
        if (this.#owner.halfClose === 'abort') this.#exchange!.abort(clientGone(undefined))
        break
      case 'idle':
        if (this.#in.length > 0) break
        this.#shutDown()
        break
      case 'head':
      case 'gather':
      case 'skip':
        this.#shutDown()
        break
    }
  }

  errored(error: unknown): void {
    this.#error ??= error
  }

  closed(): void {
    if (this.#phase === 'closed') return
    this.#enter('closed')
    // Most connections end with nobody left to tell why: an error and its stack are not made for them.
    const isAwaited = this.#exchange !== undefined || this.#body !== undefined || this.#roomWaiters !== undefined
    if (isAwaited) this.#tellWhoWaits(this.#goneReason())
    this.#decoder = undefined
    this.#lastSection = undefined
    this.#in.clear()
    this.#owner.closed(this)
  }

  #tellWhoWaits(reason: unknown): void {
    if (this.#exchange !== undefined) this.#lose(this.#exchange, reason)
    this.#body?.fail(bodyAborted(reason))
    const waiters = this.#roomWaiters
    this.#roomWaiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.reject(reason)
  }

  // Time

  /** @param elapsedMs  since the last sweep */
  sweep(nowMs: number, elapsedMs: number): void {
    const { limits } = this.#owner
    const progress = this.out.progress(nowMs, limits)
    if (progress === 'stalled') {
      this.destroy(clientStalled())
      return
    }
    if (this.#sinceMs === 0) this.#sinceMs = nowMs
    const ageMs = nowMs - this.#sinceMs
    switch (this.#phase) {
      case 'idle':
        // An answer on its way is not idleness.
        if (progress === 'moving') this.#sinceMs = nowMs
        else if (ageMs >= limits.keepAliveTimeoutMs && this.#in.length === 0) this.#shutDown()
        // What is idle for longer than a sweep may be idle for long: it keeps no more than it must.
        else if (ageMs > 0) this.#lastSection = undefined
        break
      case 'head':
        if (ageMs < limits.headTimeoutMs) break
        // No more than the empty line that old clients send behind a body: that is an idle connection, and no request to answer.
        if (this.#in.length <= 2) this.#shutDown()
        else this.#refuse(protocolError('HTTP_HEAD_TIMEOUT'))
        break
      case 'gather':
        this.look(nowMs)
        break
      case 'open':
        this.#exchange!.checkTime(nowMs)
        if (this.#body?.isAwaited) this.#checkRate(this.#body, elapsedMs)
        break
      case 'skip':
        this.#checkRate(this.#body!, elapsedMs)
        break
      case 'linger':
        if (!this.#socket.writableFinished) this.#sinceMs = nowMs
        // The stamp is up to a sweep late and the next look a sweep away: cut early rather than late.
        else if (ageMs >= limits.lingerMs - 2 * elapsedMs) this.#socket.destroy()
        break
    }
  }

  #checkRate(body: IncomingBody, elapsedMs: number): void {
    const { minRateGraceMs, bodyMinBytesPerSecond } = this.#owner.limits
    if (this.#decoder === undefined || this.#isPaused) return
    body.readingMs += elapsedMs
    if (body.readingMs <= minRateGraceMs || body.received * 1000 >= bodyMinBytesPerSecond * body.readingMs) return
    this.#refuse(protocolError('HTTP_BODY_TOO_SLOW'), bodyTooSlow())
  }

  /** @returns true when it must be looked at again soon */
  look(nowMs: number): boolean {
    if (this.#phase === 'gather' && nowMs - this.#sinceMs >= this.#owner.limits.gatherMs) this.#endGather()
    else this.#exchange?.checkTime(nowMs)
    return (
      this.#phase === 'gather' || (this.#exchange !== undefined && this.#exchange.limitAtMs - nowMs < SHORT_LIMIT_MS)
    )
  }
}

// Listeners are shared by all connections: five closures each would be half of what an idle connection costs.

const CONNECTION = Symbol('connection')

interface WiredSocket extends Duplex, Lean {
  [CONNECTION]: Connection
}

function onData(this: WiredSocket, chunk: Buffer): void {
  this[CONNECTION].received(chunk)
}

function onEnd(this: WiredSocket): void {
  this[CONNECTION].peerEnded()
}

function onDrain(this: WiredSocket): void {
  this[CONNECTION].drained()
}

function onError(this: WiredSocket, error: Error): void {
  this[CONNECTION].errored(error)
}

function onClose(this: WiredSocket): void {
  this[CONNECTION].closed()
}

function endTurn(connection: Connection): void {
  connection.turnEnded()
}

function serveOn(connection: Connection): void {
  connection.serveOn()
}
