// A PostgreSQL database as an application uses it: statements, transactions, and an honest answer when it is away or busy.
import { type Connection, StalePlanError } from './connection.ts'
import { copyIn, type CopySource } from './copy-in.ts'
import { CopyOut, type CopyOptions } from './copy-out.ts'
import { copyStatement } from './copy-statement.ts'
import { Cursor, cursorStatement, type CursorOptions, type Reading } from './cursor.ts'
import { SerializationError } from './errors.ts'
import { Pool, type PoolState } from './pool.ts'
import { Query, type QueryOptions } from './query.ts'
import type { ResolvedOptions } from './options.ts'
import { compileSql, type CompiledSql, type Fragment, type SqlValue } from './sql.ts'
import { StatementNames } from './statement-names.ts'
import type { Result } from './statement.ts'
import { Transaction, type TransactionOptions } from './transaction.ts'

/** What a database and a transaction share: take this where either will do. */
export interface Queryable {
  sql<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Query<Row>
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: QueryOptions): Query<Row>
  script(text: string, options?: { signal?: AbortSignal | undefined }): Promise<void>
  cursor<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Cursor<Row>
  cursor<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: CursorOptions): Cursor<Row>
  copyTo(statement: string | Fragment, options?: CopyOptions): CopyOut
  copyFrom(statement: string | Fragment, source: CopySource, options?: CopyOptions): Promise<number>
  transaction<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T>
}

export interface RetryingTransactionOptions extends TransactionOptions {
  /** How often `work` is run again after a serialization failure or deadlock. Default 0: `work` may have effects elsewhere. */
  readonly retries?: number
}

// Texts remembered for naming; far more than the statements of an application, far less than its memory.
const REMEMBERED_TEXTS = 1000

// After a failed attempt to connect, newcomers get the same answer for this long without an attempt of their own.
const RETRY_AFTER_MS = 500

export class Database implements Queryable {
  readonly #pool: Pool<Connection>
  readonly #names: StatementNames

  /** Use `connect()` or `postgres()`. */
  constructor(open: () => Promise<Connection>, options: ResolvedOptions) {
    this.#names = new StatementNames(options.preparedStatements === 0 ? 0 : REMEMBERED_TEXTS)
    this.#pool = new Pool<Connection>({
      open: async () => {
        const connection = await open()
        connection.onBroken = () => this.#pool.discard(connection)
        return connection
      },
      close: connection => connection.close(),
      max: options.maxConnections,
      min: options.minConnections,
      maxWaiting: options.maxWaiting,
      acquireTimeoutMs: options.acquireTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs,
      maxLifetimeMs: options.maxLifetimeMs,
      retryAfterMs: RETRY_AFTER_MS,
    })
  }

  /** Connections open, idle and waited for, in this process. */
  get pool(): PoolState {
    return this.#pool.state
  }

  /**
   * ``await db.sql`select * from products where id = ${id}` `` gives an array of rows; `.one()`, `.maybe()`, `.count()` and `.signal(signal)`
   * can be called on it before it is awaited. Values are always parameters; fragments made by `sql` may stand among them.
   *
   * Rejects with QueryError and its kinds, PoolFullError, DatabaseUnavailableError, or the signal's reason.
   */
  sql<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Query<Row> {
    return new Query<Row>(this.#send, compileSql(strings, values), {})
  }

  /** The same for a text with `$1`, `$2`, ... and its values. */
  query<Row = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Query<Row> {
    return new Query<Row>(this.#send, { text, values }, options)
  }

  /** Runs a text of several statements, a migration say: no parameters, no rows, all of it or nothing. */
  async script(text: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#lend(options.signal, connection => connection.script(text, options.signal))
  }

  /**
   * ``for await (const row of db.cursor`select * from products`)`` reads in batches, on a connection of its own and in a read-only
   * transaction; the connection is back when the rows are read, the loop is left, or the signal (`.signal(signal)`) aborts.
   * A text with `$1`, `$2`, ... and its values does as well.
   */
  cursor<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Cursor<Row>
  cursor<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: CursorOptions): Cursor<Row>
  cursor<Row>(first: TemplateStringsArray | string, ...rest: unknown[]): Cursor<Row> {
    const { sql, options } = cursorStatement(first, rest)
    return new Cursor<Row>(signal => this.#read<Row>(sql, signal), options)
  }

  /**
   * `for await (const bytes of db.copyTo('copy products to stdout (format csv)'))`; `.rows()` gives the columns of each row as text.
   *
   * @throws UsageError `POSTGRES_NOT_A_COPY`, QueryError and its kinds, in the loop
   */
  copyTo(statement: string | Fragment, options: CopyOptions = {}): CopyOut {
    return new CopyOut(this.#lend, copyStatement(statement), options)
  }

  /**
   * `await db.copyFrom('copy products from stdin', copyText(rows))`: all rows or none.
   *
   * @param source  bytes or text in the format that the statement names, cut anywhere
   * @returns how many rows were copied
   * @throws what the source throws, UsageError `POSTGRES_NOT_A_COPY`, QueryError and its kinds, the signal's reason
   */
  copyFrom(statement: string | Fragment, source: CopySource, options: CopyOptions = {}): Promise<number> {
    const { signal } = options
    return this.#lend(signal, connection => copyIn(connection, copyStatement(statement), source, signal))
  }

  /**
   * Runs `work` in a transaction: committed when it returns, rolled back when it throws.
   *
   * @throws what `work` throws, NotCommittedError, and whatever BEGIN and COMMIT can fail with
   */
  async transaction<T>(
    work: (tx: Transaction) => T | Promise<T>,
    options: RetryingTransactionOptions = {},
  ): Promise<T> {
    for (let retriesLeft = options.retries ?? 0; ; retriesLeft--) {
      const tx = await this.begin(options)
      try {
        const result = await work(tx)
        await tx.commit()
        return result
      } catch (error) {
        if (!(error instanceof SerializationError) || retriesLeft <= 0) throw error
      } finally {
        await tx.close()
      }
    }
  }

  /** Begins a transaction that the caller commits and, in any case, closes: `try { ...; await tx.commit() } finally { await tx.close() }`. */
  async begin(options: TransactionOptions = {}): Promise<Transaction> {
    const isolation = options.isolation ? ` isolation level ${options.isolation}` : ''
    const begin = { text: `begin${isolation}${options.readOnly ? ' read only' : ''}`, values: [] }
    const connection = await this.#pool.acquire(options.signal)
    try {
      await connection.run(begin, '', options.signal)
    } catch (error) {
      // Aborted or failed: whether it has begun is not worth finding out.
      this.#pool.discard(connection)
      throw error
    }
    const giveBack = (): void => this.#giveBack(connection)
    return new Transaction({ connection, names: this.#names, giveBack, savepoints: 0, portals: 0 }, options.signal)
  }

  /**
   * Lends one connection, and closes it afterwards: nobody knows what was set on it. For what needs a session of its own, in this folder.
   *
   * @throws what `use` throws, and whatever the pool can fail with
   */
  async lend<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire()
    try {
      return await use(connection)
    } finally {
      this.#pool.discard(connection)
    }
  }

  /** Opens connections until `count` are open. */
  async warm(count: number): Promise<void> {
    const lent = await Promise.all(Array.from({ length: count }, async () => this.#pool.acquire()))
    for (const connection of lent) this.#pool.release(connection)
  }

  /** Lends no more connections and resolves when all are closed; statements still running after `withinMs` are cut off. */
  close(withinMs = 5000): Promise<void> {
    return this.#pool.close(withinMs)
  }

  readonly #send = (sql: CompiledSql, options: QueryOptions): Promise<Result> =>
    this.#lend(options.signal, async connection => {
      const name = options.name ?? this.#names.nameOf(sql.text)
      try {
        return await connection.run(sql, name, options.signal)
      } catch (error) {
        if (!(error instanceof StalePlanError)) throw error
        return await connection.run(sql, '', options.signal)
      }
    })

  async #read<Row>(sql: CompiledSql, signal: AbortSignal | undefined): Promise<Reading<Row>> {
    const tx = await this.begin({ readOnly: true, signal })
    return {
      portal: tx.portal<Row>(sql),
      finish: async () => {
        await tx.commit().finally(() => tx.close())
      },
      leave: () => tx.close(),
    }
  }

  readonly #lend = async <T>(
    signal: AbortSignal | undefined,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T> => {
    const connection = await this.#pool.acquire(signal)
    try {
      return await use(connection)
    } finally {
      this.#giveBack(connection)
    }
  }

  #giveBack(connection: Connection): void {
    const { settled } = connection
    if (connection.broken) this.#pool.discard(connection)
    else if (settled) void settled.then(() => this.#giveBack(connection))
    else this.#pool.release(connection)
  }
}
