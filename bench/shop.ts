// shop: the whole shop as its customers use it: 80 % product reads (few products by many people), 10 % searches, 5 % carts, 4 % orders, 1 % changes of
// stock, from thousands of connections that think in between, on two workers, PostgreSQL and, where there is one, Redis.
//
// First the capacity: the same mix from connections that do not think. Then the load, at a given share of it; what counts are errors, latencies,
// how much came from the cache, and how many queries that saved. The client shares the two cores with workers and database.
import { join } from 'node:path'
import { connect, type Database, embeddedPostgres } from 'millrace/postgres'
import type { ShopMix, ShopMixReport } from './clients/shop-mix.ts'
import { say } from './harness/compare.ts'
import { start, type Command, type Contender } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { usageOfTree } from './harness/process-tree.ts'
import { aligned, writeResult } from './harness/report.ts'
import { startRedis } from './redis.ts'

const ROOT = join(import.meta.dirname, '..')
const WORKERS = 2
const PRODUCTS = 100_000
/** At most 0.70 by the rule of the bench; a little less, because what is measured varies. */
const SHARE_OF_CAPACITY = 0.6
const CAPACITY_CONNECTIONS = 64
const ADMIN_KEY = 'the key of the bench'
/** What people read before they go on, at least: below it they would not be people, and above it the load is lower than the share. */
const LEAST_THINK_MS = 500

/** From the metrics of all workers together. */
interface Counts {
  readonly fresh: number
  readonly stale: number
  readonly misses: number
  readonly loads: number
}

export async function shop(options: Options): Promise<void> {
  await allowDescriptors(3 * options.connections + 1_000)
  const redis = await startRedis().catch((error: unknown) => {
    say(`without Redis: ${(error as Error).message}`)
  })
  say('starting PostgreSQL; the first time, the shop then puts 100,000 products into it')
  const database = await embeddedPostgres({ dataDir: join(ROOT, '.millrace/bench/postgres'), database: 'shop' })
  const env = {
    DATABASE_URL: database.url,
    SHOP_ADMIN_KEY: ADMIN_KEY,
    SHOP_OUTBOX: join(ROOT, '.millrace/bench/outbox'),
    ...(redis ? { REDIS_URL: redis.url } : {}),
  }
  const contender: Contender = { name: 'millrace', about: '', command: port => ({ ...serveShop(port), env }) }
  const running = await start(contender, [], { path: '/products/1' })
  const db = await connect({ url: database.url, maxConnections: 1 })
  const client = helper('shop-mix.ts', [])
  try {
    // Nothing is to be sold out: that is the business of tests.
    await db.sql`update products set stock = 1000000 where stock < 1000000`
    const port = Number(new URL(running.origin).port)
    const mix = { port, products: PRODUCTS, adminKey: ADMIN_KEY }
    const ask = (more: Pick<ShopMix, 'connections' | 'thinkMs' | 'seconds'>) =>
      client.ask<ShopMixReport>({ ...mix, ...more } satisfies ShopMix)
    const capacitySeconds = Math.max(2, Math.min(10, options.seconds))
    const still = { connections: CAPACITY_CONNECTIONS, thinkMs: 0 }
    say('warming up')
    await ask({ ...still, seconds: options.warmUpSeconds })
    say(`capacity: ${CAPACITY_CONNECTIONS} connections that do not think, ${capacitySeconds} s`)
    const capacity = (await ask({ ...still, seconds: capacitySeconds })).perSecond
    const thinkMs = Math.max(LEAST_THINK_MS, (options.connections / (SHARE_OF_CAPACITY * capacity)) * 1_000)
    say(`load: ${options.connections} connections, ${(thinkMs / 1_000).toFixed(1)} s to think, ${options.seconds} s`)
    const before = { counts: await countsOf(port), queries: await queries(db), cpuMs: usageOfTree(running.pid).cpuMs }
    const report = await ask({ connections: options.connections, thinkMs, seconds: options.seconds })
    const after = { counts: await countsOf(port), queries: await queries(db), cpuMs: usageOfTree(running.pid).cpuMs }
    const cached = difference(after.counts, before.counts)
    const asked = cached.fresh + cached.stale + cached.misses
    const figures = {
      capacityPerSecond: capacity,
      shareOfCapacity: report.perSecond / capacity,
      thinkMs,
      ...report,
      cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1_000) / report.answered,
      hitRate: (cached.fresh + cached.stale) / asked,
      // Product and search are one query each where nothing is kept.
      queriesSavedPerSecond: (asked - cached.loads) / options.seconds,
      queriesPerSecond: (after.queries - before.queries) / options.seconds,
    }
    process.stdout.write(`${options.json ? JSON.stringify(figures) : table(figures)}\n`)
    if (!options.save) return
    const about = circumstances(redis ? { redis: redis.version } : {})
    const settings = {
      connections: options.connections,
      seconds: options.seconds,
      workers: WORKERS,
      redis: redis !== undefined,
    }
    say(`written: ${writeResult(about.date, 'shop', { bench: 'shop', ...about, settings, figures })}`)
  } finally {
    await client.stop()
    await db.close()
    await running.stop()
    await database.stop()
    await redis?.stop()
  }
}

type Figures = ShopMixReport & {
  readonly capacityPerSecond: number
  readonly shareOfCapacity: number
  readonly hitRate: number
  readonly queriesPerSecond: number
  readonly queriesSavedPerSecond: number
  readonly cpuUsPerRequest: number
}

function table(figures: Figures): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const errors = Object.entries(figures.errors)
  const sum = errors.reduce((sum, [, count]) => sum + count, 0)
  const lines = [
    ['capacity', `${figures.capacityPerSecond.toFixed(0)} req/s`],
    ['load', `${figures.perSecond.toFixed(0)} req/s, ${percent(figures.shareOfCapacity)} of it`],
    ['errors', sum === 0 ? '0' : `${sum}: ${errors.map(([what, count]) => `${count} x ${what}`).join(', ')}`],
    ['hit rate', percent(figures.hitRate)],
    ['queries saved', `${figures.queriesSavedPerSecond.toFixed(0)} a second`],
    ['transactions left', `${figures.queriesPerSecond.toFixed(0)} a second`],
    ['CPU of the server', `${figures.cpuUsPerRequest.toFixed(0)} us/req`],
    ['most', `${figures.mostMs.toFixed(1)} ms`],
    ['client late, p99', `${figures.lateP99Ms.toFixed(1)} ms`],
  ]
  const kinds = Object.entries(figures.kinds).map(([kind, of]) => [
    kind,
    String(of.answered),
    of.p50Ms.toFixed(2),
    of.p99Ms.toFixed(2),
  ])
  const total = ['all', String(figures.answered), figures.p50Ms.toFixed(2), figures.p99Ms.toFixed(2)]
  return `${aligned([['', 'answered', 'p50 ms', 'p99 ms'], ...kinds, total])}\n\n${aligned(lines)}`
}

function serveShop(port: number): Command {
  const place = ['--host', '127.0.0.1', '--port', String(port), '--admin', `127.0.0.1:${adminOf(port)}`]
  const args = ['serve', join(ROOT, 'examples/shop/app.ts'), '--workers', String(WORKERS), ...place]
  return { file: process.execPath, args: ['--conditions=millrace-source', join(ROOT, 'src/cli/main.ts'), ...args] }
}

/** Beside the port, and free in all likelihood. */
function adminOf(port: number): number {
  return port > 60_000 ? port - 5_000 : port + 5_000
}

async function countsOf(port: number): Promise<Counts> {
  const text = await (await fetch(`http://127.0.0.1:${adminOf(port)}/metrics`)).text()
  const sum = (name: string, label = '') =>
    [...text.matchAll(new RegExp(`^${name}\\{[^}]*${label}[^}]*\\} (\\S+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
  return {
    fresh: sum('millrace_cache_lookups_total', 'found="hits"'),
    stale: sum('millrace_cache_lookups_total', 'found="stale"'),
    misses: sum('millrace_cache_lookups_total', 'found="misses"'),
    loads: sum('millrace_cache_loads_total'),
  }
}

function difference(after: Counts, before: Counts): Counts {
  const of = (name: keyof Counts) => after[name] - before[name]
  return { fresh: of('fresh'), stale: of('stale'), misses: of('misses'), loads: of('loads') }
}

/** Statements outside of transactions are one each for PostgreSQL, too. */
async function queries(db: Database): Promise<number> {
  const row = await db.sql<{ count: string }>`
    select xact_commit as count from pg_stat_database where datname = current_database()`.one()
  return Number(row.count)
}
