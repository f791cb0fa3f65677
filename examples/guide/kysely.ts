import { App, dependency } from 'millrace'
import { postgres, type Database, type Transaction } from 'millrace/postgres'
import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type TransactionSettings,
} from 'kysely'
import * as z from 'zod'

/** Kysely on Millrace's pool: a connection is taken for a statement, or for as long as a transaction lasts. */
class MillraceDialect implements Dialect {
  readonly #db: Database
  constructor(db: Database) {
    this.#db = db
  }
  createDriver = () => new MillraceDriver(this.#db)
  createQueryCompiler = () => new PostgresQueryCompiler()
  createAdapter = () => new PostgresAdapter()
  createIntrospector = (db: Kysely<unknown>) => new PostgresIntrospector(db)
}

class MillraceConnection implements DatabaseConnection {
  readonly db: Database
  tx: Transaction | undefined
  constructor(db: Database) {
    this.db = db
  }
  // `.execute({ signal })` ends the statement on the server.
  async executeQuery<R>({ sql, parameters }: CompiledQuery, { signal }: { signal?: AbortSignal } = {}) {
    const query = (this.tx ?? this.db).query<R>(sql, parameters).signal(signal)
    return { rows: await query, numAffectedRows: BigInt(await query.count()) }
  }
  async *streamQuery<R>({ sql, parameters }: CompiledQuery, size: number, { signal }: { signal?: AbortSignal } = {}) {
    const cursor = (this.tx ?? this.db).cursor<R>(sql, parameters).batch(size).signal(signal)
    for await (const rows of cursor.batches()) yield { rows }
  }
}

class MillraceDriver implements Driver {
  readonly #db: Database
  constructor(db: Database) {
    this.#db = db
  }
  init = async () => {}
  destroy = async () => {}
  acquireConnection = () => Promise.resolve(new MillraceConnection(this.#db))
  releaseConnection = async (connection: MillraceConnection) => connection.tx?.close()
  async beginTransaction(connection: MillraceConnection, { isolationLevel, accessMode }: TransactionSettings) {
    const isolation = isolationLevel as 'read committed' | 'repeatable read' | 'serializable' | undefined
    connection.tx = await this.#db.begin({ ...(isolation && { isolation }), readOnly: accessMode === 'read only' })
  }
  commitTransaction = (connection: MillraceConnection) => connection.tx!.commit()
  rollbackTransaction = (connection: MillraceConnection) => connection.tx!.rollback()
}

interface Tables {
  products: { id: number; name: string; price_cents: number; stock: number }
}

const db = postgres()
const tables = dependency(
  { scope: 'worker', uses: { db } },
  ({ db }) => new Kysely<Tables>({ dialect: new MillraceDialect(db) }),
)

const app = new App({ title: 'Stock', version: '1.0.0' })
const Product = z.object({ id: z.int(), name: z.string(), stock: z.int() })

app.get('/products', { returns: z.array(Product), uses: { tables } }, ({ tables, signal }) =>
  tables.selectFrom('products').select(['id', 'name', 'stock']).orderBy('id').limit(20).execute({ signal }),
)

app.post(
  '/products/{id}/sales',
  { params: z.object({ id: z.int() }), returns: { 201: Product, 404: null }, uses: { tables } },
  ({ params, tables, reply }) =>
    tables.transaction().execute(async tx => {
      const sold = await tx
        .updateTable('products')
        .set(({ eb }) => ({ stock: eb('stock', '-', 1) }))
        .where('id', '=', params.id)
        .returning(['id', 'name', 'stock'])
        .executeTakeFirst()
      return sold ?? reply(404, null)
    }),
)

export { MillraceDialect }
export default app
