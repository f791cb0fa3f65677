// A statement that has not been sent yet: awaiting it sends it and gives its rows.
import { ManyRowsError, NoRowError } from './errors.ts'
import type { CompiledSql } from './sql.ts'
import type { Result } from './statement.ts'

export interface QueryOptions {
  /** Ends the statement on the server; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Name of the prepared statement. Default: made from the text when a text is seen for the second time. */
  readonly name?: string | undefined
}

/** Sends a statement somewhere: through a pool, or through one transaction. */
export type Send = (sql: CompiledSql, options: QueryOptions) => Promise<Result>

/**
 * ``await db.sql`...` `` gives all rows; `.one()`, `.maybe()` and `.count()` ask for less. Sent once, when first awaited or asked.
 *
 * Rejects with the typed errors of errors.ts.
 */
export class Query<Row> implements Promise<Row[]> {
  readonly [Symbol.toStringTag] = 'Query'
  readonly #send: Send
  readonly #sql: CompiledSql
  #options: QueryOptions
  #sent: Promise<Result<Row>> | undefined

  constructor(send: Send, sql: CompiledSql, options: QueryOptions) {
    this.#send = send
    this.#sql = sql
    this.#options = options
  }

  /** Ends the statement when the signal aborts, also while it waits for a connection. Nothing given: nothing changes. */
  signal(signal: AbortSignal | undefined): this {
    if (signal) this.#options = { ...this.#options, signal }
    return this
  }

  /** @throws NoRowError, ManyRowsError */
  async one(): Promise<Row> {
    const row = await this.maybe()
    if (row === null) throw new NoRowError()
    return row
  }

  /** @returns the only row, or null when there is none. @throws ManyRowsError */
  async maybe(): Promise<Row | null> {
    const { rows } = await this.#result()
    if (rows.length > 1) throw new ManyRowsError(rows.length)
    return rows[0] ?? null
  }

  /** @returns how many rows were selected, inserted, changed or removed */
  async count(): Promise<number> {
    return (await this.#result()).count
  }

  then<A = Row[], B = never>(
    onRows?: ((rows: Row[]) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result().then(onRows ? result => onRows(result.rows) : result => result.rows as A, onError)
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Row[] | B> {
    return this.then(null, onError)
  }

  finally(onSettled?: (() => void) | null): Promise<Row[]> {
    return this.then().finally(onSettled)
  }

  #result(): Promise<Result<Row>> {
    return (this.#sent ??= this.#send(this.#sql, this.#options) as Promise<Result<Row>>)
  }
}
