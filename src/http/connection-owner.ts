// What an engine and its connections, of whatever protocol, know of each other.
import type { ConnectionError, ProtocolError } from './errors.ts'
import type { Handler } from './handler.ts'
import type { Limits } from './limits.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { TrustedProxies } from './trusted-proxy.ts'

/** What all connections of an engine share. */
export interface ConnectionOwner {
  readonly handler: Handler
  readonly limits: Limits
  /** What a client means that closes its sending side: that it is gone, or only that it has said everything. */
  readonly halfClose: 'abort' | 'answer'
  readonly trustedProxies: TrustedProxies | undefined
  /** Connections are not kept after the answers under way. */
  readonly isDraining: boolean
  began(): void
  ended(exchange: LiveExchange): void
  closed(connection: OwnedConnection): void
  /** Another protocol has taken it over; it counts as a connection until it is closed. */
  handedOver(connection: OwnedConnection, as: OwnedConnection): void
  /** Look at this one every 50 ms until it is in a hurry no more. */
  hurry(connection: OwnedConnection): void
  refused(error: ProtocolError): void
  failed(error: unknown, exchange: LiveExchange | undefined): void
}

export interface OwnedConnection {
  /** The engine drains: finish, and tell the peer. */
  leave(): void
  /**
   * Ends politely: the answer to the next request is the last.
   *
   * @returns false where there is no such way, and when it is ending already
   */
  part(): boolean
  /** Now, whatever is under way. */
  destroy(reason: ConnectionError): void
  /** @param elapsedMs  since the last sweep */
  sweep(nowMs: number, elapsedMs: number): void
  /** @returns true when it must be looked at again soon */
  look(nowMs: number): boolean
}

/** Up to a tenth fewer than the limit: connections that were opened together are not closed together. */
export function drawRequests(maxRequestsPerConnection: number): number {
  return maxRequestsPerConnection === 0
    ? -1
    : maxRequestsPerConnection - Math.trunc((maxRequestsPerConnection / 10) * Math.random())
}
