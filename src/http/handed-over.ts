// A connection that another protocol has taken over: the engine counts it, and cuts it at last.
import type { Duplex } from 'node:stream'
import type { ConnectionOwner, OwnedConnection } from './connection-owner.ts'
import type { TakenConnection } from './exchange.ts'

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

  part(): boolean {
    return false
  }

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

/** The same, as it is given to who takes over. */
export class Taken implements TakenConnection {
  readonly socket: Duplex
  readonly head: Buffer
  readonly #exchange: Aborted

  constructor(socket: Duplex, unread: Uint8Array, exchange: Aborted) {
    this.socket = socket
    // Nearly always nothing, and of an empty one each has 330 bytes.
    this.head = unread.length === 0 ? NOTHING : Buffer.from(unread)
    this.#exchange = exchange
  }

  abort(reason: unknown): void {
    this.#exchange.abort(reason)
  }
}

interface Aborted {
  abort(reason: unknown): void
}

const NOTHING = Buffer.alloc(0)

const HANDED_OVER = Symbol('handed over')

interface WiredSocket extends Duplex {
  [HANDED_OVER]: HandedOver
}

// Shared by all connections, as those in connection.ts.
function onClose(this: WiredSocket): void {
  this[HANDED_OVER].closed()
}
