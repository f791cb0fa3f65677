// A statement that is read as it is used: rows come in batches, the next one only when the last has been taken.
//
// The life of a cursor: nothing until the first row is asked for -> a connection, a read-only transaction and a portal in it -> batch after
// batch -> given back as soon as the last batch is there, or when the loop is left (break, return, throw), or when the signal aborts, even
// if nobody asks for a row any more. In a transaction it reads on the transaction's connection and what is given back is the portal alone.
import { anyOf } from '../../core/any-signal.ts'
import { END, type End, LeavableIterator } from './leavable-iterator.ts'
import type { Portal } from './portal.ts'
import { compileSql, type CompiledSql } from './sql.ts'

/** Where a cursor reads, once somebody asks. */
export interface Reading<Row> {
  readonly portal: Portal<Row>
  /** All rows are read. */
  finish(): Promise<void>
  /** No more rows are wanted; what is still on its way is cancelled. */
  leave(): Promise<void>
}

export interface CursorOptions {
  /** Ends the reading, on the server too; the loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Rows asked for at a time. Default 500. */
  readonly batch?: number | undefined
}

// psycopg's server-side cursors fetch 2,000 at a time, asyncpg's 50. 500 rows of 200 bytes are what a socket's buffers hold.
const ROWS_IN_BATCH = 500

/** ``for await (const row of db.cursor`select ...`)``. Each loop over it sends the statement again. */
export class Cursor<Row> implements AsyncIterable<Row> {
  readonly #open: (signal: AbortSignal | undefined) => Promise<Reading<Row>>
  #options: CursorOptions

  /** Use `db.cursor` or `tx.cursor`. */
  constructor(open: (signal: AbortSignal | undefined) => Promise<Reading<Row>>, options: CursorOptions) {
    this.#open = open
    this.#options = options
  }

  /** Ends the reading when the signal aborts. Nothing given: nothing changes. */
  signal(signal: AbortSignal | undefined): this {
    if (signal) this.#options = { ...this.#options, signal: anyOf(this.#options.signal, signal) }
    return this
  }

  /** @param rows  asked for at a time; default 500 */
  batch(rows: number): this {
    this.#options = { ...this.#options, batch: rows }
    return this
  }

  /** The same rows, in arrays as they arrive; no array is empty. */
  batches(): AsyncIterableIterator<Row[], undefined> {
    return new BatchIterator<Row>(this.#open, this.#options.batch ?? ROWS_IN_BATCH, this.#options.signal)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Row, undefined> {
    return new RowIterator<Row>(this.batches(), this.#options.signal)
  }
}

/** @returns what `cursor` was called with, as a template or as a text with its values */
export function cursorStatement(
  first: TemplateStringsArray | string,
  rest: readonly unknown[],
): { readonly sql: CompiledSql; readonly options: CursorOptions } {
  if (typeof first !== 'string') return { sql: compileSql(first, rest), options: {} }
  const [values = [], options = {}] = rest as [values?: readonly unknown[], options?: CursorOptions]
  return { sql: { text: first, values }, options }
}

class RowIterator<Row> implements AsyncIterableIterator<Row, undefined> {
  readonly #batches: AsyncIterableIterator<Row[], undefined>
  readonly #signal: AbortSignal | undefined
  #rows: Row[] = []
  #at = 0
  /** Shared by callers that do not wait for each other. */
  #refilling: Promise<boolean> | undefined

  constructor(batches: AsyncIterableIterator<Row[], undefined>, signal: AbortSignal | undefined) {
    this.#batches = batches
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Row, undefined>> {
    // Rows that are here already are not worth more than the signal's word.
    if (this.#signal?.aborted) this.#rows = []
    if (this.#at < this.#rows.length) return Promise.resolve({ done: false, value: this.#rows[this.#at++]! })
    return (this.#refilling ??= this.#refill()).then(hasRows => (hasRows ? this.next() : END))
  }

  async return(): Promise<End> {
    this.#rows = []
    await this.#batches.return!()
    return END
  }

  async #refill(): Promise<boolean> {
    try {
      const batch = await this.#batches.next()
      if (batch.done) return false
      this.#rows = batch.value
      this.#at = 0
      return true
    } finally {
      this.#refilling = undefined
    }
  }
}

class BatchIterator<Row> extends LeavableIterator<Row[]> {
  readonly #open: (signal: AbortSignal | undefined) => Promise<Reading<Row>>
  readonly #size: number
  readonly #signal: AbortSignal | undefined
  #reading: Promise<Reading<Row>> | undefined
  #leaving: Promise<void> | undefined

  constructor(
    open: (signal: AbortSignal | undefined) => Promise<Reading<Row>>,
    size: number,
    signal: AbortSignal | undefined,
  ) {
    super()
    this.#open = open
    this.#size = size
    this.#signal = signal
  }

  protected override async step(): Promise<IteratorResult<Row[], undefined>> {
    this.#signal?.throwIfAborted()
    const { portal } = await (this.#reading ??= this.#begin())
    const { rows, isLast } = await portal.fetch(this.#size, this.#signal)
    if (isLast) await this.#finish()
    return rows.length > 0 ? { done: false, value: rows } : END
  }

  async #begin(): Promise<Reading<Row>> {
    const reading = await this.#open(this.#signal)
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
    return reading
  }

  async #finish(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    const reading = await this.#reading!
    await (this.#leaving ??= reading.finish())
    this.isEnded = true
  }

  protected override leave(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    return (this.#leaving ??= this.#end())
  }

  async #end(): Promise<void> {
    // What failed to open has nothing to be left.
    const reading = await this.#reading?.catch(() => undefined)
    await reading?.leave()
  }

  readonly #onAbort = (): void => void this.leave()
}
