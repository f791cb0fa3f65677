// COPY ... FROM STDIN: bytes into a table, taken from their source no faster than the server takes them.
//
// The ways it ends: the source ends -> CopyDone -> the server says how many rows; the source throws, or the signal aborts -> CopyFail -> the
// server undoes the copy; the server refuses a row -> the source is told (`return`). After each the connection is as good as before.
import type { Connection, Ended } from './connection.ts'
import { misuse } from './errors.ts'
import type { Wire } from './statement.ts'

/** What can be copied: an iterable of bytes or text, cut anywhere; a request's body, a file's stream, `copyText(rows)`. */
export type CopySource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/**
 * Runs a COPY ... FROM STDIN.
 *
 * @returns how many rows were copied
 * @throws what the source throws; the typed errors of errors.ts; the signal's reason
 */
export async function copyIn(
  connection: Connection,
  text: string,
  source: CopySource,
  signal: AbortSignal | undefined,
  check?: () => void,
): Promise<number> {
  let query: CopyInQuery | undefined
  const onAbort = (): void => query?.stop('aborted')
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const make = (ended: Ended<number>) => (query = new CopyInQuery(text, source, ended))
    return await connection.perform<number>(text, make, signal, check)
  } catch (error) {
    throw query?.failure ? query.failure.error : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

// One message may be 1 GiB; a megabyte keeps pg's writer, which grows to its longest message, small.
const MESSAGE_BYTES = 1024 * 1024

class CopyInQuery {
  readonly callback: Ended<number>
  readonly text: string
  readonly #iterator: AsyncIterator<Uint8Array | string> | Iterator<Uint8Array | string>
  #wire: Wire | undefined
  #state: 'waiting' | 'copying' | 'sent' = 'waiting'
  #tag = ''
  /** What the source threw, or what was wrong with it. */
  failure: { readonly error: unknown } | undefined
  /** Ends the wait for room in the socket. */
  #wake: (() => void) | undefined

  constructor(text: string, source: CopySource, ended: Ended<number>) {
    this.text = text
    this.callback = ended
    this.#iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  }

  submit(wire: Wire): null {
    wire.query(this.text)
    return null
  }

  handleCopyInResponse(wire: Wire): void {
    this.#wire = wire
    if (this.#state !== 'waiting') {
      wire.sendCopyFail('stopped')
      return
    }
    this.#state = 'copying'
    void this.#pump(wire)
  }

  /** Takes no more of the source, and lets the server undo what was copied. */
  stop(why: string): void {
    const wasCopying = this.#state === 'copying'
    if (this.#state === 'sent') return
    this.#leaveSource()
    if (wasCopying) this.#wire!.sendCopyFail(why)
  }

  async #pump(wire: Wire): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#iterator.next()
        if (this.#state !== 'copying') return
        if (done) break
        const bytes = bytesOf(value)
        for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
          wire.sendCopyFromChunk(bytes.subarray(at, at + MESSAGE_BYTES))
          if (wire.stream.writableNeedDrain) await this.#room(wire)
          if (this.#state !== 'copying') return
        }
      }
      this.#state = 'sent'
      wire.endCopyFrom()
    } catch (error) {
      if (this.#state !== 'copying') return
      this.failure = { error }
      this.stop('the source failed')
    }
  }

  #room(wire: Wire): Promise<void> {
    return new Promise(resolve => {
      this.#wake = (): void => {
        wire.stream.off('drain', this.#wake!)
        resolve()
      }
      wire.stream.on('drain', this.#wake)
    })
  }

  #leaveSource(): void {
    this.#state = 'sent'
    this.#wake?.()
    try {
      // Not awaited: a source that hangs would hold the connection.
      const left: unknown = this.#iterator.return?.()
      if (left instanceof Promise) left.catch(() => {})
    } catch {
      // It was not asked for its opinion.
    }
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#tag = message.text
  }

  handleRowDescription(): void {
    this.#notCopyIn()
  }

  handleCopyData(): void {
    this.#notCopyIn()
  }

  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    if (this.#state === 'waiting') this.#notCopyIn()
    this.callback((this.failure?.error as Error | undefined) ?? null, Number(this.#tag.split(' ')[1]) || 0)
  }

  handleError(error: Error): void {
    if (this.#state !== 'sent') this.#leaveSource()
    this.callback(error)
  }

  #notCopyIn(): void {
    this.failure ??= { error: misuse('POSTGRES_NOT_A_COPY', `copyFrom takes COPY ... FROM STDIN, not ${this.text}`) }
  }
}

function bytesOf(value: Uint8Array | string): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw misuse(
    'POSTGRES_BAD_VALUE',
    `copyFrom's source gave ${typeof value}, not bytes or text; rows are made bytes by copyText(rows)`,
  )
}
