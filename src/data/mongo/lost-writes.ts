// Ends operations that the driver has lost: those that it wrote to a connection which had ended a moment before.
//
// mongodb 7.9, cmap/connection.ts, writeCommand: when `socket.write` says that its buffer is full, the driver waits for 'drain' or 'error'. A socket
// that is destroyed already says so too, and neither comes: the operation hangs until its signal ends it, for ever without one. It happens to
// the first operations after a server was killed. So while operations run, their connections are looked at: one that has been closed for
// a whole round and is still lent out gets the 'error' that its operation waits for.
import type { MongoClient } from 'mongodb'

const ROUND_MS = 100

/** What we read of the driver's insides. All of it may be missing in another version: then nothing is found. */
interface Lent {
  readonly closed?: boolean
  readonly error?: Error | null
  readonly socket?: { emit(name: 'error', error: Error): unknown }
}
interface Insides {
  readonly topology?: {
    readonly s?: {
      readonly servers?: ReadonlyMap<string, { readonly pool?: { readonly checkedOut?: Iterable<Lent> } }>
    }
  }
}

export class LostWrites {
  readonly #client: Insides
  readonly #isBusy: () => boolean
  #closedBefore = new Set<Lent>()
  #timer: NodeJS.Timeout | undefined

  /** @param isBusy  whether there is an operation to look after */
  constructor(client: MongoClient, isBusy: () => boolean) {
    this.#client = client as unknown as Insides
    this.#isBusy = isBusy
  }

  /** Cheap when called again; it ends by itself when nothing is left to do. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), ROUND_MS).unref()
  }

  #look(): void {
    if (!this.#isBusy()) {
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#closedBefore.clear()
      return
    }
    const closed = new Set<Lent>()
    for (const { pool } of this.#client.topology?.s?.servers?.values() ?? [])
      for (const connection of pool?.checkedOut ?? []) if (connection.closed === true) closed.add(connection)
    for (const connection of closed)
      if (this.#closedBefore.has(connection)) {
        closed.delete(connection)
        const cause = connection.error
        connection.socket?.emit(
          'error',
          Object.assign(new Error(cause?.message ?? 'connection closed'), { code: 'ECONNRESET' }),
        )
      }
    this.#closedBefore = closed
  }
}
