// shop-read: one product of the shop, from the cache, over the real database that fills it; beside our own hello in the same run.
//
// Beside it Fastify and FastAPI with their caches in Redis, where there is a redis-server.
//
// The database belongs to the bench, not to a server: its processes are on nobody's account, and all servers read the same rows.
import { join } from 'node:path'
import { embeddedPostgres } from 'millrace/postgres'
import { compare, say } from './harness/compare.ts'
import type { Contender } from './harness/contender.ts'
import { gets } from './harness/load-request.ts'
import type { Options } from './harness/options.ts'
import { peerContenders } from './harness/peer-contenders.ts'
import { installPeer, peerPath } from './harness/peers.ts'
import { millraceHello, serve } from './hello.ts'
import { startRedis } from './redis.ts'

const ROOT = join(import.meta.dirname, '..')
/** Enough keys that no single one is special, few enough to stay cached. */
const PRODUCTS = 1_000

/**
 * A product is kept for a minute, and a server's turn comes as seldom: all would be loaded anew within it, 1,000 loads in a few seconds. At this
 * pace that happens once in five million requests, not once in 400,000; so each turn begins when they are there.
 */
const SETTLE_SECONDS = 1

export async function shopRead(options: Options): Promise<void> {
  const versions = await installPeer('fastify')
  say('starting PostgreSQL; the first time, the shop then puts 100,000 products into it')
  const database = await embeddedPostgres({ dataDir: join(ROOT, '.millrace/bench/postgres'), database: 'shop' })
  const env = { DATABASE_URL: database.url }
  const shop: Contender = {
    name: 'millrace',
    about: 'millrace serve examples/shop/app.ts --workers 1, shipped defaults: finished bytes from the first tier',
    command: port => ({ ...serve('examples/shop/app.ts', port), env }),
  }
  const fastify: Contender = {
    name: 'fastify',
    about: 'Fastify with lru-cache in the process, one load per key, over the same database',
    command: port => ({ file: process.execPath, args: [peerPath('fastify', 'shop-read.js'), String(port)], env }),
  }
  const hello: Contender = { ...millraceHello, name: 'our hello' }
  const redis = await startRedis().catch((error: unknown) => (error as Error).message)
  try {
    const withRedis =
      typeof redis === 'string'
        ? { contenders: [], skipped: [`fastify-redis, fastapi-redis: ${redis}`], versions: {} }
        : await peerContenders('shop-read-redis', ['fastify', 'fastapi'], [], { ...env, REDIS_URL: redis.url })
    const peers = withRedis.contenders.map(({ name, about, command }) => ({
      name: `${name}-redis`,
      about: `${about}; products in Redis, over the same database`,
      command,
    }))
    await compare(
      {
        contenders: [hello, shop, fastify, ...peers],
        skipped: withRedis.skipped,
        settleSeconds: SETTLE_SECONDS,
        references: ['our hello', 'fastify', ...peers.map(({ name }) => name)],
        requests: gets(Array.from({ length: PRODUCTS }, (_, i) => `/products/${i + 1}`)),
        // As many, so that the load comes at the same pace: with one path wrk sends the same bytes again, and faster.
        requestsOf: { 'our hello': gets(Array.from({ length: PRODUCTS }, () => '/')) },
        versions: {
          ...versions,
          ...withRedis.versions,
          ...(typeof redis === 'string' ? {} : { 'redis-server': redis.version }),
        },
      },
      options,
    )
  } finally {
    if (typeof redis !== 'string') await redis.stop()
    await database.stop()
  }
}
