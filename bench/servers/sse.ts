// A stream of events for any number of clients, and a way to send one to all of them.
import { App, channel, event, events } from 'millrace'
import * as z from 'zod'

const Tick = z.object({ n: z.int(), at: z.number() })
const ticks = channel<z.output<typeof Tick>>('ticks')

const app = new App({ title: 'Events', version: '1.0.0' })

app.get('/events', { returns: events(Tick) }, async function* ({ signal }) {
  for await (const tick of ticks.subscribe({ signal, first: () => ({ n: 0, at: 0 }) }))
    yield event(tick, { event: 'tick', id: tick.n })
})

app.post('/broadcast', { query: z.object({ n: z.int() }) }, ({ query }) => {
  ticks.publish({ n: query.n, at: performance.now() })
  return { sent: query.n }
})

app.get('/', () => ({ ok: true }))

export default app
