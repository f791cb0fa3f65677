// COPY ... TO STDOUT: a table's rows as bytes, read no faster than they are used.
//
// The server sends a message for each row. They are gathered into pieces of 64 KiB, or fewer when the reader waits; while READ_AHEAD_BYTES
// lie here unread the socket is not read, and PostgreSQL waits.
import { anyOf } from '../../core/any-signal.ts'
import type { Connection, Ended } from './connection.ts'
import { copyRowsOf } from './copy-text.ts'
import { misuse } from './errors.ts'
import { LeavableIterator } from './leavable-iterator.ts'
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
  readonly #of: Omit<CopyReadingOptions, 'signal'>
  readonly #signal: AbortSignal | undefined

  /** Use `db.copyTo` or `tx.copyTo`. */
  constructor(of: Omit<CopyReadingOptions, 'signal'>, options: CopyOptions) {
    this.#of = of
    this.#signal = options.signal
  }

  /** The rows of a copy in PostgreSQL's text format (not csv, not binary): their columns as text, null for NULL. */
  rows(): AsyncGenerator<(string | null)[], void, undefined> {
    return copyRowsOf(this)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer, undefined> {
    return new CopyReading({ ...this.#of, signal: this.#signal })
  }
}

interface CopyReadingOptions {
  readonly lend: Lend
  readonly text: string
  readonly signal: AbortSignal | undefined
  /** Throws when the statement must not run any more. */
  readonly check?: () => void
  /** Those that have begun and not ended. */
  readonly begun?: Set<CopyReading>
}

export class CopyReading extends LeavableIterator<Buffer> {
  readonly #of: CopyReadingOptions
  readonly #pieces = new Pieces()
  readonly #abandon = new AbortController()
  #copying: Promise<unknown> | undefined

  constructor(of: CopyReadingOptions) {
    super()
    this.#of = of
  }

  protected override async step(): Promise<IteratorResult<Buffer, undefined>> {
    if (!this.#copying) this.#begin()
    const piece = await this.#pieces.next()
    return piece ? { done: false, value: piece } : this.return()
  }

  #begin(): void {
    const { lend, text, signal, check, begun } = this.#of
    signal?.throwIfAborted()
    const either = anyOf(signal, this.#abandon.signal)
    const make = (ended: Ended<undefined>) => new CopyOutQuery(text, this.#pieces, ended)
    const copying = lend(either, connection => connection.perform<undefined>(text, make, either, check))
    begun?.add(this)
    this.#copying = copying.then(
      () => this.#pieces.end(),
      (error: unknown) => this.#pieces.fail(error),
    )
  }

  /** The connection is back, or on its way, before the loop is left. */
  protected override async leave(): Promise<void> {
    this.#abandon.abort()
    this.#pieces.drop()
    await this.#copying
    this.#of.begun?.delete(this)
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
