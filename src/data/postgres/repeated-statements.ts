// In development: a request that sends the same statement again and again is told, once for each route and statement, with the line that does.
//
// A list whose every row asks for one more row is quick on ten rows and a laptop, and brings a database down in production. In production
// nothing of this is there: the methods below take the place of the database's own on one that was made for development.
import { currentRequest } from '../../core/current-request.ts'
import { ROUTE_VIEW } from '../../core/route-view.ts'
import { isApplicationFrame } from '../../observe/stack.ts'
import type { Database } from './database.ts'
import type { StartLog } from './log.ts'
import type { RowArraysOptions } from './row-arrays.ts'
import { compileSql, type SqlValue } from './sql.ts'
import type { Transaction, TransactionOptions } from './transaction.ts'

// A page of ten rows with one more statement for each is what this is about; ten different things about one user is not.
const SENT_AT_MOST = 10

const NO_MORE_FOR_MS = 200

// What comes again after so long is not of one loop over rows: a stream of events that looks every second, say.
const APART_MS = 1000

interface Count {
  count: number
  lastMs: number
}

/** The line, and who called it: the line itself may be of a helper that everybody uses. */
const FRAMES = 3

/** @returns the same database, whose statements are counted */
export function watchRepeats(database: Database, log: StartLog): Database {
  return new RepeatedStatements(log).watch(database)
}

class RepeatedStatements {
  readonly #log: StartLog
  readonly #counts = new WeakMap<object, Map<string, Count>>()
  readonly #told = new Set<string>()

  constructor(log: StartLog) {
    this.#log = log
  }

  watch(database: Database): Database {
    const { begin } = database
    const view = database[ROUTE_VIEW]
    // Made when it is asked for, and kept, as the database itself does.
    const replicaOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(database), 'replica')!.get!
    let replica: Database | undefined
    Object.defineProperty(database, 'replica', {
      get: () => (replica ??= this.watch(replicaOf.call(database) as Database)),
    })
    return Object.assign(this.#counting(database), {
      begin: async (options: TransactionOptions = {}) => this.#watchTransaction(await begin.call(database, options)),
      [ROUTE_VIEW]: (route: string) => this.watch(view.call(database, route)),
    })
  }

  #watchTransaction(tx: Transaction): Transaction {
    const { transaction } = tx
    return Object.assign(this.#counting(tx), {
      transaction: <T>(work: (tx: Transaction) => T | Promise<T>) =>
        transaction.call(tx, inner => work(this.#watchTransaction(inner))) as Promise<T>,
    })
  }

  #counting<T extends Database | Transaction>(of: T): T {
    const sql = of.sql.bind(of)
    const query = of.query.bind(of) as (text: string, ...rest: unknown[]) => unknown
    const rowArrays = of.rowArrays.bind(of)
    return Object.assign(of, {
      sql: (strings: TemplateStringsArray, ...values: SqlValue[]) => {
        this.#note(compileSql(strings, values).text)
        return sql(strings, ...values)
      },
      query: (text: string, ...rest: unknown[]) => {
        this.#note(text)
        return query(text, ...rest)
      },
      rowArrays: (text: string, ...rest: [values?: readonly unknown[], options?: RowArraysOptions]) => {
        this.#note(text)
        return rowArrays(text, ...rest)
      },
    })
  }

  #note(text: string): void {
    const request = currentRequest()
    if (request === undefined) return
    let counts = this.#counts.get(request)
    if (counts === undefined) this.#counts.set(request, (counts = new Map()))
    const nowMs = performance.now()
    let one = counts.get(text)
    if (one === undefined || nowMs - one.lastMs > APART_MS) counts.set(text, (one = { count: 0, lastMs: nowMs }))
    one.lastMs = nowMs
    const count = ++one.count
    const { route } = request.record
    const id = `${route} ${text}`
    if (count <= SENT_AT_MOST || this.#told.has(id)) return
    this.#told.add(id)
    const { stack = '' } = new Error()
    this.#whenDone(one, count => this.#tell(route, text, count, stack))
  }

  /** How often is known when no more of them come. */
  #whenDone(one: Count, tell: (count: number) => void): void {
    const { count } = one
    setTimeout(() => {
      if (one.count === count) tell(count)
      else this.#whenDone(one, tell)
    }, NO_MORE_FOR_MS).unref()
  }

  #tell(route: string, text: string, count: number, stack: string): void {
    const at = stack
      .split('\n')
      .filter(line => /^ +at /.test(line) && isApplicationFrame(line))
      .slice(0, FRAMES)
      .map(frame =>
        frame
          .trim()
          .replace(/^at (?:async )?/, '')
          .replace('file://', ''),
      )
      .join(' < ')
    this.#log.warn(
      { route, count, statement: text.replace(/\s+/g, ' ').trim(), at },
      `one request sent the same statement ${count} times; ${wayOutOf(text)}`,
    )
  }
}

function wayOutOf(text: string): string {
  const [word = ''] = /^\s*\w+/.exec(text) ?? []
  switch (word.trim().toLowerCase()) {
    case 'insert':
      return 'one can insert many rows: select ... from unnest($1::int[], ...), or db.copyFrom'
    case 'update':
    case 'delete':
      return 'one can change many rows: where id = any($1)'
    default:
      return 'lookups by key become one statement by db.loader'
  }
}
