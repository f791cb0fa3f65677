// query-lanes: what a row by key costs on connections lent to one caller at a time, and on fewer that all callers write to (pipelined).
// For docs/decisions/0007: whether short statements should share connections.
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { connect, embeddedPostgres } from 'millrace/postgres'
import pg from 'pg'
import { Statement, type Columns, type Result, type Wire } from '../src/data/postgres/statement.ts'
import { say } from './harness/compare.ts'
import type { Options } from './harness/options.ts'
import { percentile } from './harness/percentile.ts'
import { aligned } from './harness/report.ts'
import { median } from './harness/rounds.ts'

const ROOT = join(import.meta.dirname, '..')
const CALLERS = 16
const KEYS = 1_000
const TEXT = 'select id, name, description, category, price_cents as "priceCents", stock from products where id = $1'
const FILL = `
  create table if not exists products (
    id int primary key, name text not null, description text not null, category text not null,
    price_cents int not null, stock int not null
  );
  insert into products
    select n, 'Product ' || n, repeat('All there is to say of product ' || n || '. ', 4), 'category-' || n % 20,
      100 + n * 7 % 10000, n % 50
    from generate_series(1, ${KEYS}) n
    on conflict do nothing;
  analyze products`

type Find = (id: number) => Promise<readonly unknown[]>

export async function queryLanes(options: Options): Promise<void> {
  const server = await embeddedPostgres({ dataDir: join(ROOT, '.millrace/bench/postgres'), database: 'query_lanes' })
  const ends: (() => Promise<void>)[] = [() => server.stop()]
  try {
    const lanes: Record<string, Find> = {}
    for (const size of [16, 10, 4]) {
      const db = await connect({ url: server.url, maxConnections: size, minConnections: size })
      ends.unshift(() => db.close(0))
      if (size === 16) await db.script(FILL)
      lanes[`lent, pool of ${size}`] = id => db.query(TEXT, [id], { name: 'find' }).then(rows => rows)
    }
    // The same without our pool and queries, so that only the number of connections differs: 16 is one for each caller.
    for (const size of [16, 4, 2, 1]) {
      const connections = await Promise.all(Array.from({ length: size }, () => SharedConnection.open(server.url)))
      ends.unshift(async () => void (await Promise.all(connections.map(connection => connection.close()))))
      let next = 0
      lanes[size === CALLERS ? 'bare, one each' : `bare, shared ${size}`] = id => connections[next++ % size]!.find(id)
    }
    const figures = Object.entries(lanes).map(([name, find]) => ({
      name,
      find,
      us: [] as number[],
      p99: [] as number[],
    }))
    const perSecond = new Map<string, number[]>()
    for (const { find } of figures) await load(find, options.warmUpSeconds)
    for (let round = 1; round <= options.rounds; round++) {
      say(`round ${round} of ${options.rounds}`)
      for (const { name, find, us, p99 } of figures) {
        const found = await load(find, options.seconds)
        us.push(found.cpuUs)
        p99.push(found.p99Ms)
        perSecond.set(name, [...(perSecond.get(name) ?? []), found.perSecond])
      }
    }
    const rows = figures.map(({ name, us, p99 }) => [
      name,
      median(us).toFixed(1),
      `${Math.min(...us).toFixed(1)}-${Math.max(...us).toFixed(1)}`,
      median(us.map((value, round) => value / figures[0]!.us[round]!)).toFixed(2),
      median(p99).toFixed(2),
      median(perSecond.get(name)!).toFixed(0),
    ])
    process.stdout.write(
      `${aligned([['16 callers', 'us/query', 'spread', '/ pool of 16', 'p99 ms', 'queries/s'], ...rows])}\n`,
    )
  } finally {
    for (const end of ends) await end()
  }
}

async function load(find: Find, seconds: number): Promise<{ cpuUs: number; p99Ms: number; perSecond: number }> {
  const latencies: number[] = []
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  const before = process.cpuUsage()
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let n = caller; ; n += CALLERS) {
        const askedMs = performance.now()
        if (askedMs > endMs) return
        const rows = await find(1 + ((n * 7919) % KEYS))
        if (rows.length !== 1) throw new Error(`${rows.length} rows`)
        latencies.push(performance.now() - askedMs)
      }
    }),
  )
  const { user, system } = process.cpuUsage(before)
  const tookMs = performance.now() - startMs
  latencies.sort((a, b) => a - b)
  return {
    cpuUs: (user + system) / latencies.length,
    p99Ms: percentile(latencies, 99),
    perSecond: (latencies.length / tookMs) * 1000,
  }
}

/** pg's connection with as many statements under way as there are callers, written together at the turn's end: the best case of sharing. */
class SharedConnection {
  readonly #client: pg.Client
  readonly #wire: Wire & { readonly stream: Socket }
  readonly #underWay: Statement[] = []
  #columns: Columns | undefined
  #isCorked = false

  private constructor(client: pg.Client) {
    this.#client = client
    const { connection } = client as unknown as { connection: Wire & { readonly stream: Socket } & NodeJS.EventEmitter }
    this.#wire = connection
    // In place of the client's own listeners, which know one statement at a time.
    const events = ['rowDescription', 'dataRow', 'commandComplete', 'parseComplete', 'readyForQuery', 'errorMessage']
    for (const event of events) connection.removeAllListeners(event)
    connection.on('rowDescription', message => this.#underWay[0]!.handleRowDescription(message as never))
    connection.on('dataRow', message => this.#underWay[0]!.handleDataRow(message as never))
    connection.on('commandComplete', message => this.#underWay[0]!.handleCommandComplete(message as never))
    connection.on('parseComplete', () => (connection.parsedStatements['find'] = TEXT))
    connection.on('readyForQuery', () => this.#underWay.shift()!.handleReadyForQuery())
    connection.on('errorMessage', message => {
      throw message
    })
  }

  static async open(url: string): Promise<SharedConnection> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const connection = new SharedConnection(client)
    // Prepared by one alone: the others find it there.
    await connection.find(1)
    return connection
  }

  find(id: number): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const plan = { text: TEXT, values: [String(id)], name: 'find', columns: this.#columns, evict: undefined }
      const ended = (error: Error | null, result?: Result): void => {
        this.#columns ??= statement.columns
        if (error) reject(error)
        else resolve(result!.rows)
      }
      const statement = new Statement({ ...plan, script: false, isRaw: false }, ended)
      this.#underWay.push(statement)
      if (!this.#isCorked) {
        this.#isCorked = true
        this.#wire.stream.cork()
        process.nextTick(() => {
          this.#isCorked = false
          this.#wire.stream.uncork()
        })
      }
      statement.submit(this.#wire)
    })
  }

  close(): Promise<void> {
    return this.#client.end()
  }
}
