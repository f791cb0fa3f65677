import { setTimeout as pause } from 'node:timers/promises'
import { App, channel, counter, fail } from 'millrace'

const prices = channel<{ product: number; cents: number }>('prices')

export const app = new App({
  title: 'Workers',
  version: '1.0.0',
  // In each worker: what it needs for itself.
  async *lifespan({ log }) {
    log.info('this worker begins')
    yield
    log.info('this worker has drained')
  },
  // In one worker for all of them: what must not happen twice.
  async leader({ signal }) {
    for (let cents = 4999; !signal.aborted; cents -= 10) {
      prices.publish({ product: 7, cents })
      await pause(60_000, undefined, { signal })
    }
  },
})

app.post('/login', async ({ client }) => {
  const attempts = await counter(`login ${client.address}`, { window: '1m' }).add()
  if (attempts > 10) fail(429, 'Try again in a minute')
  return { attempts }
})

export default app
