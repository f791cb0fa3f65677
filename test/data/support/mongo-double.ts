// A double of MongoDB for tests, and no MongoDB: OP_MSG over TCP on `bson`, documents in memory, queries and updates by `mingo`.
//
// It stands in where neither a server nor FerretDB is there, and for what FerretDB has not: change streams and transactions. It calls itself the
// only member of a replica set. What it does not know it refuses by name, as a server does; it has no users, no journal and no planner.
import { deserialize, Long, ObjectId, serialize, type Document } from 'bson'
import { aggregate, find, updateOne } from 'mingo'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What is answered instead of a result. */
class Refusal extends Error {
  readonly code: number
  readonly facts: Document
  constructor(code: number, message: string, facts: Document = {}) {
    super(message)
    this.code = code
    this.facts = facts
  }
}

interface Index {
  readonly name: string
  readonly key: Document
  readonly unique: boolean
}

interface Stock {
  documents: Document[]
  indexes: Index[]
}

/** Databases and collections by `database.collection`. */
type Stocks = Map<string, Stock>

interface LoggedChange {
  readonly number: number
  readonly event: Document
}

interface Cursor {
  readonly namespace: string
  /** What is left of a list, or undefined for a change stream. */
  rest: Document[]
  stream: { readonly namespace: string; after: number; readonly pipeline: Document[] } | undefined
}

interface Transaction {
  readonly number: string
  /** As everything was when it began, with what it has changed since. */
  readonly view: Stocks
  readonly began: number
  /** Documents that it has changed: another one must not. */
  readonly keys: Set<string>
  readonly changes: (() => void)[]
}

const LAST_WIRE_VERSION = 25

export class MongoDouble {
  /** 'standalone': without a log, as FerretDB and a MongoDB that is no member of a set. */
  readonly #kind: 'replica set' | 'standalone'
  #server: Server | undefined
  #port = 0
  readonly #sockets = new Set<Socket>()
  #stocks: Stocks = new Map()
  /** The number of the last change of a document, by namespace and id: two transactions must not both change one. */
  readonly #touched = new Map<string, number>()
  readonly #log: LoggedChange[] = []
  readonly #cursors = new Map<string, Cursor>()
  #cursorNumber = 0
  readonly #transactions = new Map<string, Transaction>()
  #awaitingChange: (() => void)[] = []

  constructor(kind: 'replica set' | 'standalone' = 'replica set') {
    this.#kind = kind
  }

  /** Listens on a free port of 127.0.0.1; on the same one again when it listened before. What it held it still holds. */
  async start(): Promise<string> {
    const server = createServer(socket => this.#accept(socket))
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    return `mongodb://127.0.0.1:${this.#port}/`
  }

  /** Resets every connection and listens no more, as a process that was killed. Cursors and transactions are gone. */
  async kill(): Promise<void> {
    this.#cursors.clear()
    this.#transactions.clear()
    const closed = once(this.#server!, 'close')
    this.#server!.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#changed()
    await closed
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    let pending: Buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 16 && pending.length >= pending.readInt32LE(0)) {
        const length = pending.readInt32LE(0)
        const message = pending.subarray(0, length)
        pending = pending.subarray(length)
        void this.#answer(message, socket)
      }
    })
  }

  async #answer(message: Buffer, socket: Socket): Promise<void> {
    const requestId = message.readInt32LE(4)
    const command = readCommand(message)
    let reply: Document
    try {
      reply = { ...(await this.#run(command, socket)), ok: 1 }
    } catch (error) {
      const { code, facts } = error instanceof Refusal ? error : new Refusal(2, '')
      reply = { ok: 0, errmsg: (error as Error).message, code, ...facts }
    }
    if (!socket.destroyed) socket.write(writeReply(requestId, reply, message.readInt32LE(12)))
  }

  async #run(command: Document, socket: Socket): Promise<Document> {
    const name = Object.keys(command)[0]!
    const run = COMMANDS[name]
    if (!run) throw new Refusal(59, `no such command: '${name}'`)
    const transaction = this.#transactionOf(command)
    const namespace = `${String(command['$db'])}.${String(command[name])}`
    return run.call(this, command, namespace, transaction, socket)
  }

  #transactionOf(command: Document): Transaction | undefined {
    if (command['autocommit'] !== false) return undefined
    const session = String((command['lsid'] as { id: { toString(): string } }).id)
    const number = String(command['txnNumber'])
    let transaction = this.#transactions.get(session)
    if (command['startTransaction'] === true) {
      const view: Stocks = new Map()
      for (const [name, stock] of this.#stocks)
        view.set(name, { documents: [...stock.documents], indexes: stock.indexes })
      transaction = { number, view, began: this.#log.length, keys: new Set(), changes: [] }
      this.#transactions.set(session, transaction)
    }
    if (transaction?.number !== number)
      throw new Refusal(251, 'no such transaction', { errorLabels: ['TransientTransactionError'] })
    return transaction
  }

  #stock(namespace: string, transaction: Transaction | undefined): Stock {
    const stocks = transaction?.view ?? this.#stocks
    let stock = stocks.get(namespace)
    if (!stock) stocks.set(namespace, (stock = { documents: [], indexes: [ID_INDEX] }))
    return stock
  }

  hello(): Document {
    const me = `127.0.0.1:${this.#port}`
    return {
      isWritablePrimary: true,
      helloOk: true,
      ...(this.#kind === 'replica set'
        ? { setName: 'double', setVersion: 1, hosts: [me], primary: me, me, secondary: false }
        : {}),
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      localTime: new Date(),
      logicalSessionTimeoutMinutes: 30,
      minWireVersion: 0,
      maxWireVersion: LAST_WIRE_VERSION,
      readOnly: false,
    }
  }

  insert(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    return this.#writes(command['documents'] as Document[], command, document => {
      const stored = '_id' in document ? document : { _id: new ObjectId(), ...document }
      const stock = this.#stock(namespace, transaction)
      this.#refuseDuplicate(stock, namespace, stored)
      stock.documents.push(stored)
      this.#note(namespace, transaction, 'insert', stored['_id'], stored)
      return { n: 1 }
    })
  }

  update(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    return this.#writes(command['updates'] as Document[], command, ({ q, u, multi, upsert }: Document) => {
      const stock = this.#stock(namespace, transaction)
      const matching = select(stock, q as Document, multi === true ? undefined : 1)
      if (matching.length === 0 && upsert === true) {
        const made = changed({ ...equalities(q as Document) }, u as Document, true)
        const stored = '_id' in made ? made : { _id: new ObjectId(), ...made }
        this.#refuseDuplicate(stock, namespace, stored)
        stock.documents.push(stored)
        this.#note(namespace, transaction, 'insert', stored['_id'], stored)
        return { n: 1, nModified: 0, upserted: stored['_id'] }
      }
      let nModified = 0
      for (const document of matching)
        if (this.#change(stock, namespace, transaction, document, u as Document)) nModified++
      return { n: matching.length, nModified }
    })
  }

  delete(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    return this.#writes(command['deletes'] as Document[], command, ({ q, limit }: Document) => {
      const stock = this.#stock(namespace, transaction)
      const matching = select(stock, q as Document, limit === 1 ? 1 : undefined)
      for (const document of matching) this.#remove(stock, namespace, transaction, document)
      return { n: matching.length }
    })
  }

  findAndModify(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    const stock = this.#stock(namespace, transaction)
    const [document] = select(stock, (command['query'] ?? {}) as Document, 1, command['sort'] as Document | undefined)
    if (command['remove'] === true) {
      if (document) this.#remove(stock, namespace, transaction, document)
      return { value: document ?? null, lastErrorObject: { n: document ? 1 : 0 } }
    }
    if (!document) {
      if (command['upsert'] !== true) return { value: null, lastErrorObject: { n: 0, updatedExisting: false } }
      const q = command['query'] as Document
      this.update({ updates: [{ q, u: command['update'] as Document, upsert: true }] }, namespace, transaction)
      const made = stock.documents.at(-1)!
      return {
        value: command['new'] === true ? made : null,
        lastErrorObject: { n: 1, upserted: made['_id'] as unknown },
      }
    }
    this.#change(stock, namespace, transaction, document, command['update'] as Document)
    const after = stock.documents.find(one => same(one['_id'], document['_id']))
    return { value: command['new'] === true ? after : document, lastErrorObject: { n: 1, updatedExisting: true } }
  }

  find(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    const { filter = {}, sort, skip = 0, limit = 0, projection, batchSize = 101 } = command
    let cursor = find<Document>(
      this.#stock(namespace, transaction).documents,
      filter as Document,
      projection as Document,
    )
    if (sort) cursor = cursor.sort(sort as Document)
    if (skip) cursor = cursor.skip(Number(skip))
    if (limit) cursor = cursor.limit(Math.abs(Number(limit)))
    return this.#cursor(namespace, cursor.all(), Number(batchSize), command['singleBatch'] === true)
  }

  aggregate(command: Document, namespace: string, transaction: Transaction | undefined): Document {
    const pipeline = command['pipeline'] as Document[]
    const batchSize = Number((command['cursor'] as Document | undefined)?.['batchSize'] ?? 101)
    const opened = pipeline[0]?.['$changeStream'] as Document | undefined
    if (opened && this.#kind === 'standalone')
      throw new Refusal(40573, 'The $changeStream stage is only supported on replica sets')
    if (opened) return this.#openStream(namespace, opened, pipeline.slice(1))
    return this.#cursor(namespace, aggregate(this.#stock(namespace, transaction).documents, pipeline), batchSize, false)
  }

  async getMore(command: Document): Promise<Document> {
    const id = String(command['getMore'])
    const cursor = this.#cursors.get(id)
    if (!cursor) throw new Refusal(43, `cursor id ${id} not found`)
    if (cursor.stream) return this.#moreChanges(id, cursor, Number(command['maxTimeMS'] ?? 1000))
    const nextBatch = cursor.rest.splice(0, Number(command['batchSize'] ?? 1000))
    if (cursor.rest.length === 0) this.#cursors.delete(id)
    return { cursor: { id: Long.fromString(cursor.rest.length === 0 ? '0' : id), ns: cursor.namespace, nextBatch } }
  }

  killCursors(command: Document): Document {
    const cursors = command['cursors'] as Long[]
    const cursorsKilled = cursors.filter(id => this.#cursors.delete(String(id)))
    this.#changed()
    return { cursorsKilled, cursorsNotFound: [], cursorsAlive: [], cursorsUnknown: [] }
  }

  createIndexes(command: Document, namespace: string): Document {
    const stock = this.#stock(namespace, undefined)
    for (const { key, name, unique } of command['indexes'] as Document[]) {
      const index = { key: key as Document, name: String(name), unique: unique === true }
      if (stock.indexes.some(({ name }) => name === index.name)) continue
      for (const document of stock.documents) this.#refuseDuplicate({ ...stock, indexes: [index] }, namespace, document)
      stock.indexes = [...stock.indexes, index]
    }
    return {}
  }

  dropDatabase(command: Document): Document {
    for (const name of [...this.#stocks.keys()])
      if (name.startsWith(`${String(command['$db'])}.`)) this.#stocks.delete(name)
    return {}
  }

  commitTransaction(command: Document, _: string, transaction: Transaction | undefined): Document {
    if (!transaction) throw new Refusal(251, 'no such transaction')
    for (const change of transaction.changes) change()
    this.#transactions.delete(String((command['lsid'] as Document)['id']))
    return {}
  }

  abortTransaction(command: Document): Document {
    this.#transactions.delete(String((command['lsid'] as Document)['id']))
    return {}
  }

  /** One after another; an ordered list ends with the first that is refused. */
  #writes(items: Document[], { ordered }: Document, write: (item: Document) => Document): Document {
    const reply: Document = { n: 0 }
    const writeErrors: Document[] = []
    const upserted: Document[] = []
    for (const [index, item] of items.entries()) {
      try {
        const { n, nModified, upserted: made } = write(item)
        reply['n'] += n as number
        if (nModified !== undefined)
          reply['nModified'] = ((reply['nModified'] as number | undefined) ?? 0) + (nModified as number)
        if (made !== undefined) upserted.push({ index, _id: made as unknown })
      } catch (error) {
        // Of a transaction it is the whole command that fails.
        if (!(error instanceof Refusal) || error.code === WRITE_CONFLICT) throw error
        writeErrors.push({ index, code: error.code, errmsg: error.message, ...error.facts })
        if (ordered !== false) break
      }
    }
    return {
      ...reply,
      ...(writeErrors.length > 0 ? { writeErrors } : {}),
      ...(upserted.length > 0 ? { upserted } : {}),
    }
  }

  #change(
    stock: Stock,
    namespace: string,
    transaction: Transaction | undefined,
    document: Document,
    by: Document,
  ): boolean {
    const after = changed(document, by, false)
    if (same(after, document)) return false
    const others = stock.documents.filter(one => one !== document)
    this.#refuseDuplicate({ ...stock, documents: others }, namespace, after)
    this.#note(namespace, transaction, isReplacement(by) ? 'replace' : 'update', after['_id'], after)
    stock.documents = stock.documents.map(one => (one === document ? after : one))
    return true
  }

  #remove(stock: Stock, namespace: string, transaction: Transaction | undefined, document: Document): void {
    this.#note(namespace, transaction, 'delete', document['_id'], undefined)
    stock.documents = stock.documents.filter(one => one !== document)
  }

  /** Writes a change into the log: at once, or when its transaction commits. @throws Refusal for a conflict of transactions */
  #note(
    namespace: string,
    transaction: Transaction | undefined,
    kind: string,
    id: unknown,
    document: Document | undefined,
  ): void {
    const key = `${namespace} ${Buffer.from(serialize({ id })).toString('base64')}`
    const touched = this.#touched.get(key)
    const isTaken = [...this.#transactions.values()].some(other => other !== transaction && other.keys.has(key))
    if (isTaken || (transaction && touched !== undefined && touched > transaction.began))
      throw new Refusal(WRITE_CONFLICT, 'WriteConflict', { errorLabels: ['TransientTransactionError'] })
    const note = () => {
      const number = this.#log.length + 1
      this.#touched.set(key, number)
      const [db, ...rest] = namespace.split('.')
      const event = {
        _id: { _data: number.toString(16).padStart(16, '0') },
        operationType: kind,
        ns: { db, coll: rest.join('.') },
        documentKey: { _id: id },
        ...(document && kind !== 'update' ? { fullDocument: document } : {}),
      }
      this.#log.push({ number, event })
      this.#changed()
    }
    if (!transaction) return note()
    transaction.keys.add(key)
    transaction.changes.push(() => {
      const stock = this.#stock(namespace, undefined)
      const others = stock.documents.filter(one => !same(one['_id'], id))
      stock.documents = document ? [...others, document] : others
      note()
    })
  }

  #changed(): void {
    for (const go of this.#awaitingChange.splice(0)) go()
  }

  #refuseDuplicate(stock: Stock, namespace: string, document: Document): void {
    for (const { name, key, unique } of [ID_INDEX, ...stock.indexes]) {
      if (!unique) continue
      const values = (of: Document) => Object.keys(key).map(field => of[field] as unknown)
      const wanted = values(document)
      if (!stock.documents.some(one => one !== document && same(values(one), wanted))) continue
      const text = Object.keys(key)
        .map((field, n) => `${field}: ${JSON.stringify(wanted[n])}`)
        .join(', ')
      throw new Refusal(
        11000,
        `E11000 duplicate key error collection: ${namespace} index: ${name} dup key: { ${text} }`,
        {
          keyPattern: key,
          keyValue: Object.fromEntries(Object.keys(key).map((field, n) => [field, wanted[n]])),
        },
      )
    }
  }

  #cursor(namespace: string, documents: Document[], batchSize: number, isSingle: boolean): Document {
    const firstBatch = documents.slice(0, batchSize)
    const rest = documents.slice(batchSize)
    if (rest.length === 0 || isSingle) return { cursor: { id: Long.ZERO, ns: namespace, firstBatch } }
    const id = String(++this.#cursorNumber)
    this.#cursors.set(id, { namespace, rest, stream: undefined })
    return { cursor: { id: Long.fromString(id), ns: namespace, firstBatch } }
  }

  #openStream(namespace: string, opened: Document, pipeline: Document[]): Document {
    const token = (opened['resumeAfter'] ?? opened['startAfter']) as Document | undefined
    const after = token === undefined ? this.#log.length : parseInt(String(token['_data']), 16)
    const id = String(++this.#cursorNumber)
    this.#cursors.set(id, { namespace, rest: [], stream: { namespace, after, pipeline } })
    return { cursor: { id: Long.fromString(id), ns: namespace, firstBatch: [], postBatchResumeToken: tokenOf(after) } }
  }

  /** Waits for changes as a server does: until there is one, for as long as it was asked to. */
  async #moreChanges(id: string, cursor: Cursor, waitMs: number): Promise<Document> {
    const stream = cursor.stream!
    const deadlineMs = Date.now() + waitMs
    for (;;) {
      const news = this.#log.slice(stream.after).filter(({ event }) => isOf(event, stream.namespace))
      stream.after = this.#log.length
      const nextBatch = aggregate(
        news.map(({ event }) => ({
          ...event,
          fullDocument: event['fullDocument'] ?? this.#current(stream.namespace, event),
        })),
        stream.pipeline,
      )
      if (nextBatch.length > 0 || Date.now() >= deadlineMs || !this.#cursors.has(id))
        return {
          cursor: {
            id: Long.fromString(id),
            ns: cursor.namespace,
            nextBatch,
            postBatchResumeToken: tokenOf(stream.after),
          },
        }
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, deadlineMs - Date.now())
        this.#awaitingChange.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** `updateLookup`: the document as it is now. */
  #current(namespace: string, event: Document): Document | null {
    const id = (event['documentKey'] as Document)['_id'] as unknown
    return this.#stocks.get(namespace)?.documents.find(one => same(one['_id'], id)) ?? null
  }
}

const WRITE_CONFLICT = 112
const ID_INDEX: Index = { name: '_id_', key: { _id: 1 }, unique: true }

type Command = (
  this: MongoDouble,
  command: Document,
  namespace: string,
  transaction: Transaction | undefined,
  socket: Socket,
) => Document | Promise<Document>

const { prototype } = MongoDouble
const COMMANDS: Readonly<Record<string, Command>> = {
  hello: prototype.hello,
  isMaster: prototype.hello,
  ismaster: prototype.hello,
  ping: () => ({}),
  endSessions: () => ({}),
  insert: prototype.insert,
  update: prototype.update,
  delete: prototype.delete,
  findAndModify: prototype.findAndModify,
  find: prototype.find,
  aggregate: prototype.aggregate,
  getMore: prototype.getMore,
  killCursors: prototype.killCursors,
  createIndexes: prototype.createIndexes,
  dropDatabase: prototype.dropDatabase,
  commitTransaction: prototype.commitTransaction,
  abortTransaction: prototype.abortTransaction,
}

const OP_MSG = 2013
const OP_QUERY = 2004
const OP_REPLY = 1

/** OP_MSG with its sections; the first hello of a driver comes as OP_QUERY. */
function readCommand(message: Buffer): Document {
  if (message.readInt32LE(12) === OP_QUERY) {
    const nameEnd = message.indexOf(0, 20)
    const start = nameEnd + 9
    return { ...deserialize(message.subarray(start, start + message.readInt32LE(start))), $db: 'admin' }
  }
  const hasChecksum = (message.readInt32LE(16) & 1) !== 0
  const end = message.length - (hasChecksum ? 4 : 0)
  let command: Document = {}
  const lists: Document = {}
  for (let at = 20; at < end;) {
    const kind = message[at++]
    const size = message.readInt32LE(at)
    if (kind === 0) command = deserialize(message.subarray(at, at + size))
    else {
      const nameEnd = message.indexOf(0, at + 4)
      const list: Document[] = []
      for (let from = nameEnd + 1; from < at + size; from += message.readInt32LE(from))
        list.push(deserialize(message.subarray(from, from + message.readInt32LE(from))))
      lists[message.toString('utf8', at + 4, nameEnd)] = list
    }
    at += size
  }
  return { ...command, ...lists }
}

function writeReply(responseTo: number, reply: Document, opcode: number): Buffer {
  const body = serialize(reply, { ignoreUndefined: true })
  const isQuery = opcode === OP_QUERY
  const head = Buffer.alloc(isQuery ? 36 : 21)
  head.writeInt32LE(head.length + body.length, 0)
  head.writeInt32LE(responseTo, 8)
  head.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12)
  if (isQuery) head.writeInt32LE(1, 32)
  return Buffer.concat([head, body])
}

function select({ documents }: Stock, query: Document, limit?: number, sort?: Document): Document[] {
  let cursor = find<Document>(documents, query)
  if (sort) cursor = cursor.sort(sort)
  if (limit !== undefined) cursor = cursor.limit(limit)
  return cursor.all()
}

function isReplacement(by: Document): boolean {
  return !Object.keys(by).some(name => name.startsWith('$'))
}

/** @returns the document as it is after, a new one. @param isNew  `$setOnInsert` counts */
function changed(document: Document, by: Document, isNew: boolean): Document {
  if (isReplacement(by)) return { ...('_id' in document ? { _id: document['_id'] as unknown } : {}), ...by }
  const { $setOnInsert, ...rest } = by
  const copies = [deserialize(serialize(document))]
  if (Object.keys(rest).length > 0) updateOne(copies, {}, rest)
  return isNew ? { ...copies[0], ...($setOnInsert as Document | undefined) } : copies[0]!
}

/** What an upsert takes from its query: the fields that are compared by equality. */
function equalities(query: Document): Document {
  const fields: Document = {}
  for (const [name, value] of Object.entries(query)) {
    const operand = value as Document | null
    if (typeof operand === 'object' && operand !== null && '$eq' in operand) fields[name] = operand['$eq'] as unknown
    else if (name === '$and') for (const part of value as Document[]) Object.assign(fields, equalities(part))
  }
  return fields
}

function same(one: unknown, other: unknown): boolean {
  return Buffer.from(serialize({ v: one })).equals(serialize({ v: other }))
}

function isOf(event: Document, namespace: string): boolean {
  const { db, coll } = event['ns'] as { db: string; coll: string }
  return `${db}.${coll}` === namespace
}

function tokenOf(number: number): Document {
  return { _data: number.toString(16).padStart(16, '0') }
}
