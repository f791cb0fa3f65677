// A transaction: one connection for its whole length, given back exactly once, whatever happens in between.
import { MillraceError } from '../../core/error.ts'
import type { Out, Schema } from '../../schema/schema.ts'
import { anyOf } from '../../core/any-signal.ts'
import { StalePlanError, type Connection } from './connection.ts'
import { copyIn, type CopySource } from './copy-in.ts'
import { CopyOut, type CopyOptions, type CopyReading, type Lend } from './copy-out.ts'
import { copyStatement } from './copy-statement.ts'
import { Cursor, cursorStatement, type CursorOptions } from './cursor.ts'
import { misuse, outcomeOf, QueryError, SerializationError } from './errors.ts'
import { ENDS_WITHIN_MS, Patience } from './patience.ts'
import { Portal } from './portal.ts'
import { Query, queryOf, type QueryOptions, type SchemaOptions } from './query.ts'
import { rowArrays, type RowArraysOptions } from './row-arrays.ts'
import { compileSql, type CompiledSql, type Fragment, type SqlValue } from './sql.ts'
import type { Result } from './statement.ts'
import { notifyStatement } from './subscription.ts'
import type { StatementNames } from './statement-names.ts'

export interface TransactionOptions {
  /** Default: the server's, which is `read committed` unless configured otherwise. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /** Ends the running statement on the server and refuses further ones; what was done is rolled back. */
  readonly signal?: AbortSignal | undefined
}

/** The transaction was rolled back where it should have been committed: an earlier statement failed and its error was swallowed. */
export class NotCommittedError extends MillraceError {
  constructor() {
    super(
      'POSTGRES_NOT_COMMITTED',
      'The transaction was rolled back instead of committed: one of its statements failed, and its error was swallowed. ' +
        'Run what may fail in tx.transaction(...), which rolls back alone',
    )
  }
}

// in_failed_sql_transaction
const FAILED = '25P02'

/** What a transaction needs of the database that began it. */
export interface Lane {
  readonly connection: Connection
  readonly isReadOnly: boolean
  readonly names: StatementNames
  /** Returns the connection to the pool, or closes it when it cannot be used again. */
  giveBack(): void
  /** Tells of a statement that has ended, in case that it was slow. */
  note(text: string, waitedMs: number, ranMs: number): void
  /** For names of savepoints. */
  savepoints: number
  /** For names of portals. */
  portals: number
}

interface Words {
  readonly commit: string
  readonly rollback: string
}

const OUTERMOST: Words = { commit: 'commit', rollback: 'rollback' }

export class Transaction {
  readonly #lane: Lane
  readonly #signal: AbortSignal | undefined
  readonly #words: Words
  readonly #parent: Transaction | undefined
  #state: 'open' | 'committed' | 'rolled back' = 'open'
  #closed: Promise<void> | undefined
  #hasInner = false
  /** Being read. */
  readonly #copies = new Set<CopyReading>()

  /** Use `db.begin()` or `db.transaction()`. */
  constructor(lane: Lane, signal: AbortSignal | undefined, words: Words = OUTERMOST, parent?: Transaction) {
    this.#lane = lane
    this.#signal = signal
    this.#words = words
    this.#parent = parent
  }

  /** Like `db.sql`, inside the transaction. Statements run in turn, also when several are awaited together. */
  sql<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Query<Row> {
    return new Query<Row>(this.#send, compileSql(strings, values), {})
  }

  /** Like `db.query`, inside the transaction. */
  query<const S extends Schema>(text: string, values: readonly unknown[], options: SchemaOptions<S>): Query<Out<S>>
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: QueryOptions): Query<Row>
  query(text: string, values: readonly unknown[] = [], options: Partial<SchemaOptions<Schema>> = {}): Query<any> {
    return queryOf(this.#send, text, values, options)
  }

  /** Like `db.script`, inside the transaction. */
  async script(text: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#requireOpen()
    await this.#lane.connection.script(text, anyOf(this.#signal, options.signal), this.#requireOpen)
  }

  /** Like `db.cursor`, inside the transaction; other statements of it may run between two rows. */
  cursor<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Cursor<Row>
  cursor<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: CursorOptions): Cursor<Row>
  cursor<Row>(first: TemplateStringsArray | string, ...rest: unknown[]): Cursor<Row> {
    const { sql, options } = cursorStatement(first, rest)
    return new Cursor<Row>(
      async () => {
        const portal = this.portal<Row>(sql)
        // A transaction that has ended, or failed, has closed its portals.
        const close = (): Promise<void> => portal.close().catch(() => {})
        return Promise.resolve({ portal, finish: close, leave: close })
      },
      { ...options, signal: anyOf(this.#signal, options.signal) },
    )
  }

  /** @internal Reads a statement's rows so many at a time. */
  portal<Row>(sql: CompiledSql): Portal<Row> {
    return new Portal<Row>(this.#lane.connection, `millrace_${++this.#lane.portals}`, sql, this.#requireOpen)
  }

  /** Like `db.copyTo`, inside the transaction. Leaving the loop before the end cancels the statement, and so fails the transaction. */
  copyTo(statement: string | Fragment, options: CopyOptions = {}): CopyOut {
    const lend: Lend = (_, use) => use(this.#lane.connection)
    return new CopyOut(
      { lend, text: copyStatement(statement), check: this.#requireOpen, begun: this.#copies },
      { signal: anyOf(this.#signal, options.signal) },
    )
  }

  /** Like `db.copyFrom`, inside the transaction. */
  async copyFrom(statement: string | Fragment, source: CopySource, options: CopyOptions = {}): Promise<number> {
    const signal = anyOf(this.#signal, options.signal)
    return copyIn(this.#lane.connection, copyStatement(statement), source, signal, this.#requireOpen)
  }

  /** Like `db.rowArrays`, inside the transaction. */
  async rowArrays(text: string, values: readonly unknown[] = [], options: RowArraysOptions = {}): Promise<unknown[][]> {
    return rowArrays(this.#lane.connection, { text, values }, anyOf(this.#signal, options.signal), this.#requireOpen)
  }

  /** Like `db.notify`: told when the transaction is committed, and not at all when it is rolled back. */
  async notify(channel: string, payload = ''): Promise<void> {
    await this.#send(notifyStatement(channel, payload), {})
  }

  /**
   * Runs `work` behind a savepoint: when it throws, only what it did is rolled back, and the error is thrown on. One at a time.
   *
   * @throws UsageError `POSTGRES_TRANSACTION_BUSY`
   */
  async transaction<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T> {
    // Savepoints are a stack: to undo the first of two is to undo the second, which had been told that it is committed.
    if (this.#hasInner)
      throw misuse(
        'POSTGRES_TRANSACTION_BUSY',
        'another inner transaction of this one is open, and would undo what this one does; await that first, or begin this one in it',
      )
    this.#hasInner = true
    try {
      return await this.#behindSavepoint(work)
    } finally {
      this.#hasInner = false
    }
  }

  async #behindSavepoint<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T> {
    const name = `millrace_${++this.#lane.savepoints}`
    await this.#lane.connection.script(`savepoint ${name}`, this.#signal, this.#requireOpen)
    const words = { commit: `release savepoint ${name}`, rollback: `rollback to savepoint ${name}` }
    const inner = new Transaction(this.#lane, this.#signal, words, this)
    try {
      const result = await work(inner)
      await inner.commit()
      return result
    } finally {
      await inner.close()
    }
  }

  /**
   * Once sent, a commit is not aborted any more: its outcome would be unknown.
   *
   * @throws NotCommittedError; SerializationError and constraint errors that PostgreSQL checks only now; OutcomeUnknownError when the
   *   connection is lost before the answer
   */
  async commit(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (this.#copies.size > 0) await this.#leaveCopies()
    const command = await this.#sendCommit()
    // PostgreSQL answers COMMIT in a failed transaction with a quiet ROLLBACK.
    this.#state = command === 'ROLLBACK' ? 'rolled back' : 'committed'
    if (command === 'ROLLBACK') throw new NotCommittedError()
  }

  async rollback(): Promise<void> {
    this.#requireOpen()
    await this.#undo()
  }

  /** Rolls back what was not committed and gives the connection back. Never throws; again: nothing happens. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    try {
      if (this.#isOpen()) await this.#undo()
    } catch {
      // Then the transaction cannot be trusted to have ended: the server ends it when the connection closes.
      await this.#lane.connection.close()
    }
    this.#state = this.#state === 'open' ? 'rolled back' : this.#state
    if (!this.#parent) this.#lane.giveBack()
  }

  async #sendCommit(): Promise<string> {
    const { connection, isReadOnly } = this.#lane
    const patience = new Patience(this.#signal, () => void connection.close())
    try {
      return (await connection.script(this.#words.commit, undefined, this.#requireOpen)).command
    } catch (error) {
      // A savepoint is not released in a transaction that has failed, and it is not told by a quiet ROLLBACK.
      if (error instanceof QueryError && error.sqlState === FAILED) throw new NotCommittedError()
      throw isReadOnly || this.#parent ? error : outcomeOf(error, this.#words.commit)
    } finally {
      patience.end()
    }
  }

  /** Of a copy that somebody has begun to read and does not end the server would wait to send the rest, for ever. */
  async #leaveCopies(): Promise<void> {
    for (const copy of [...this.#copies]) await copy.return()
  }

  async #undo(): Promise<void> {
    const { connection } = this.#lane
    this.#state = 'rolled back'
    // What still runs was forgotten by the caller; behind a savepoint it may be somebody else's.
    if (!this.#parent) connection.cancel()
    await this.#leaveCopies()
    await connection.script(this.#words.rollback, AbortSignal.timeout(ENDS_WITHIN_MS))
  }

  readonly #send = async (sql: CompiledSql, options: QueryOptions): Promise<Result> => {
    this.#requireOpen()
    const name = this.#lane.names.nameOf(sql.text, options.name)
    const startedMs = performance.now()
    try {
      return await this.#lane.connection.run(sql, name, anyOf(this.#signal, options.signal), this.#requireOpen)
    } catch (error) {
      throw error instanceof StalePlanError ? undone(error.error) : error
    } finally {
      this.#lane.note(sql.text, 0, performance.now() - startedMs)
    }
  }

  #isOpen(): boolean {
    return this.#state === 'open' && (this.#parent === undefined || this.#parent.#isOpen())
  }

  readonly #requireOpen = (): void => {
    if (!this.#isOpen())
      throw misuse('POSTGRES_TRANSACTION_ENDED', 'the transaction has ended; its statements can no longer be sent')
  }
}

/** A statement on its own is sent again, unnoticed; a transaction has failed with it. It is forgotten now, so that the next attempt succeeds. */
function undone(error: unknown): unknown {
  if (!(error instanceof QueryError)) return error
  const { sqlState, statement } = error
  const message =
    'a statement that was prepared has changed since, by a migration say; the transaction was undone, and may be run again'
  return new SerializationError(
    'POSTGRES_STALE_PLAN',
    { sqlState, message, statement },
    { status: 503, retryAfterMs: 1000 },
  )
}
