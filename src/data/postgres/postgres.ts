// `postgres()`: the database as a dependency, one pool for each worker, opened before the first request and closed after the last.
import { dependency, type Dependency } from '../../app/dependency.ts'
import { declarePool, declareService } from '../../core/host.ts'
import { connect, databaseUrl } from './connect.ts'
import type { Database } from './database.ts'
import { embeddedSpec } from './embedded-service.ts'
import type { PostgresOptions } from './options.ts'
import { watchRepeats } from './repeated-statements.ts'
import { followPlan } from './planned-pool.ts'
import { poolSpec } from './pool-demand.ts'

/**
 * ```ts
 * export const db = postgres()
 * app.get('/products', { uses: { db } }, ({ db }) => db.sql`select * from products limit 20`)
 * ```
 *
 * The worker is ready once the database answers; until then it keeps trying and says so. Without a URL (option or DATABASE_URL) an embedded
 * server is declared, which the supervisor starts before the first worker and stops after the last.
 *
 * Its pool gets as many connections as fit into the server's `max_connections` when every worker on every host has as many: pool-plan.ts.
 *
 * Call it where the app's modules are loaded, not inside a handler.
 */
export function postgres(options: PostgresOptions = {}): Dependency<Database, 'worker'> {
  if (databaseUrl(options) === undefined && options.embedded !== false)
    declareService(embeddedSpec(options.embedded ?? {}))
  declarePool(poolSpec(options))
  return dependency({ scope: 'worker', name: 'postgres' }, async function* ({ signal, log }) {
    const connected = await connect({ ...options, signal, log })
    const { NODE_ENV } = process.env
    const database = NODE_ENV === 'development' ? watchRepeats(connected, log) : connected
    let unfollow = (): void => {}
    try {
      unfollow = await followPlan(database, options, log)
      yield database
    } finally {
      unfollow()
      await database.close()
    }
  })
}
