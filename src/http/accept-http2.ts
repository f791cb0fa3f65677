// HTTP/2 for an engine. Apart from it, so that a server without TLS loads neither: node:tls and node:http2 are 12 MiB of each process.
import type { Duplex } from 'node:stream'
import type { Engine } from './engine.ts'
import type { Peer } from './exchange.ts'
import { Http2Session } from './http2-session.ts'

/**
 * Serves one connection whose client has chosen HTTP/2 (by ALPN, or by prior knowledge). The same handler, limits and events.
 *
 * @param peer  as for `engine.accept`
 */
export function acceptHttp2(engine: Engine, socket: Duplex, peer?: Peer): void {
  if (!socket.destroyed) engine.take(new Http2Session(socket, engine, peer))
}
