import { App, event, events } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Ticks', version: '1.0.0' })

const Tick = z.object({ n: z.int(), at: z.date() })

export const ticks = app.get(
  '/ticks',
  {
    headers: z.object({ 'last-event-id': z.int().default(0) }),
    returns: events(Tick, { retry: '1s' }),
  },
  async function* ({ headers, signal }) {
    for (let n = headers['last-event-id'] + 1; !signal.aborted; n++) {
      yield event({ n, at: new Date() }, { id: n })
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  },
)

export default app
