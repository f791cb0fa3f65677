// A connection that another protocol has taken over: the engine counts it, and cuts it at last.
import type { Duplex } from 'node:stream'
import type { ConnectionOwner, OwnedConnection } from './connection-owner.ts'

export class HandedOver implements OwnedConnection {
  readonly #socket: Duplex
  readonly #owner: Pick<ConnectionOwner, 'closed'>

  constructor(socket: Duplex, owner: Pick<ConnectionOwner, 'closed'>) {
    this.#socket = socket
    this.#owner = owner
    const wired = socket as WiredSocket
    wired[HANDED_OVER] = this
    wired.on('close', onClose)
  }

  // Its end, and its time, are the business of who has it.
  leave(): void {}

  sweep(): void {}

  look(): boolean {
    return false
  }

  destroy(): void {
    this.#socket.destroy()
  }

  closed(): void {
    this.#owner.closed(this)
  }
}

const HANDED_OVER = Symbol('handed over')

interface WiredSocket extends Duplex {
  [HANDED_OVER]: HandedOver
}

// Shared by all connections, as those in connection.ts.
function onClose(this: WiredSocket): void {
  this[HANDED_OVER].closed()
}
