// A statement that has not been sent yet: awaiting it sends it and gives its rows.
import type { Out, Schema } from '../../schema/schema.ts'
import { ManyRowsError, NoRowError } from './errors.ts'
import { rowSchema } from './row-schema.ts'
import type { CompiledSql } from './sql.ts'
import type { Result } from './statement.ts'

export interface QueryOptions {
  /** Ends the statement on the server; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Name of the prepared statement. Default: made from the text when a text is seen for the second time. */
  readonly name?: string | undefined
}

export interface SchemaOptions<S extends Schema> extends QueryOptions {
  /** Rows as this holds them; see `Query.as`. */
  readonly schema: S
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
  #sql: CompiledSql
  #options: QueryOptions
  #schema: Schema | undefined
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

  /**
   * Rows as the schema holds them: checked, and decoded (`bigint` and `numeric` columns are numbers or bigints where it says so, moments
   * dates).
   *
   * Then also rejects with RowShapeError.
   */
  as<const S extends Schema>(schema: S): Query<Out<S>> {
    this.#schema = schema
    return this as unknown as Query<Out<S>>
  }

  /**
   * The JSON text of each row's only column, a json or jsonb one, which nobody parses: for `returns: raw(schema)`. SQL's null is JSON's.
   *
   * Then also rejects with UsageError `POSTGRES_NOT_JSON`.
   */
  raw(): Query<string> {
    this.#sql = { ...this.#sql, isRaw: true }
    return this as unknown as Query<string>
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
    return (this.#sent ??= this.#run() as Promise<Result<Row>>)
  }

  #run(): Promise<Result> {
    const result = this.#send(this.#sql, this.#options)
    const schema = this.#schema
    return schema === undefined ? result : result.then(result => decoded(result, schema))
  }
}

async function decoded(result: Result, schema: Schema): Promise<Result> {
  return { ...result, rows: (await rowSchema(schema).decode(result.rows)) as Record<string, unknown>[] }
}

/** As `db.query` has it. */
export function queryOf(
  send: Send,
  text: string,
  values: readonly unknown[],
  options: Partial<SchemaOptions<Schema>>,
): Query<any> {
  const query = new Query(send, { text, values }, options)
  return options.schema === undefined ? query : query.as(options.schema)
}
