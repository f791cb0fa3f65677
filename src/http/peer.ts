// Who is at the other end of a socket.
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Peer } from './exchange.ts'
import { plainAddress } from './ip-address.ts'

export function peerOf(socket: Duplex): Peer {
  const { remoteAddress, remotePort, encrypted } = socket as Partial<Socket> & { encrypted?: boolean }
  return { address: plainAddress(remoteAddress ?? ''), port: remotePort ?? 0, encrypted: encrypted === true }
}
