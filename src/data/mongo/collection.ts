// A collection whose documents have a schema: what goes in is validated, what comes out is decoded, and filters cannot be injected into.
import type { Collection as DriverCollection, ClientSession, CreateIndexesOptions, Document } from 'mongodb'
import { anyOf } from '../../core/any-signal.ts'
import type { Out, Schema } from '../../schema/schema.ts'
import { type Changes, watch, type WatchOptions } from './changes.ts'
import { DocumentForm } from './document-form.ts'
import { UnsafeValueError } from './errors.ts'
import { compileFilter, type Filter } from './filter.ts'
import { plainName } from './literal.ts'
import type { Given, OperationOptions, Operations } from './operations.ts'
import { compileUpdate, type Update } from './update.ts'

/** A document as handlers hold it: with the text of its id, unless the schema declares an `_id` of its own. */
export type Stored<S> = Out<S> extends { readonly _id: unknown } ? Out<S> : Out<S> & { readonly _id: string }
/** A document that has no id yet, or one of its own. */
export type Unstored<S> = Out<S> extends { readonly _id: unknown } ? Out<S> : Out<S> & { readonly _id?: string }

export interface FindOptions<T> extends OperationOptions {
  /** 1 ascending, -1 descending; the first field counts most. */
  readonly sort?: { readonly [K in keyof T]?: 1 | -1 }
  readonly limit?: number
  readonly skip?: number
}

export interface UpdateOptions extends OperationOptions {
  /** Makes the document where none matches, of the filter's values and the update, which have to name all that each document has. */
  readonly upsert?: boolean
}

export interface Updated {
  readonly matched: number
  readonly modified: number
  /** Of the document that an upsert made. */
  readonly upsertedId: string | undefined
}

export interface AggregateOptions<R> extends OperationOptions {
  /** What the pipeline gives; its results are validated by it. Default: they are what the server says. */
  readonly returns?: R
}

export interface IndexOptions extends OperationOptions {
  readonly unique?: boolean
  readonly name?: string
  /** Documents are removed this long after the date in the field. */
  readonly expireAfterSeconds?: number
}

/** What is done by a collection of a transaction is done in its session, and for whom the transaction is. */
export interface Within {
  readonly session?: ClientSession
  readonly signal?: AbortSignal | undefined
}

/** Use `db.collection(name, schema)`. */
export class Collection<S extends Schema> {
  /** The driver's own, for what this does not cover. Nothing is validated, nothing refused: never put input into its filters. */
  readonly driver: DriverCollection
  readonly #form: DocumentForm
  readonly #operations: Operations
  readonly #within: Within

  constructor(driver: DriverCollection, form: DocumentForm, operations: Operations, within: Within = {}) {
    this.driver = driver
    this.#form = form
    this.#operations = operations
    this.#within = within
  }

  /** @returns the document as it will be found, with its id. @throws DocumentError, UnsafeValueError, DuplicateKeyError */
  async insert(document: Unstored<S>, options: OperationOptions = {}): Promise<Stored<S>> {
    const stored = this.#form.newToStored(document)
    // Read before it is sent: what could not be read again is not stored.
    const made = this.#read(stored)
    await this.#run(options, given => this.driver.insertOne(stored, given))
    return made
  }

  /** In order; after the first that is refused, no further one is stored. */
  async insertMany(documents: readonly Unstored<S>[], options: OperationOptions = {}): Promise<Stored<S>[]> {
    if (documents.length === 0) return []
    const stored = documents.map(document => this.#form.newToStored(document as object))
    const made = stored.map(document => this.#read(document))
    await this.#run(options, given => this.driver.insertMany(stored, given))
    return made
  }

  /** All that match, in memory: say a limit where there may be many, or use `each`. */
  async find(filter: Filter<Stored<S>>, options: FindOptions<Stored<S>> = {}): Promise<Stored<S>[]> {
    const sought = this.#filter(filter)
    const found = await this.#readBy(options, given =>
      this.driver.find(sought, { ...given, ...page(options) }).toArray(),
    )
    return found.map(stored => this.#read(stored))
  }

  /** One after another, as the server sends them. Ends the cursor when the loop is left. */
  async *each(
    filter: Filter<Stored<S>>,
    options: FindOptions<Stored<S>> = {},
  ): AsyncGenerator<Stored<S>, void, undefined> {
    const sought = this.#filter(filter)
    const operations = this.#operations
    const signal = this.#signal(options)
    operations.enter(signal)
    try {
      const given = await operations.given(signal, this.#within.session, 'operation')
      const cursor = this.driver.find(sought, { ...given, ...page(options) })
      try {
        for (let stored = await cursor.next(); stored !== null; stored = await cursor.next()) yield this.#read(stored)
      } finally {
        await cursor.close().catch(() => {})
      }
    } catch (error) {
      throw operations.failure(error, signal)
    } finally {
      operations.leave()
    }
  }

  async findOne(filter: Filter<Stored<S>>, options: FindOptions<Stored<S>> = {}): Promise<Stored<S> | null> {
    const sought = this.#filter(filter)
    const found = await this.#readBy(options, given => this.driver.findOne(sought, { ...given, ...page(options) }))
    return found && this.#read(found)
  }

  async count(filter: Filter<Stored<S>>, options: OperationOptions = {}): Promise<number> {
    const sought = this.#filter(filter)
    return this.#readBy(options, given => this.driver.countDocuments(sought, given))
  }

  updateOne(filter: Filter<Stored<S>>, update: Update<Stored<S>>, options: UpdateOptions = {}): Promise<Updated> {
    return this.#update(filter, update, options, 'updateOne')
  }

  updateMany(filter: Filter<Stored<S>>, update: Update<Stored<S>>, options: UpdateOptions = {}): Promise<Updated> {
    return this.#update(filter, update, options, 'updateMany')
  }

  /** @returns the document as it is afterwards, or null where none matches */
  async findOneAndUpdate(
    filter: Filter<Stored<S>>,
    update: Update<Stored<S>>,
    options: UpdateOptions & Pick<FindOptions<Stored<S>>, 'sort'> = {},
  ): Promise<Stored<S> | null> {
    const sought = this.#filter(filter)
    const changes = compileUpdate(update as Update<unknown>, this.#form)
    const { upsert = false } = options
    if (upsert) this.#form.fields.makeable(sought, changes)
    const found = await this.#run(options, given =>
      this.driver.findOneAndUpdate(sought, changes, { ...given, ...page(options), upsert, returnDocument: 'after' }),
    )
    return found && this.#read(found)
  }

  /** Puts a whole document in the place of another; the id stays. */
  async replaceOne(filter: Filter<Stored<S>>, document: Unstored<S>, options: UpdateOptions = {}): Promise<Updated> {
    const sought = this.#filter(filter)
    const stored = this.#form.toStored(document)
    const { upsert = false } = options
    const result = await this.#run(options, given => this.driver.replaceOne(sought, stored, { ...given, upsert }))
    return this.#updated(result)
  }

  /** @returns how many were removed: 0 or 1 */
  async deleteOne(filter: Filter<Stored<S>>, options: OperationOptions = {}): Promise<number> {
    const sought = this.#filter(filter)
    return (await this.#run(options, given => this.driver.deleteOne(sought, given))).deletedCount
  }

  async deleteMany(filter: Filter<Stored<S>>, options: OperationOptions = {}): Promise<number> {
    const sought = this.#filter(filter)
    return (await this.#run(options, given => this.driver.deleteMany(sought, given))).deletedCount
  }

  /** The stage that a pipeline begins with, for input: `aggregate([reviews.match({ productId }), { $group: ... }])`. */
  match(filter: Filter<Stored<S>>): { readonly $match: Document } {
    return { $match: this.#filter(filter) }
  }

  /**
   * A pipeline in MongoDB's own words, sent as it is: put input into it by `match` only.
   *
   * @throws DocumentError when a result does not fit `returns`
   */
  async aggregate<R extends Schema = { readonly type: 'object' }>(
    pipeline: readonly Readonly<Document>[],
    options: AggregateOptions<R> = {},
  ): Promise<Out<R>[]> {
    const found = await this.#run(options, given => this.driver.aggregate([...pipeline], given).toArray())
    const form = resultForm(options.returns ?? ANYTHING, `the results of a pipeline on ${this.driver.collectionName}`)
    return found.map(stored => form.fromStored(stored) as Out<R>)
  }

  /** Makes an index where there is none; for start-up, not for requests. */
  async createIndex(keys: { readonly [K in keyof Stored<S>]?: 1 | -1 }, options: IndexOptions = {}): Promise<void> {
    const { signal, ...rest } = options
    await this.#run({ signal }, given =>
      this.driver.createIndex(keys as Record<string, 1 | -1>, { ...given, ...rest } as CreateIndexesOptions),
    )
  }

  /**
   * Each change from now on, or from where another watch ended. After an outage it goes on where it was; it ends with its signal, when the
   * database closes, or with the error that waiting does not mend; that of a document that does not fit has the `resumeToken` to go on by.
   * Wants a replica set. Keeps a connection of the pool busy: one watch for each worker and a `channel()` behind it, not one for each client.
   */
  watch(options: WatchOptions = {}): Changes<Stored<S>> {
    return watch<Stored<S>>(this.driver, this.#form, this.#operations, options)
  }

  async #update(
    filter: Filter<Stored<S>>,
    update: Update<Stored<S>>,
    options: UpdateOptions,
    method: 'updateOne' | 'updateMany',
  ): Promise<Updated> {
    const sought = this.#filter(filter)
    const changes = compileUpdate(update as Update<unknown>, this.#form)
    const { upsert = false } = options
    if (upsert) this.#form.fields.makeable(sought, changes)
    const result = await this.#run(options, given => this.driver[method](sought, changes, { ...given, upsert }))
    return this.#updated(result)
  }

  #updated({ matchedCount, modifiedCount, upsertedId }: Result): Updated {
    const made = upsertedId === null ? undefined : (this.#form.idFromStored(upsertedId) as string)
    return { matched: matchedCount, modified: modifiedCount, upsertedId: made }
  }

  #run<T>(options: OperationOptions, operation: (given: Given) => Promise<T>): Promise<T> {
    return this.#operations.run({ signal: this.#signal(options) }, this.#within.session, operation)
  }

  #readBy<T>(options: OperationOptions, operation: (given: Given) => Promise<T>): Promise<T> {
    return this.#operations.read({ signal: this.#signal(options) }, this.#within.session, operation)
  }

  #signal({ signal }: OperationOptions): AbortSignal | undefined {
    return anyOf(this.#within.signal, signal)
  }

  #filter(filter: Filter<Stored<S>>): Document {
    return compileFilter(filter, this.#form.sought)
  }

  #read(stored: Document): Stored<S> {
    return this.#form.fromStored(stored) as Stored<S>
  }
}

interface Result {
  readonly matchedCount: number
  readonly modifiedCount: number
  readonly upsertedId: unknown
}

const ANYTHING = { type: 'object' } as const
const resultForms = new WeakMap<object, DocumentForm>()

function resultForm(schema: Schema, where: string): DocumentForm {
  let form = resultForms.get(schema)
  if (!form) resultForms.set(schema, (form = new DocumentForm(schema, where)))
  return form
}

function page({ sort, limit, skip }: FindOptions<unknown>): {
  sort?: Record<string, 1 | -1>
  limit?: number
  skip?: number
} {
  return {
    ...(sort === undefined ? {} : { sort: order(sort) }),
    ...(limit === undefined ? {} : { limit: bound(limit, 'limit', 1) }),
    ...(skip === undefined ? {} : { skip: bound(skip, 'skip', 0) }),
  }
}

function order(sort: Readonly<Record<string, unknown>>): Record<string, 1 | -1> {
  for (const [path, direction] of Object.entries(sort)) {
    for (const name of path.split('.')) plainName(name, 'sort')
    if (direction !== 1 && direction !== -1) throw new UnsafeValueError(`sort.${path} is neither 1 nor -1`)
  }
  return sort as Record<string, 1 | -1>
}

// To MongoDB a limit of 0 is none, and one below it means something else again: a client's page size could ask for everything.
function bound(value: number, name: string, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UnsafeValueError(`${name} is ${value}; expected a whole number from ${least}`)
}
