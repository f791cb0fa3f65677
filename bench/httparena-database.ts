// npm run bench -- crud, async-db and api: HttpArena's profiles with a database, our entry beside FastAPI with asyncpg and Elysia on Bun.
//
// Database and Redis belong to the bench, not to a server: their processes are on nobody's account, and all servers use the same ones.
import { join } from 'node:path'
import { embeddedPostgres } from 'millrace/postgres'
import { fillItems } from './arena-items.ts'
import { DATABASE_PROFILES, type DatabaseProfileName, proveCrud } from './database-profiles.ts'
import { compare, say } from './harness/compare.ts'
import type { Contender } from './harness/contender.ts'
import type { Options } from './harness/options.ts'
import { peerContenders } from './harness/peer-contenders.ts'
import { serve } from './hello.ts'
import { DATASET } from './profiles.ts'
import { startRedis } from './redis.ts'

const ROOT = join(import.meta.dirname, '..')
/** Of each server: as many as fit the default max_connections for all of them, and more than two cores keep busy. */
const CONNECTIONS = '16'

export function databaseProfile(name: DatabaseProfileName): (options: Options) => Promise<void> {
  return async options => {
    // HttpArena has one beside the servers for this profile. Peers share their reads by it.
    const redis = name === 'crud' ? await startRedis() : undefined
    say('starting PostgreSQL')
    const dataDir = join(ROOT, '.millrace/bench/postgres')
    const database = await embeddedPostgres({ dataDir, database: 'arena' })
    try {
      await fillItems(database.url)
      const env = {
        DATASET_PATH: DATASET,
        DATABASE_URL: database.url,
        DATABASE_MAX_CONN: CONNECTIONS,
        ...(redis ? { REDIS_URL: redis.url } : {}),
      }
      const peers = await peerContenders('httparena', ['elysia', 'fastapi'], options.only, env)
      const millrace: Contender = {
        name: 'millrace',
        about:
          'millrace serve bench/httparena/app.ts --workers 1, shipped defaults; supervisor and worker counted together',
        command: port => ({ ...serve('bench/httparena/app.ts', port), env }),
      }
      await compare(
        {
          ...DATABASE_PROFILES[name](),
          ...(name === 'crud' ? { prove: proveCrud } : {}),
          contenders: [millrace, ...peers.contenders],
          skipped: peers.skipped,
          references: ['elysia', 'fastapi'],
          versions: { ...peers.versions, ...(redis ? { redis: redis.version } : {}) },
        },
        options,
      )
    } finally {
      await database.stop()
      await redis?.stop()
    }
  }
}
