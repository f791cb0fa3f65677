// COPY ... TO STDOUT: a table's rows as bytes, read no faster than they are used.
//
// The server sends a message for each row. They are gathered into pieces of 64 KiB, or fewer when the reader waits; while READ_AHEAD_BYTES
// lie here unread the socket is not read, and PostgreSQL waits.
import type { Connection, Ended } from './connection.ts'
import { copyRowsOf } from './copy-text.ts'
import { misuse } from './errors.ts'
import type { Wire } from './statement.ts'

/** Lends a connection to `use`, and takes it back when that has settled. */
export type Lend = <T>(signal: AbortSignal | undefined, use: (connection: Connection) => Promise<T>) => Promise<T>

export interface CopyOptions {
  /** Ends the copy, on the server too. */
  readonly signal?: AbortSignal | undefined
}

const PIECE_BYTES = 64 * 1024
const READ_AHEAD_BYTES = 256 * 1024

/** `for await (const bytes of db.copyTo('copy products to stdout'))`. Each loop over it sends the statement again. */
export class CopyOut implements AsyncIterable<Buffer> {
  readonly #lend: Lend
  readonly #text: string
  readonly #signal: AbortSignal | undefined
  readonly #check: (() => void) | undefined

  /** Use `db.copyTo` or `tx.copyTo`. */
  constructor(lend: Lend, text: string, options: CopyOptions, check?: () => void) {
    this.#lend = lend
    this.#text = text
    this.#signal = options.signal
    this.#check = check
  }

  /** The rows of a copy in PostgreSQL's text format (not csv, not binary): their columns as text, null for NULL. */
  rows(): AsyncGenerator<(string | null)[], void, undefined> {
    return copyRowsOf(this)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    this.#signal?.throwIfAborted()
    const pieces = new Pieces()
    const abandon = new AbortController()
    const signal = this.#signal ? AbortSignal.any([this.#signal, abandon.signal]) : abandon.signal
    const copying = this.#lend(signal, connection =>
      connection.perform<undefined>(
        this.#text,
        ended => new CopyOutQuery(this.#text, pieces, ended),
        signal,
        this.#check,
      ),
    )
    copying.then(
      () => pieces.end(),
      (error: unknown) => pieces.fail(error),
    )
    try {
      for (let piece = await pieces.next(); piece; piece = await pieces.next()) yield piece
    } finally {
      abandon.abort()
      pieces.drop()
      // The connection is back, or on its way, before the loop is left.
      await copying.catch(() => {})
    }
  }
}

/** Bytes between the socket and the reader. */
class Pieces {
  #ready: Buffer[] = []
  #bytes = 0
  /** Being filled, up to `#filled`. */
  #open: Buffer | undefined
  #filled = 0
  #state: 'open' | 'ended' | 'dropped' = 'open'
  #failure: { readonly error: unknown } | undefined
  #wake: (() => void) | undefined
  #wire: Wire | undefined
  #isPaused = false

  /** Copies it: pg's parser writes over its buffer. */
  push(chunk: Buffer, wire: Wire): void {
    if (this.#state === 'dropped') return
    this.#wire = wire
    this.#bytes += chunk.length
    if (chunk.length > PIECE_BYTES) {
      this.#close()
      this.#ready.push(Buffer.from(chunk))
    } else {
      if (this.#open && this.#filled + chunk.length > PIECE_BYTES) this.#close()
      this.#open ??= Buffer.allocUnsafe(PIECE_BYTES)
      chunk.copy(this.#open, this.#filled)
      this.#filled += chunk.length
    }
    if (this.#bytes >= READ_AHEAD_BYTES && !this.#isPaused) {
      this.#isPaused = true
      wire.stream.pause()
    }
    this.#notify()
  }

  end(): void {
    this.#state = 'ended'
    this.#notify()
  }

  fail(error: unknown): void {
    this.#failure = { error }
    this.drop()
    this.#notify()
  }

  /** Nobody reads on: what still comes is thrown away. */
  drop(): void {
    this.#state = 'dropped'
    this.#ready = []
    this.#open = undefined
    this.#resume()
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      // An error cuts at once: who reads on would take a part for the whole.
      if (this.#failure) throw this.#failure.error
      if (this.#ready.length === 0) this.#close()
      const piece = this.#ready.shift()
      if (piece) {
        this.#bytes -= piece.length
        if (this.#bytes < READ_AHEAD_BYTES / 2) this.#resume()
        return piece
      }
      if (this.#state !== 'open') return undefined
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  #close(): void {
    if (this.#open) this.#ready.push(this.#open.subarray(0, this.#filled))
    this.#open = undefined
    this.#filled = 0
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#wire!.stream.resume()
  }

  // At the end of the turn, when all rows of one read are here.
  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    if (wake) setImmediate(wake)
  }
}

class CopyOutQuery {
  readonly callback: Ended<undefined>
  readonly text: string
  readonly #pieces: Pieces
  #failure: Error | undefined
  constructor(text: string, pieces: Pieces, ended: Ended<undefined>) {
    this.text = text
    this.#pieces = pieces
    this.callback = ended
  }

  submit(wire: Wire): null {
    wire.query(this.text)
    return null
  }

  handleCopyData(message: { readonly chunk: Buffer }, wire: Wire): void {
    this.#pieces.push(message.chunk, wire)
  }

  handleCopyInResponse(wire: Wire): void {
    this.#notCopyOut()
    wire.sendCopyFail('copyTo reads')
  }

  handleRowDescription(): void {
    this.#notCopyOut()
  }

  handleCommandComplete(message: { readonly text: string }): void {
    if (!message.text.startsWith('COPY')) this.#notCopyOut()
  }

  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#failure ?? null)
  }

  handleError(error: Error): void {
    this.callback(this.#failure ?? error)
  }

  #notCopyOut(): void {
    this.#failure = misuse('POSTGRES_NOT_A_COPY', `copyTo takes COPY ... TO STDOUT, not ${this.text}`)
  }
}
