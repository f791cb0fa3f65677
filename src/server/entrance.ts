// From accept(2) to the engine: how many connections may come in, and who each of them is.
//
//   full      more connections than this process may have            > 503, close
//   header    of the PROXY protocol, from trusted proxies alone        > close
//   address   more connections of one client than it may have         > 503, close
//   next      TLS, or the engine
//
// A connection that is refused costs one write. It is read for a moment longer, so that a reset does not overtake the answer; when many
// are at that already, and where TLS would have to come first, it is just closed.
import type { Socket } from 'node:net'
import type { Peer } from '../http/exchange.ts'
import { isIpv4, parseAddress, plainAddress } from '../http/ip-address.ts'
import { prepareHead } from '../http/prepared-head.ts'
import { CONNECTION_CLOSE, encodeHead } from '../http/response-encoder.ts'
import type { TrustedProxies } from '../http/trusted-proxy.ts'
import { readProxyHeader } from './proxy-header.ts'

export interface EntranceOptions {
  readonly maxConnections: number
  /** Infinity: no limit. Trusted proxies and unix sockets have none. */
  readonly maxConnectionsPerAddress: number
  readonly trustedProxies: TrustedProxies | undefined
  /** Each connection of a trusted proxy begins with a header. */
  readonly proxyProtocol: boolean
  readonly headerTimeoutMs: number
  readonly lingerMs: number
  /** What comes next speaks plain HTTP, so that a refusal can be told. */
  readonly isPlain: boolean
  readonly refused: (reason: RefusalReason) => void
}

/** `full`: the cap of the process; `address`: that of one address; `proxy-header`, `tls-handshake`: it came late, broken or not at all. */
export type RefusalReason = 'full' | 'address' | 'proxy-header' | 'tls-handshake'

/**
 * Takes an admitted connection.
 *
 * @param peer  the client that a header of the PROXY protocol named; the socket is paused then, with what came behind the header in it
 */
export type Next = (socket: Socket, peer: Peer | undefined) => void

/** As many as may be told at once why they are refused. They come on top of the cap, and a tenth of it is what that leaves room for. */
const MOST_TOLD = 64

export class Entrance {
  readonly #options: EntranceOptions
  readonly #next: Next
  readonly #mostTold: number
  /** By client, where one may not have as many as it likes. */
  readonly #counts = new Map<string, number>()
  readonly #waiting = new Set<Socket>()
  readonly #told = new Set<Socket>()
  #open = 0

  constructor(options: EntranceOptions, next: Next) {
    this.#options = options
    this.#next = next
    this.#mostTold = Math.min(MOST_TOLD, Math.ceil(options.maxConnections / 10))
  }

  /** Admitted and not closed, those that wait for their header among them. */
  get connections(): number {
    return this.#open
  }

  /** @param socket  as accepted: nothing of it has been read */
  admit(socket: Socket): void {
    // It broke on its way here: not even its close event will come.
    if (socket.destroyed) return
    const { maxConnections, maxConnectionsPerAddress, trustedProxies, proxyProtocol } = this.#options
    if (this.#open >= maxConnections) return this.#refuse(socket, 'full')
    this.#open++
    const visitor = socket as Visitor
    visitor[ENTRANCE] = this
    visitor.on('close', onClose)
    if (trustedProxies?.has(socket.remoteAddress ?? '') === true) {
      if (!proxyProtocol) this.#next(socket, undefined)
      else this.#awaitHeader(visitor)
    } else if (maxConnectionsPerAddress === Infinity || this.#mayCome(visitor, socket.remoteAddress ?? ''))
      this.#next(socket, undefined)
  }

  /** Those that have not been handed on are closed. */
  close(): void {
    for (const socket of [...this.#waiting, ...this.#told]) socket.destroy()
  }

  /** A connection is gone. */
  left(visitor: Visitor): void {
    this.#open--
    const key = visitor[CLIENT]
    if (key === undefined) return
    const count = this.#counts.get(key)! - 1
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
  }

  #awaitHeader(visitor: Visitor): void {
    this.#waiting.add(visitor)
    readProxyHeader(visitor, this.#options.headerTimeoutMs, header => {
      this.#waiting.delete(visitor)
      if (header === undefined) {
        this.#options.refused('proxy-header')
        visitor.on('error', ignore).destroy()
      } else if (header.source === undefined || this.#mayCome(visitor, header.source.address))
        this.#next(visitor, header.source)
    })
  }

  /** Counts it with its client. @returns false when it was refused */
  #mayCome(visitor: Visitor, address: string): boolean {
    const { maxConnectionsPerAddress } = this.#options
    const key = maxConnectionsPerAddress === Infinity ? undefined : clientKey(address)
    if (key === undefined) return true
    const count = this.#counts.get(key) ?? 0
    if (count >= maxConnectionsPerAddress) {
      this.#refuse(visitor, 'address')
      return false
    }
    this.#counts.set(key, count + 1)
    visitor[CLIENT] = key
    return true
  }

  #refuse(socket: Socket, reason: RefusalReason): void {
    this.#options.refused(reason)
    socket.on('error', ignore)
    if (!this.#options.isPlain || this.#told.size >= this.#mostTold) {
      socket.destroy()
      return
    }
    this.#told.add(socket)
    const timer = setTimeout(() => socket.destroy(), this.#options.lingerMs)
    socket.on('close', () => {
      clearTimeout(timer)
      this.#told.delete(socket)
    })
    socket.on('end', () => socket.destroy())
    // What it asks is thrown away.
    socket.resume()
    socket.end(refusal(), 'latin1')
  }
}

/** An address; of IPv6 the first 64 bits, which is what one customer is given at least. */
function clientKey(address: string): string | undefined {
  const plain = plainAddress(address)
  const bytes = parseAddress(plain)
  if (bytes === undefined) return undefined
  return isIpv4(bytes) ? plain : Buffer.from(bytes.buffer, 0, 8).toString('hex')
}

const BUSY = JSON.stringify({
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: 'The server has as many connections as it can serve; try again in a moment.',
})
const BUSY_HEAD = prepareHead(503, ['Content-Type', 'application/problem+json'])

/** Clients that are refused together do not come back together. */
function refusal(): string {
  const seconds = 1 + Math.trunc(3 * Math.random())
  const head = encodeHead(BUSY_HEAD, ['Retry-After', String(seconds)], CONNECTION_CLOSE)
  return `${head}Content-Length: ${BUSY.length}\r\n\r\n${BUSY}`
}

function ignore(): void {}

const ENTRANCE = Symbol('entrance')
const CLIENT = Symbol('client')

interface Visitor extends Socket {
  [ENTRANCE]: Entrance
  [CLIENT]?: string
}

// Shared by all connections, as those in http/connection.ts.
function onClose(this: Visitor): void {
  this[ENTRANCE].left(this)
}
