// Point lookups of one loop turn, of one request or of all, as one statement: `= any($1)`.
//
// A key that PostgreSQL cannot read ('abc' where a uuid is wanted) fails the whole statement. It is then sent again by halves, until the bad
// keys stand alone: their askers get the error, all others their rows.
//
// Which row is whose is told by the text of both. A key that PostgreSQL takes for the row's and that is written in another way (a uuid in capitals, 1 for
// 1.0) would find nothing: keys that found nothing are then asked for by themselves, and what comes is theirs.
import { UsageError } from '../../core/error.ts'
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
      (keys, { signal }) => this.#find(keys, { column, signal, take: rows => rows?.at(-1) }),
      options,
    )
  }

  /** All rows of each key, in the statement's order; an empty array where there is none. */
  groupBy<Column extends keyof Row & string>(
    column: Column,
    options: BatchOptions = {},
  ): Batch<KeyOf<Row, Column>, Row[], never> {
    return new Batch<KeyOf<Row, Column>, Row[], never>(
      (keys, { signal }) => this.#find(keys, { column, signal, take: (rows = []) => rows }),
      options,
    )
  }

  /** @returns in the order of the keys */
  async #find<K, V>(keys: readonly K[], of: Lookup<Row, V>): Promise<(V | Error | undefined)[]> {
    try {
      const rowsOf = Map.groupBy(await this.#ask(keys, of.signal), row => String(row[of.column]))
      const texts = keys.map(textOf)
      const hasOthers = new Set(texts.filter(text => rowsOf.has(text))).size < rowsOf.size
      const lost = keys.filter((_, at) => !rowsOf.has(texts[at]!) && (hasOthers || UUID_IN_CAPITALS.test(texts[at]!)))
      const again = lost.length === 0 ? undefined : await this.#findLost(lost, of)
      return keys.map((key, at) => again?.get(key) ?? of.take(rowsOf.get(texts[at]!)))
    } catch (error) {
      if (!isOfAKey(error)) throw error
      if (keys.length === 1) return [error]
      const [first, second] = halves(keys)
      return [...(await this.#find(first, of)), ...(await this.#find(second, of))]
    }
  }

  /** Of keys that found nothing by their text, those that find something nevertheless. */
  async #findLost<K, V>(keys: readonly K[], of: Lookup<Row, V>): Promise<ReadonlyMap<K, V | Error>> {
    const rowsOf = Map.groupBy(await this.#ask(keys, of.signal), row => String(row[of.column]).toLowerCase())
    const found = new Map<K, V | Error>()
    const used = new Set<string>()
    for (const key of keys) {
      const text = textOf(key).toLowerCase()
      const value = rowsOf.has(text) ? of.take(rowsOf.get(text)) : undefined
      if (value === undefined) continue
      found.set(key, value)
      used.add(text)
    }
    if (used.size === rowsOf.size) return found
    const lost = keys.filter(key => !found.has(key))
    if (lost.length === 1) return found.set(lost[0]!, writtenOtherwise(String(of.column)))
    for (const half of halves(lost)) for (const [key, value] of await this.#findLost(half, of)) found.set(key, value)
    return found
  }

  async #ask(keys: readonly unknown[], signal: AbortSignal): Promise<Row[]> {
    const values = this.#sql.values.with(this.#place, keys)
    const { rows } = await this.#send({ text: this.#sql.text, values }, { signal })
    return rows as Row[]
  }
}

/** How the rows of a statement are told apart, and what of its rows a key gets. */
interface Lookup<Row, V> {
  readonly column: keyof Row
  readonly signal: AbortSignal
  readonly take: (rows: Row[] | undefined) => V | undefined
}

const UUID_IN_CAPITALS = /^(?=.*[A-F])[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/

/** As rows have it. */
function textOf(key: unknown): string {
  // Without the zeros at the end of its second.
  return key instanceof Date && !Number.isNaN(key.getTime()) ? key.toISOString().replace(/\.?0+Z$/, 'Z') : String(key)
}

function halves<K>(keys: readonly K[]): [readonly K[], readonly K[]] {
  const half = keys.length >> 1
  return [keys.slice(0, half), keys.slice(half)]
}

/** SQLSTATE class 22: a value that is not what its type wants; or one that cannot be sent at all. */
function isOfAKey(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof QueryError && error.sqlState.startsWith('22'))
}

function writtenOtherwise(column: string): UsageError {
  return misuse(
    'POSTGRES_LOADER_KEYS',
    `a key of the loader finds a row whose ${column} is written in another way, so it cannot be told whose it is; is ${column} the column that ` +
      'the statement compares? Give keys as rows have them: a numeric with all its digits, a moment as ISO 8601',
  )
}
