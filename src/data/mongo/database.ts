// A MongoDB as an application uses it: typed collections, transactions where the server has them, and an honest answer when it is away.
import type { Db, MongoClient } from 'mongodb'
import { pause } from '../../core/pause.ts'
import { remainingMs } from '../../core/request-signal.ts'
import type { Schema } from '../../schema/schema.ts'
import { Collection, type Within } from './collection.ts'
import { DocumentForm } from './document-form.ts'
import { MongoCommandError, MongoConflictError } from './errors.ts'
import { LostWrites } from './lost-writes.ts'
import type { MongoStats } from './mongo-metrics.ts'
import { type OperationOptions, Operations, type OutageLog } from './operations.ts'
import type { ResolvedOptions } from './options.ts'

/** What a database and a transaction share: take this where either will do. */
export interface Collections {
  collection<S extends Schema>(name: string, schema: S): Collection<S>
}

export interface MongoTransactionOptions {
  /** Ends what runs in it and refuses more; until the commit is sent, what was done is undone. */
  readonly signal?: AbortSignal | undefined
  /** How often `work` is run again after another transaction came in its way. Default 0: `work` may have effects elsewhere. */
  readonly retries?: number
}

// As in postgres/: two that met draw different times, and come apart.
const FIRST_BACK_OFF_MS = 20
const LONGEST_BACK_OFF_MS = 1000

export class MongoDatabase implements Collections {
  /** The driver's client and database, for what this does not cover. */
  readonly client: MongoClient
  readonly driver: Db
  readonly #operations: Operations
  /** Weak: a handler may make its schema anew for each request. */
  readonly #forms = new WeakMap<Schema, Map<string, DocumentForm>>()
  #hasTransactions: boolean | undefined

  /** Use `connect()` or `mongo()`. */
  constructor(client: MongoClient, driver: Db, where: string, options: ResolvedOptions, log?: OutageLog) {
    this.client = client
    this.driver = driver
    const lostWrites = new LostWrites(client, () => this.#operations.running > 0)
    this.#operations = new Operations({ where, log, ...options }, lostWrites)
  }

  /** Operations running and waiting, in this process. */
  get running(): number {
    return this.#operations.running
  }

  /** What has become of this process's operations, since it opened the pool. */
  get stats(): MongoStats {
    return this.#operations.stats
  }

  /**
   * Cheap, and made anew wherever it is needed: `db.collection('reviews', Review)`. The schema describes the documents without `_id`, which is
   * made by the driver and held as text, or with one of its own.
   *
   * @throws UsageError `MONGO_SCHEMA`, and what a schema that cannot be described throws
   */
  collection<S extends Schema>(name: string, schema: S): Collection<S> {
    return this.#collection(name, schema, {})
  }

  /** Asks the server whether it is there. */
  async ping(options: OperationOptions = {}): Promise<void> {
    await this.#operations.run(options, undefined, ({ signal }) =>
      this.driver.command({ ping: 1 }, signal && { signal }),
    )
  }

  /**
   * Runs `work` in a transaction: committed when it returns, undone when it throws. Only what is done by `tx` is part of it.
   *
   * @throws what `work` throws; MongoConflictError; MongoCommandError `MONGO_NO_TRANSACTIONS` where the server is no replica set
   */
  async transaction<T>(
    work: (tx: Collections) => T | Promise<T>,
    { signal, retries = 0 }: MongoTransactionOptions = {},
  ): Promise<T> {
    await this.#demandTransactions(signal)
    const session = this.client.startSession()
    const tx: Collections = { collection: (name, schema) => this.#collection(name, schema, { session, signal }) }
    try {
      for (let attempt = 1; ; attempt++) {
        signal?.throwIfAborted()
        session.startTransaction()
        const backOffMs = Math.random() * Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** attempt)
        try {
          const result = await work(tx)
          signal?.throwIfAborted()
          // Without the signal: whether a commit that was given up on has been done, nobody could tell.
          await this.#operations.run({}, undefined, () => session.commitTransaction())
          return result
        } catch (error) {
          if (session.inTransaction()) await session.abortTransaction().catch(() => {})
          // Nor when the request would be over before the next attempt: a 503 to be asked again is better than a 504.
          const isLast = attempt > retries || backOffMs >= remainingMs(signal)
          if (!(error instanceof MongoConflictError) || isLast) throw error
        }
        await pause(backOffMs, signal)
      }
    } finally {
      await session.endSession()
    }
  }

  /** Takes no more operations and resolves when all connections are closed; what still runs after `withinMs` is cut off. */
  async close(withinMs = 5000): Promise<void> {
    await this.#operations.close(withinMs)
    await this.client.close()
  }

  #collection<S extends Schema>(name: string, schema: S, within: Within): Collection<S> {
    let forms = this.#forms.get(schema)
    if (!forms) this.#forms.set(schema, (forms = new Map()))
    let form = forms.get(name)
    if (!form) forms.set(name, (form = new DocumentForm(schema, `collection ${name}`)))
    return new Collection<S>(this.driver.collection(name), form, this.#operations, within)
  }

  // A server that has none may do the writes one by one and only refuse the commit.
  async #demandTransactions(signal: AbortSignal | undefined): Promise<void> {
    if (this.#hasTransactions === undefined) {
      const hello = await this.#operations.run({ signal }, undefined, given =>
        this.driver.admin().command({ hello: 1 }, given.signal && { signal: given.signal }),
      )
      this.#hasTransactions = hello['setName'] !== undefined || hello['msg'] === 'isdbgrid'
    }
    if (!this.#hasTransactions)
      throw new MongoCommandError(
        'MONGO_NO_TRANSACTIONS',
        'this server has no transactions: MongoDB wants a replica set for them (one member is enough)',
        undefined,
      )
  }
}
