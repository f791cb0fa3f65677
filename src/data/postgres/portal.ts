// A portal: a statement whose rows are fetched so many at a time, inside the transaction that it lives in.
//
// Each batch is a message of its own with a Sync behind it, so the connection is free between two of them: the transaction's other statements
// run meanwhile, `statement_timeout` counts for each batch, and `idle_in_transaction_session_timeout` ends a reader that has stopped reading.
// PostgreSQL plans it for all of its rows, where DECLARE CURSOR would plan for the first tenth.
import type { Connection } from './connection.ts'
import { gather } from './one-write.ts'
import { encodeParameters, type CompiledSql } from './sql.ts'
import { Statement, type Columns, type Result, type Wire } from './statement.ts'

export interface Batch<Row> {
  readonly rows: Row[]
  readonly isLast: boolean
}

export class Portal<Row> {
  readonly #connection: Connection
  readonly #name: string
  readonly #sql: CompiledSql
  readonly #check: (() => void) | undefined
  #columns: Columns | undefined

  /**
   * @param name  no other portal of the transaction has it
   * @param check  throws when the transaction has ended
   */
  constructor(connection: Connection, name: string, sql: CompiledSql, check?: () => void) {
    this.#connection = connection
    this.#name = name
    this.#sql = sql
    this.#check = check
  }

  /** @throws the typed errors of errors.ts, or the signal's reason */
  async fetch(rows: number, signal?: AbortSignal): Promise<Batch<Row>> {
    const { text } = this.#sql
    const values = this.#columns ? [] : encodeParameters(this.#sql.values)
    let fetch: Fetch | undefined
    const make = (ended: (error: Error | null, result?: Result) => void) =>
      (fetch = new Fetch(
        { text, values, name: '', columns: this.#columns, evict: undefined, script: false, isRaw: false },
        ended,
        {
          portal: this.#name,
          rows,
        },
      ))
    const result = await this.#connection.perform<Result>(text, make, signal, this.#check)
    this.#columns = fetch!.columns
    return { rows: result.rows as Row[], isLast: !fetch!.isSuspended }
  }

  /** Ends it before its transaction does. */
  async close(): Promise<void> {
    await this.#connection.perform<undefined>(
      this.#sql.text,
      ended => new Close(this.#name, ended),
      undefined,
      this.#check,
    )
  }
}

class Fetch extends Statement {
  readonly #of: { readonly portal: string; readonly rows: number }
  /** There may be more rows. */
  isSuspended = false

  constructor(
    plan: ConstructorParameters<typeof Statement>[0],
    ended: (error: Error | null, result?: Result) => void,
    of: { readonly portal: string; readonly rows: number },
  ) {
    super(plan, ended)
    this.#of = of
  }

  override submit(wire: Wire): null {
    const { portal } = this.#of
    const { text, values, columns } = this.plan
    const out = gather()
    if (!columns) {
      out.parse({ text, name: '' })
      out.bind({ portal, statement: '', values })
      out.describe({ type: 'P', name: portal })
    }
    out.execute(this.#of)
    out.sync()
    wire._send(out.bytes())
    return null
  }

  override handlePortalSuspended(): void {
    this.isSuspended = true
  }
}

class Close {
  readonly #portal: string
  readonly callback: (error: Error | null) => void

  constructor(portal: string, ended: (error: Error | null) => void) {
    this.#portal = portal
    this.callback = ended
  }

  submit(wire: Wire): null {
    wire.close({ type: 'P', name: this.#portal })
    wire.sync()
    return null
  }

  handleReadyForQuery(): void {
    this.callback(null)
  }

  handleError(error: Error): void {
    this.callback(error)
  }
}
