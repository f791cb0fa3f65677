// `mongo()`: MongoDB as a dependency, one pool for each worker, opened before the first request and closed after the last.
import { dependency, type Dependency } from '../../app/dependency.ts'
import { provideMetrics } from '../../core/metrics.ts'
import { connect } from './connect.ts'
import type { MongoDatabase } from './database.ts'
import { mongoMetrics } from './mongo-metrics.ts'
import type { MongoOptions } from './options.ts'

/**
 * ```ts
 * export const db = mongo()
 * app.get('/reviews', { uses: { db } }, ({ db }) => db.collection('reviews', Review).find({}, { limit: 20 }))
 * ```
 *
 * The worker is ready once the server answers; until then it keeps trying and says so. The URL is the option's or MONGODB_URL.
 */
export function mongo(options: MongoOptions = {}): Dependency<MongoDatabase, 'worker'> {
  return dependency({ scope: 'worker', name: 'mongo' }, async function* ({ signal, log }) {
    const database = await connect({ ...options, signal, log })
    const endMetrics = provideMetrics(() => mongoMetrics(database.stats))
    try {
      yield database
    } finally {
      endMetrics()
      await database.close()
    }
  })
}
