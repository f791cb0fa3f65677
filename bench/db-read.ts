// db-read: one row by key from PostgreSQL for each request, as a statement of its own and through the batch loader.
//
// The database belongs to the bench, not to a server: its processes are on nobody's account, and all servers read the same rows.
import { join } from 'node:path'
import { connect, embeddedPostgres } from 'millrace/postgres'
import { compare, say } from './harness/compare.ts'
import type { Contender } from './harness/contender.ts'
import { gets } from './harness/load-request.ts'
import type { Options } from './harness/options.ts'
import { peerContenders } from './harness/peer-contenders.ts'
import { serve } from './hello.ts'

const ROOT = join(import.meta.dirname, '..')
/** So many that lookups of one moment rarely meet, few enough to lie in PostgreSQL's memory. */
const PRODUCTS = 10_000
const ASKED_FOR = 1_000

export async function dbRead(options: Options): Promise<void> {
  say('starting PostgreSQL')
  const database = await embeddedPostgres({ dataDir: join(ROOT, '.millrace/bench/postgres'), database: 'db_read' })
  try {
    await fill(database.url)
    const env = { DATABASE_URL: database.url }
    const peers = await peerContenders('db-read', ['node-http', 'fastify', 'fastapi'], options.only, env)
    const ours = (name: string, lookup: string, about: string): Contender => ({
      name,
      about: `millrace serve bench/servers/db-read.ts --workers 1, shipped defaults, a pool of ten: ${about}`,
      command: port => ({ ...serve('bench/servers/db-read.ts', port), env: { ...env, LOOKUP: lookup } }),
    })
    await compare(
      {
        contenders: [
          ours('millrace', 'plain', 'a statement for each request'),
          ours('millrace batched', 'batched', 'a statement for the lookups of each loop turn'),
          ...peers.contenders,
        ],
        skipped: peers.skipped,
        references: ['fastify', 'fastapi', 'node-http'],
        requests: gets(Array.from({ length: ASKED_FOR }, (_, i) => `/products/${1 + i * (PRODUCTS / ASKED_FOR)}`)),
        versions: peers.versions,
      },
      options,
    )
  } finally {
    await database.stop()
  }
}

async function fill(url: string): Promise<void> {
  const db = await connect({ url })
  try {
    await db.script(`
      create table if not exists products (
        id int primary key, name text not null, description text not null, category text not null,
        price_cents int not null, stock int not null
      );
      insert into products
        select n, 'Product ' || n, repeat('All there is to say of product ' || n || '. ', 4), 'category-' || n % 20,
          100 + n * 7 % 10000, n % 50
        from generate_series(1, ${PRODUCTS}) n
        on conflict do nothing`)
    // Vacuum and statistics now, and not in the middle of a round.
    await db.script('analyze products')
  } finally {
    await db.close()
  }
}
