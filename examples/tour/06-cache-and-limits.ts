// How does it stay kind under load?
import { setTimeout as sleep } from 'node:timers/promises'
import { App, cache } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Cache and limits', version: '1.0.0' })
const params = z.object({ currency: z.string().length(3) })
let loads = 0

// One load per key and worker, however many ask; then a hit sends the finished bytes.
app.get(
  '/rates/{currency}',
  { params, cache: { ttl: '1m', staleFor: '10m', tags: ({ params }) => [`rate:${params.currency}`] } },
  ({ params }) => ({ currency: params.currency, loads: ++loads }),
)

// Resolves when every worker has dropped the old value.
app.post('/rates/{currency}/changed', { params, returns: { 204: null } }, async ({ params }) => {
  await cache.invalidate(`rate:${params.currency}`)
})

// Two at a time in each worker; one more may wait; the next is refused at once.
app.get('/report', { limit: { concurrent: 2, queue: 1 }, priority: 'sheddable' }, async ({ signal }) => {
  await sleep(1000, undefined, { signal })
  return { rows: 3 }
})

// `signal` aborts when the time is up, and when the client goes away.
app.get('/slow', { timeout: '100ms' }, async ({ signal }) => {
  await sleep(60_000, undefined, { signal })
  return { late: true }
})

// After the answer has left; a drain waits for it.
app.post('/orders', { returns: { 202: z.object({ accepted: z.boolean() }) } }, ({ defer, log }) => {
  defer(() => log.info('an e-mail would go out now'))
  return { accepted: true }
})

export default app
