// Many connections, one handler: takes sockets, sweeps their time-outs, and drains.
import type { Duplex } from 'node:stream'
import type { RequestRecord } from '../core/request-record.ts'
import { Connection } from './connection.ts'
import type { ConnectionOwner, OwnedConnection } from './connection-owner.ts'
import { ConnectionError, type ProtocolError } from './errors.ts'
import type { Peer } from './exchange.ts'
import type { Handler } from './handler.ts'
import { expireDate } from './http-date.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import type { LiveExchange } from './live-exchange.ts'
import { SlicedWalk } from './sliced-walk.ts'
import type { TrustedProxies } from './trusted-proxy.ts'

export interface EngineOptions {
  /** What is not given has its default. */
  readonly limits?: Partial<Limits>
  /**
   * What a FIN with a request open means. 'abort' (default): the client is gone, `signal` aborts; an answer that the handler gives
   * all the same is sent. 'answer': the client has only said everything it has to say.
   */
  readonly halfClose?: 'abort' | 'answer'
  /** Proxies that may say who the client is. Default none. */
  readonly trustedProxies?: TrustedProxies | undefined
  /** Each exchange once, when its answer is handed over whole or can never be. The record is not changed afterwards. */
  readonly onFinished?: (record: RequestRecord) => void
  /** What a handler threw, rejected with, or did wrong: never the client's fault. */
  readonly onError?: (error: unknown, record?: RequestRecord) => void
  /** A request that never became an exchange, or lost it, because it broke the protocol. */
  readonly onRefused?: (error: ProtocolError) => void
}

// 250 ms: within the "at least once a second" that is promised, and a walk over 10,000 connections takes well under a millisecond.
const SWEEP_MS = 250
/** For limits under two seconds and bodies that are waited for. */
const LOOK_MS = 50

export class Engine implements ConnectionOwner {
  readonly handler: Handler
  readonly limits: Limits
  readonly halfClose: 'abort' | 'answer'
  readonly trustedProxies: TrustedProxies | undefined
  readonly #options: EngineOptions
  readonly #open = new Set<OwnedConnection>()
  readonly #hurried = new Set<OwnedConnection>()
  /** Among the open ones: those that speak another protocol. */
  readonly #handedOver = new Set<OwnedConnection>()
  readonly #sweepEveryMs: number
  #sweeper: NodeJS.Timeout | undefined
  #looker: NodeJS.Timeout | undefined
  readonly #sweeping = new SlicedWalk((connection: OwnedConnection, nowMs: number, elapsedMs: number) =>
    connection.sweep(nowMs, elapsedMs),
  )
  readonly #looking = new SlicedWalk((connection: OwnedConnection, nowMs: number) => {
    if (!connection.look(nowMs)) this.#hurried.delete(connection)
  })
  #sweptMs = 0
  #isLate = false
  #inflight = 0
  #isDraining = false
  #emptied: (() => void)[] = []
  #hungUp: (() => void)[] = []

  constructor(handler: Handler, options: EngineOptions = {}) {
    this.handler = handler
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.halfClose = options.halfClose ?? 'abort'
    this.trustedProxies = options.trustedProxies
    this.#options = options
    const { headTimeoutMs, keepAliveTimeoutMs, writeStallMs, minRateGraceMs, lingerMs } = this.limits
    const shortestMs = Math.min(headTimeoutMs, keepAliveTimeoutMs, writeStallMs, minRateGraceMs, lingerMs)
    this.#sweepEveryMs = Math.max(10, Math.min(SWEEP_MS, shortestMs / 4))
  }

  get connections(): number {
    return this.#open.size
  }

  /** Connections that speak another protocol. */
  get handedOverCount(): number {
    return this.#handedOver.size
  }

  /** Exchanges whose answer is not complete. */
  get inflight(): number {
    return this.#inflight
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /**
   * Serves one connection: a net.Socket, a TLSSocket, or any Duplex of bytes. Reading starts at once.
   *
   * @param peer  who it is, as a PROXY protocol header tells; default: what the socket says
   */
  accept(socket: Duplex, peer?: Peer): void {
    // It broke on its way here: nothing will come of it, not even its close event.
    if (socket.destroyed) return
    this.take(new Connection(socket, this, peer))
  }

  /** Serves one connection that is made already, of whatever protocol: accept-http2.ts. */
  take(connection: OwnedConnection): void {
    this.#open.add(connection)
    if (this.#sweeper === undefined) {
      // Nobody has looked at it since the last connection went.
      expireDate()
      this.#sweptMs = performance.now()
      this.#sweeper = setInterval(() => this.#sweep(), this.#sweepEveryMs).unref()
    }
  }

  /**
   * No more keep-alive: each answer from now on says `Connection: close`. An idle connection stays until its time-out, because a
   * request may be on its way already and closing would lose it. In HTTP/2 GOAWAY says it; what speaks another
   * protocol is told by who has it.
   *
   * @returns resolves when all connections are gone; after `graceMs` the rest is destroyed
   */
  drain(graceMs: number): Promise<void> {
    if (!this.#isDraining) {
      this.#isDraining = true
      for (const connection of this.#open) connection.leave()
    }
    if (this.#open.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(() => this.close(), graceMs)
    this.#emptied.push(() => {
      clearTimeout(timer)
      resolve()
    })
    return promise
  }

  /**
   * Ends up to `count` kept connections with the answer to their next request, those open longest first; for a balance between processes.
   *
   * @returns how many
   */
  part(count: number): number {
    let parted = 0
    for (const connection of this.#open) {
      if (parted >= count) break
      if (connection.part()) parted++
    }
    return parted
  }

  /** @returns resolves when nothing speaks another protocol any more, and after `graceMs` at the latest */
  handedOverGone(graceMs: number): Promise<void> {
    if (this.#handedOver.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, graceMs)
    this.#hungUp.push(() => {
      clearTimeout(timer)
      resolve()
    })
    return promise
  }

  /** Destroys every connection now. */
  close(): void {
    this.#isDraining = true
    for (const connection of [...this.#open])
      connection.destroy(new ConnectionError('HTTP_CONNECTION_CLOSED', 'the server closed the connection'))
  }

  #sweep(): void {
    if (this.#sweeping.isUnderWay) return
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.#sweptMs
    this.#sweptMs = nowMs
    expireDate()
    // The loop was held up: what clients sent meanwhile is still in the kernel. Read it, once, before blaming them.
    this.#isLate = !this.#isLate && elapsedMs > 4 * this.#sweepEveryMs
    if (this.#isLate) return
    this.#sweeping.start(this.#open, nowMs, elapsedMs)
  }

  #look(): void {
    if (this.#looking.isUnderWay) return
    this.#looking.start(this.#hurried, performance.now())
    if (this.#hurried.size > 0) return
    clearInterval(this.#looker)
    this.#looker = undefined
  }

  // What connections tell

  began(): void {
    this.#inflight++
  }

  ended(exchange: LiveExchange): void {
    this.#inflight--
    this.#options.onFinished?.(exchange.record)
  }

  handedOver(connection: OwnedConnection, as: OwnedConnection): void {
    this.#open.delete(connection)
    this.#hurried.delete(connection)
    this.#open.add(as)
    this.#handedOver.add(as)
  }

  closed(connection: OwnedConnection): void {
    this.#open.delete(connection)
    this.#hurried.delete(connection)
    if (this.#handedOver.delete(connection) && this.#handedOver.size === 0)
      for (const resolve of this.#hungUp.splice(0)) resolve()
    if (this.#open.size > 0) return
    this.#sweeping.stop()
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    for (const resolve of this.#emptied.splice(0)) resolve()
  }

  hurry(connection: OwnedConnection): void {
    this.#hurried.add(connection)
    this.#looker ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  refused(error: ProtocolError): void {
    this.#options.onRefused?.(error)
  }

  failed(error: unknown, exchange: LiveExchange | undefined): void {
    this.#options.onError?.(error, exchange?.record)
  }
}
