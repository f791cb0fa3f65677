// Point lookups of one loop turn, of one request or of all, as one statement: `= any($1)`.
//
// A key that PostgreSQL cannot read ('abc' where a uuid is wanted) fails the whole statement. It is then sent again by halves, until the bad
// keys stand alone: their askers get the error, all others their rows.
import { Batch, type BatchOptions } from '../../cache/batch.ts'
import { misuse, QueryError } from './errors.ts'
import type { Send } from './query.ts'
import { sql as tag, type CompiledSql, type SqlValue } from './sql.ts'

/** A key as callers give it: what the column holds, never null. */
type KeyOf<Row, Column extends keyof Row> = unknown extends Row[Column] ? SqlValue : NonNullable<Row[Column]>

export class Loader<Row extends object> {
  readonly #send: Send
  readonly #sql: CompiledSql
  /** Which of the statement's values the keys are. */
  readonly #place: number

  /** Use `db.loader`. */
  constructor(send: Send, sql: CompiledSql) {
    const place = sql.values.indexOf(tag.keys)
    if (place < 0 || sql.values.includes(tag.keys, place + 1))
      throw misuse(
        'POSTGRES_LOADER_KEYS',
        `a loader's statement holds \${sql.keys} once, as in: where id = any(\${sql.keys}); not so: ${sql.text}`,
      )
    this.#send = send
    this.#sql = sql
    this.#place = place
  }

  /**
   * The row of each key, undefined where there is none; of several rows with one key the last.
   *
   * @param column  of the rows, that the keys are compared with; what it holds is compared as text, so that 7 finds '7'
   */
  byKey<Column extends keyof Row & string>(column: Column, options: BatchOptions = {}): Batch<KeyOf<Row, Column>, Row> {
    return new Batch<KeyOf<Row, Column>, Row>(
      (keys, of) =>
        this.#find(keys, of, rows => {
          const found = new Map<string, Row>()
          for (const row of rows) found.set(String(row[column]), row)
          return key => found.get(key)
        }),
      options,
    )
  }

  /** All rows of each key, in the statement's order; an empty array where there is none. */
  groupBy<Column extends keyof Row & string>(
    column: Column,
    options: BatchOptions = {},
  ): Batch<KeyOf<Row, Column>, Row[], never> {
    return new Batch<KeyOf<Row, Column>, Row[], never>(
      (keys, of) =>
        this.#find(keys, of, rows => {
          const found = Map.groupBy(rows, row => String(row[column]))
          return key => found.get(key) ?? []
        }),
      options,
    )
  }

  async #find<K, V>(
    keys: readonly K[],
    of: { readonly signal: AbortSignal },
    index: (rows: Row[]) => (key: string) => V | undefined,
  ): Promise<(V | Error | undefined)[]> {
    try {
      const values = this.#sql.values.with(this.#place, keys)
      const { rows } = await this.#send({ text: this.#sql.text, values }, of)
      const valueOf = index(rows as Row[])
      return keys.map(key => valueOf(String(key)))
    } catch (error) {
      if (!(error instanceof QueryError && error.sqlState.startsWith(DATA_EXCEPTION))) throw error
      if (keys.length === 1) return [error]
      const half = keys.length >> 1
      const first = await this.#find(keys.slice(0, half), of, index)
      return [...first, ...(await this.#find(keys.slice(half), of, index))]
    }
  }
}

/** SQLSTATE class 22: a value that is not what its type wants. */
const DATA_EXCEPTION = '22'
