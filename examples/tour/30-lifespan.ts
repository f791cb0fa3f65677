// How do I keep something for as long as a worker lives?
import { App, dependency } from 'millrace'
import * as z from 'zod'

// Made once in each worker, before its first request; what follows `yield` runs after its last. Here a pool or a client would be opened.
const visits = dependency({ scope: 'worker' }, async function* ({ log, signal }) {
  const counts = new Map<string, number>()
  const timer = setInterval(() => log.info(`${counts.size} pages`), 60_000)
  signal.addEventListener('abort', () => clearInterval(timer))
  yield counts
  log.info(`${counts.size} pages in the end`)
})

// A worker's value may use others: they are made before it and closed after it.
const report = dependency({ scope: 'worker', uses: { visits } }, ({ visits }) => ({
  total: () => [...visits.values()].reduce((sum, n) => sum + n, 0),
}))

const app = new App({
  title: 'Lifespan',
  version: '1.0.0',
  // For what no handler asks for. When it throws before the `yield`, the worker does not start, and nothing is served.
  lifespan: async function* ({ log }) {
    log.info('this worker is up')
    yield
    log.info('this worker is done')
  },
})

app.get('/pages/{name}', { params: z.object({ name: z.string() }), uses: { visits } }, ({ params, visits }) => {
  const count = (visits.get(params.name) ?? 0) + 1
  visits.set(params.name, count)
  return { page: params.name, visits: count }
})

app.get('/total', { uses: { report } }, ({ report }) => ({ total: report.total() }))

export default app
