// Who is at the other end of a socket.
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Peer } from './exchange.ts'
import { plainAddress } from './ip-address.ts'

export function peerOf(socket: Duplex): Peer {
  const { remoteAddress, remotePort, encrypted, authorized } = socket as Partial<TLSSocket>
  const peer = { address: plainAddress(remoteAddress ?? ''), port: remotePort ?? 0, encrypted: encrypted === true }
  // `authorized` is true only where a certificate was asked for, shown and found to be of a CA that the settings name.
  return authorized === true ? { ...peer, certificate: (socket as TLSSocket).getPeerX509Certificate() } : peer
}
