// What is left of a connection to an exchange whose connection speaks another protocol now: who is at the other end. So that the rest of
// what HTTP has kept for it can go.
import type { Duplex } from 'node:stream'
import type { Peer } from './exchange.ts'
import type { ExchangeLine } from './http-exchange.ts'
import { peerOf } from './peer.ts'
import type { SendBuffer } from './send-buffer.ts'
import type { TrustedProxies } from './trusted-proxy.ts'

export class SwitchedLine implements ExchangeLine {
  readonly isOpen = false
  readonly isDraining = true
  readonly trustedProxies: TrustedProxies | undefined
  readonly #socket: Duplex
  #peer: Peer | undefined

  constructor(socket: Duplex, peer: Peer | undefined, trustedProxies: TrustedProxies | undefined) {
    this.#socket = socket
    this.#peer = peer
    this.trustedProxies = trustedProxies
  }

  get peer(): Peer {
    return (this.#peer ??= peerOf(this.#socket))
  }

  // An exchange that is answered asks for nothing of this.

  get out(): SendBuffer {
    throw new Error('the connection speaks another protocol')
  }

  connectionField(): string {
    return ''
  }

  roomAgain(): Promise<void> {
    return Promise.reject(new Error('the connection speaks another protocol'))
  }

  handOver(): undefined {}

  flushSoon(): void {}

  finished(): void {}

  cut(): void {}

  hurry(): void {}

  report(): void {}
}
