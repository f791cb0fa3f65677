// One statement on its way through a connection: what is sent, and the rows as they come back.
//
// pg lets a caller bring a query of its own (it is how pg-cursor works): an object with `submit` and a handler for each kind of answer. Ours
// takes values that are already encoded, keeps the description of a prepared statement's columns, so that only its first run on a connection
// asks for it, and makes rows without an event emitter for each query. A row by key, 16 callers, one process: 18 to 21 us of CPU through the
// whole of this folder, against 27 to 30 through pg's own pool and queries (Node 26, unix socket).
import { misuse } from './errors.ts'
import { gather, type Messages } from './one-write.ts'
import type { Parameter } from './sql.ts'
import { isJsonType, parserOf } from './value-types.ts'

/** The part of pg's connection that a query of one's own uses. */
export interface Wire extends Messages {
  readonly stream: {
    pause(): void
    resume(): void
    readonly writableNeedDrain: boolean
    on(event: 'drain', listener: () => void): unknown
    off(event: 'drain', listener: () => void): unknown
  }
  /** Statements prepared on this connection: text by name. */
  readonly parsedStatements: Record<string, string | undefined>
  /** Bytes of messages, as they are. */
  _send(bytes: Uint8Array): void
}

/** The columns of a statement's rows. */
export interface Columns {
  readonly names: readonly string[]
  readonly parsers: readonly ((text: string) => unknown)[]
  /** There is one, and it is json or jsonb. */
  readonly isJson: boolean
}

export interface Result<Row = Record<string, unknown>> {
  readonly rows: Row[]
  /** How many rows were selected, inserted, changed or removed; 0 for statements that do none of these. */
  readonly count: number
  /** What the server says it did: SELECT, INSERT, COMMIT, ROLLBACK, ... */
  readonly command: string
}

export const NO_COLUMNS: Columns = { names: [], parsers: [], isJson: false }

interface FieldDescription {
  readonly name: string
  readonly dataTypeID: number
}

/** How one run of a statement differs from another. */
export interface StatementPlan {
  readonly text: string
  readonly values: readonly Parameter[]
  /** The prepared statement's name; empty: not prepared. */
  readonly name: string
  /** Known from an earlier run on this connection: the description is not asked for again. */
  readonly columns: Columns | undefined
  /** A prepared statement to forget on the way. */
  readonly evict: string | undefined
  /** Several statements in one text, without parameters or rows. */
  readonly script: boolean
  /** Rows are the text of their only column, which is JSON. */
  readonly isRaw: boolean
}

export class Statement {
  // Read by pg when it learns that a statement was prepared or failed.
  readonly name: string
  readonly text: string
  readonly callback: (error: Error | null, result?: Result) => void
  readonly #plan: StatementPlan
  #columns: Columns | undefined
  #rows: Record<string, unknown>[] = []
  #tag = ''
  #failure: Error | undefined

  constructor(plan: StatementPlan, callback: (error: Error | null, result?: Result) => void) {
    this.name = plan.name
    this.text = plan.text
    this.callback = callback
    this.#plan = plan
    this.#columns = plan.columns
  }

  /** The columns, once the statement has run; undefined when it has not told them. */
  get columns(): Columns | undefined {
    return this.#columns
  }

  protected get plan(): StatementPlan {
    return this.#plan
  }

  /** Called by pg when the connection is ready for it. */
  submit(wire: Wire): null {
    const { text, values, name, columns, evict, script } = this.#plan
    if (script) {
      wire.query(text)
      return null
    }
    const out = gather()
    if (evict !== undefined) {
      out.close({ type: 'S', name: evict })
      delete wire.parsedStatements[evict]
    }
    if (name === '' || wire.parsedStatements[name] === undefined) out.parse({ text, name })
    out.bind({ statement: name, values })
    if (!columns) out.describe({ type: 'P', name: '' })
    out.execute({ portal: '' })
    out.sync()
    wire._send(out.bytes())
    return null
  }

  handleRowDescription(message: { readonly fields: readonly FieldDescription[] }): void {
    if (this.#plan.script) return
    this.#columns = {
      names: message.fields.map(field => field.name),
      parsers: message.fields.map(field => parserOf(field.dataTypeID)),
      isJson: message.fields.length === 1 && isJsonType(message.fields[0]!.dataTypeID),
    }
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    if (this.#failure || this.#plan.script) return
    const { names, parsers, isJson } = this.#columns ?? NO_COLUMNS
    const { fields } = message
    if (this.#plan.isRaw) {
      if (isJson) this.#rows.push((fields[0] ?? 'null') as never)
      else this.#failure = misuse('POSTGRES_NOT_JSON', 'raw() takes a statement with one column, of type json or jsonb')
      return
    }
    if (fields.length !== names.length) {
      // A pooler that nobody told us of has prepared it anew, after a migration.
      this.#failure = misuse(
        'POSTGRES_STATEMENT_CHANGED',
        `a row of ${fields.length} columns where the prepared statement has ${names.length}: somebody else prepared it on this session ` +
          `(a pooler? say postgres({ pooler: 'transaction' })); ${this.#plan.text}`,
      )
      return
    }
    const row: Record<string, unknown> = {}
    try {
      for (let index = 0; index < fields.length; index++) {
        const text = fields[index]!
        row[names[index]!] = text === null ? null : parsers[index]!(text)
      }
    } catch (error) {
      // Malformed json cannot happen in a json column; a type parser that was added to pg may well throw.
      this.#failure = error as Error
      return
    }
    this.#rows.push(row)
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#tag = message.text
  }

  handleReadyForQuery(): void {
    if (this.#failure) {
      this.callback(this.#failure)
      return
    }
    this.#columns ??= NO_COLUMNS
    const words = this.#tag.split(' ')
    this.callback(null, {
      rows: this.#rows,
      // 'INSERT 0 3', 'SELECT 3', 'COMMIT'
      count: words.length > 1 ? Number(words.at(-1)) || 0 : 0,
      command: words[0]!,
    })
  }

  handleError(error: Error): void {
    this.callback(error)
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}

  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail('COPY FROM STDIN needs a source: db.copyFrom')
  }
}
