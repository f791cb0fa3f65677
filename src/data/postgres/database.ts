// A PostgreSQL database as an application uses it: statements, transactions, and an honest answer when it is away or busy.
import type { UsageError } from '../../core/error.ts'
import { remainingMs, routeBehind } from '../../core/request-signal.ts'
import { ROUTE_VIEW, type Viewable } from '../../core/route-view.ts'
import type { Out, Schema } from '../../schema/schema.ts'
import { type Connection, StalePlanError } from './connection.ts'
import { copyIn, type CopySource } from './copy-in.ts'
import { CopyOut, type CopyOptions } from './copy-out.ts'
import { copyStatement } from './copy-statement.ts'
import { Cursor, cursorStatement, type CursorOptions, type Reading } from './cursor.ts'
import { DatabaseUnavailableError, misuse, outcomeOf, PostgresSettingsError, SerializationError } from './errors.ts'
import { Loader } from './loader.ts'
import type { PoolState } from './pool.ts'
import { pause } from '../../core/pause.ts'
import { Query, queryOf, type QueryOptions, type SchemaOptions } from './query.ts'
import { rowArrays, type RowArraysOptions } from './row-arrays.ts'
import { compileSql, type CompiledSql, type Fragment, type SqlValue } from './sql.ts'
import type { Result } from './statement.ts'
import { notifyStatement, type ListenOptions, type Subscription } from './subscription.ts'
import type { Replicas } from './replicas.ts'
import type { Supply } from './supply.ts'
import { beginText } from './time-limits.ts'
import { Transaction, type TransactionOptions } from './transaction.ts'

/** What a database and a transaction share: take this where either will do. */
export interface Queryable {
  sql<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Query<Row>
  query<const S extends Schema>(text: string, values: readonly unknown[], options: SchemaOptions<S>): Query<Out<S>>
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: QueryOptions): Query<Row>
  script(text: string, options?: { signal?: AbortSignal | undefined }): Promise<void>
  cursor<Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: SqlValue[]): Cursor<Row>
  cursor<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: CursorOptions): Cursor<Row>
  copyTo(statement: string | Fragment, options?: CopyOptions): CopyOut
  copyFrom(statement: string | Fragment, source: CopySource, options?: CopyOptions): Promise<number>
  notify(channel: string, payload?: string): Promise<void>
  rowArrays(text: string, values?: readonly unknown[], options?: RowArraysOptions): Promise<unknown[][]>
  transaction<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T>
}

export interface RetryingTransactionOptions extends TransactionOptions {
  /**
   * How often `work` is run again, from its beginning, after a serialization failure or deadlock, behind a pause of random length.
   * Default 0: `work` may have effects elsewhere.
   */
  readonly retries?: number
}

// The pause before the nth further attempt is up to 20 ms x 2^n, at most a second, evenly at random: who collided apart does not collide again.
// A conflict lasts as long as the other transaction, so milliseconds are enough at first.
const FIRST_BACK_OFF_MS = 20
const LONGEST_BACK_OFF_MS = 1000

export class Database implements Queryable, Viewable {
  readonly #supply: Supply
  readonly #route: string
  readonly #replicas: Replicas | undefined
  readonly #isReader: boolean
  #replica: Database | undefined

  /** Use `connect()` or `postgres()`. @param route  the one that this view is for. @param isReader  it reads, and from replicas */
  constructor(supply: Supply, replicas?: Replicas, route = '', isReader = false) {
    this.#supply = supply
    this.#replicas = replicas
    this.#route = route
    this.#isReader = isReader
  }

  /** The same database, which knows who asks. */
  [ROUTE_VIEW](route: string): Database {
    return new Database(this.#supply, this.#replicas, route, this.#isReader)
  }

  /**
   * The same database for reading, from the replica that is least busy: ``await db.replica.sql`...` ``. What was just written may not be there yet;
   * `maxLag` bounds by how much. From the primary where there are no replicas, or all are away or too far behind; a statement whose replica goes
   * away meanwhile, or cannot show any more what it reads, is sent elsewhere.
   * Its transactions are read-only. A statement that writes fails on a replica, and not on the primary: keep them apart.
   */
  get replica(): Database {
    return (this.#replica ??= new Database(this.#supply, this.#replicas, this.#route, true))
  }

  /** Connections open, idle and waited for, in this process. */
  get pool(): PoolState {
    return this.#supply.pool.state
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
  query<const S extends Schema>(text: string, values: readonly unknown[], options: SchemaOptions<S>): Query<Out<S>>
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], options?: QueryOptions): Query<Row>
  query(text: string, values: readonly unknown[] = [], options: Partial<SchemaOptions<Schema>> = {}): Query<any> {
    return queryOf(this.#send, text, values, options)
  }

  /** Rows as arrays, in the order of the columns: for query builders, whose statements may give two columns one name. */
  rowArrays(text: string, values: readonly unknown[] = [], options: RowArraysOptions = {}): Promise<unknown[][]> {
    const { signal } = options
    const use = (connection: Connection) => rowArrays(connection, { text, values }, signal)
    return this.#lend(signal, use, text).catch((error: unknown) => this.#failed(error, text))
  }

  /** Runs a text of several statements, a migration say: no parameters, no rows, all of it or nothing. */
  async script(text: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const use = (connection: Connection) => connection.script(text, options.signal)
    await this.#lend(options.signal, use).catch((error: unknown) => this.#failed(error, text))
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
    return new CopyOut({ lend: this.#lend, text: copyStatement(statement) }, options)
  }

  /**
   * `await db.copyFrom('copy products from stdin', copyText(rows))`: all rows or none.
   *
   * @param source  bytes or text in the format that the statement names, cut anywhere
   * @returns how many rows were copied
   * @throws what the source throws, UsageError `POSTGRES_NOT_A_COPY`, QueryError and its kinds, the signal's reason
   */
  async copyFrom(statement: string | Fragment, source: CopySource, options: CopyOptions = {}): Promise<number> {
    const { signal } = options
    const text = copyStatement(statement)
    const use = (connection: Connection) => copyIn(connection, text, source, signal)
    return this.#lend(signal, use).catch((error: unknown) => this.#failed(error, text))
  }

  /**
   * Lookups by key, of one loop turn in one statement; `sql.keys` stands for the keys:
   * ``const products = db.loader<Product>`select * from products where id = any(${sql.keys})`.byKey('id')``, `await products.load(7)`.
   *
   * @throws UsageError `POSTGRES_LOADER_KEYS`
   */
  loader<Row extends object = Record<string, unknown>>(
    strings: TemplateStringsArray,
    ...values: SqlValue[]
  ): Loader<Row> {
    return new Loader<Row>(this.#send, compileSql(strings, values))
  }

  /**
   * `for await (const note of db.listen('orders', { signal }))`: what is notified on a channel, in order, on one connection for all channels
   * of this process. When that connection was lost and is back, `note.type` is 'lost': what was notified meanwhile is gone.
   *
   * Listens from the call on, whoever reads; `ready` resolves when it does.
   *
   * @throws UsageError `POSTGRES_BAD_IDENTIFIER`, `POSTGRES_LISTEN_POOLER`
   */
  listen(channel: string, options: ListenOptions = {}): Subscription {
    // It would stand on a session that the next transaction lends to somebody else, and nothing would ever be heard.
    if (this.#supply.options.isPooled)
      throw misuse(
        'POSTGRES_LISTEN_POOLER',
        "to listen needs a session of its own, and postgres({ pooler: 'transaction' }) has none; listen on another one, with the address of the " +
          'database itself: postgres({ url, maxConnections: 1 })',
      )
    return this.#supply.listener.listen(channel, options)
  }

  /**
   * Tells those who listen to the channel.
   *
   * @param payload  at most 7,999 bytes
   * @throws UsageError `POSTGRES_BAD_IDENTIFIER`, `POSTGRES_PAYLOAD_TOO_LONG`
   */
  async notify(channel: string, payload = '', options: QueryOptions = {}): Promise<void> {
    await this.#send(notifyStatement(channel, payload), options)
  }

  /**
   * Runs `work` in a transaction: committed when it returns, rolled back when it throws. With `retries` it may run several times.
   *
   * @throws what `work` throws, NotCommittedError, and whatever BEGIN and COMMIT can fail with
   */
  async transaction<T>(
    work: (tx: Transaction) => T | Promise<T>,
    options: RetryingTransactionOptions = {},
  ): Promise<T> {
    const { retries = 0, signal } = options
    for (let attempt = 1; ; attempt++) {
      const backOffMs = Math.random() * Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** attempt)
      const tx = await this.begin(options)
      try {
        const result = await work(tx)
        await tx.commit()
        return result
      } catch (error) {
        // Nor when the request would be over before the next attempt: a 503 to be asked again is better than a 504.
        if (!(error instanceof SerializationError) || attempt > retries || backOffMs >= remainingMs(signal)) throw error
      } finally {
        await tx.close()
      }
      await pause(backOffMs, signal)
    }
  }

  /**
   * Begins a transaction that the caller commits and, in any case, closes: `try { ...; await tx.commit() } finally { await tx.close() }`.
   *
   * Given a request's signal, the server is told how much time the request has left: it ends what runs, or idles, for longer.
   */
  begin(options: TransactionOptions = {}): Promise<Transaction> {
    return this.#begin(options, 'request')
  }

  /** @param limits  whose time bounds it; what is read while an answer streams outlives the request's, which ends at the answer's head */
  #begin(options: TransactionOptions, limits: 'request' | 'session'): Promise<Transaction> {
    if (!this.#isReader) return this.#beginOn(this.#supply, options, limits)
    return this.#reading(supply => this.#beginOn(supply, { ...options, readOnly: true }, limits))
  }

  async #beginOn(supply: Supply, options: TransactionOptions, limits: 'request' | 'session'): Promise<Transaction> {
    const askedMs = performance.now()
    const connection = await supply.pool.acquire(options.signal)
    const startedMs = performance.now()
    const leftMs = limits === 'request' ? remainingMs(options.signal) : Infinity
    const text = beginText(options, leftMs, supply.options)
    try {
      await connection.script(text, options.signal)
    } catch (error) {
      // Aborted or failed: whether it has begun is not worth finding out.
      supply.pool.discard(connection)
      throw error
    }
    const route = this.#routeOf(options.signal)
    const note = (text: string, waitedMs: number, ranMs: number): void => {
      if (waitedMs + ranMs >= supply.slow.thresholdMs) supply.slow.note(text, route, waitedMs, ranMs)
    }
    note(text, startedMs - askedMs, performance.now() - startedMs)
    const giveBack = (): void => supply.giveBack(connection)
    return new Transaction(
      {
        connection,
        isReadOnly: options.readOnly === true,
        names: supply.names,
        giveBack,
        note,
        savepoints: 0,
        portals: 0,
      },
      options.signal,
    )
  }

  /**
   * Lends one connection, and closes it afterwards: nobody knows what was set on it. For what needs a session of its own, in this folder.
   *
   * @throws what `use` throws, and whatever the pool can fail with
   */
  async lend<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const { pool } = this.#supply
    const connection = await pool.acquire()
    try {
      return await use(connection)
    } finally {
      pool.discard(connection)
    }
  }

  /** Like `lend`, for what leaves no trace: the connection goes back into the pool. */
  async borrow<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#lend(undefined, use)
  }

  /** Allows more or fewer connections and waiting callers from now on, to each of its servers. */
  resize(size: { readonly max: number; readonly maxWaiting: number }): void {
    this.#supply.pool.resize(size)
    this.#replicas?.resize(size)
  }

  /** Opens connections until `count` are open, or as many as the server has; one at least. */
  async warm(count: number): Promise<void> {
    const { pool } = this.#supply
    // While the first opens the others wait in line, so each of them opens one more.
    const asked = await Promise.allSettled(Array.from({ length: count }, async () => pool.acquire()))
    const lent = asked.filter(each => each.status === 'fulfilled')
    for (const { value } of lent) pool.release(value)
    const failed = asked.find(each => each.status === 'rejected')
    if (lent.length === 0 && failed) throw failed.reason
  }

  /** Lends no more connections and resolves when all are closed; statements still running after `withinMs` are cut off. */
  async close(withinMs = 5000): Promise<void> {
    await Promise.all([this.#supply.close(withinMs), this.#replicas?.close(withinMs)])
  }

  readonly #send = (sql: CompiledSql, options: QueryOptions): Promise<Result> => {
    const use = async (connection: Connection): Promise<Result> => {
      const name = this.#supply.names.nameOf(sql.text, options.name)
      try {
        return await connection.run(sql, name, options.signal)
      } catch (error) {
        if (!(error instanceof StalePlanError)) return this.#failed(error, sql.text)
        return await connection.run(sql, '', options.signal)
      }
    }
    return this.#lend(options.signal, use, sql.text)
  }

  /** What is sent elsewhere when a replica goes away has not written. */
  #failed(error: unknown, text: string): never {
    throw this.#isReader ? error : outcomeOf(error, text)
  }

  async #read<Row>(sql: CompiledSql, signal: AbortSignal | undefined): Promise<Reading<Row>> {
    const tx = await this.#begin({ readOnly: true, signal }, 'session')
    return {
      portal: tx.portal<Row>(sql),
      finish: async () => {
        await tx.commit().finally(() => tx.close())
      },
      leave: () => tx.close(),
    }
  }

  /** @param text  the statement, where it is one that may be too slow, and may be sent again when it reads */
  readonly #lend = <T>(
    signal: AbortSignal | undefined,
    use: (connection: Connection) => Promise<T>,
    text?: string,
  ): Promise<T> => {
    if (!this.#isReader || text === undefined) return this.#lendOf(this.#supply, signal, use, text)
    return this.#reading(supply => this.#lendOf(supply, signal, use, text))
  }

  async #lendOf<T>(
    supply: Supply,
    signal: AbortSignal | undefined,
    use: (connection: Connection) => Promise<T>,
    text: string | undefined,
  ): Promise<T> {
    const { pool, slow } = supply
    const askedMs = performance.now()
    const lent = pool.acquire(signal)
    const connection = lent instanceof Promise ? await lent : lent
    const startedMs = lent instanceof Promise ? performance.now() : askedMs
    try {
      const result = await use(connection)
      if (connection.isInTransaction) throw leftOpen()
      return result
    } finally {
      supply.giveBack(connection)
      const endedMs = performance.now()
      if (text !== undefined && endedMs - askedMs >= slow.thresholdMs)
        slow.note(text, this.#routeOf(signal), startedMs - askedMs, endedMs - startedMs)
    }
  }

  /** On a replica, on another one when that goes away, and in the end on the primary. */
  async #reading<T>(read: (supply: Supply) => Promise<T>): Promise<T> {
    for (;;) {
      const replica = this.#replicas?.pick()
      if (!replica) return read(this.#supply)
      try {
        return await read(replica)
      } catch (error) {
        // The primary keeps what is being read; a replica gives it up after a while, because it has to follow.
        if (error instanceof SerializationError) return read(this.#supply)
        if (!(error instanceof DatabaseUnavailableError || error instanceof PostgresSettingsError)) throw error
        this.#replicas!.lost(replica, error)
      }
    }
  }

  #routeOf(signal: AbortSignal | undefined): string {
    return this.#route === '' ? routeBehind(signal) : this.#route
  }
}

function leftOpen(): UsageError {
  return misuse(
    'POSTGRES_TRANSACTION_LEFT_OPEN',
    'a transaction was begun on a connection that is shared, so it was undone: what follows may well be sent on another one. ' +
      'Use db.transaction(...), or db.begin()',
  )
}
