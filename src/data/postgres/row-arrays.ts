// Rows as arrays, a value for each column by its place: for query builders, whose statements may give two columns one name.
import type { Connection, Ended } from './connection.ts'
import { encodeParameters, type CompiledSql } from './sql.ts'
import { NO_COLUMNS, Statement, type Result, type StatementPlan } from './statement.ts'

export interface RowArraysOptions {
  /** Ends the statement on the server. */
  readonly signal?: AbortSignal | undefined
}

/** @throws the typed errors of errors.ts, or the signal's reason */
export async function rowArrays(
  connection: Connection,
  sql: CompiledSql,
  signal: AbortSignal | undefined,
  check?: () => void,
): Promise<unknown[][]> {
  const plan = { text: sql.text, values: encodeParameters(sql.values), name: '', columns: undefined, evict: undefined }
  const rows: unknown[][] = []
  const make = (ended: Ended<Result>): object =>
    new ArrayStatement({ ...plan, script: false, isRaw: false }, ended, rows)
  await connection.perform<Result>(sql.text, make, signal, check)
  return rows
}

class ArrayStatement extends Statement {
  readonly #rows: unknown[][]

  constructor(plan: StatementPlan, ended: Ended<Result>, rows: unknown[][]) {
    super(plan, ended)
    this.#rows = rows
  }

  override handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const { parsers } = this.columns ?? NO_COLUMNS
    this.#rows.push(fields.map((text, index) => (text === null ? null : parsers[index]!(text))))
  }
}
