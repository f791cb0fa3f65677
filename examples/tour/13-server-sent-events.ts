// How do I tell browsers what happens, when it happens?
import { App, channel, event, events } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Server-sent events', version: '1.0.0' })

const Bid = z.object({ lot: z.int(), cents: z.int() }).meta({ id: 'Bid' })
const bids: z.output<typeof Bid>[] = [
  { lot: 1, cents: 500 },
  { lot: 1, cents: 700 },
]

// What is published in one worker reaches the subscribers in all of them. (The list above does not: that would be a database.)
const news = channel<{ id: number; bid: z.output<typeof Bid> }>('bids')

app.post('/bids', { body: Bid, returns: { 202: Bid } }, ({ body }) => {
  news.publish({ id: bids.push(body), bid: body })
  return body
})

// A browser that lost the connection comes back with the id of the last event it had.
const headers = z.object({ 'last-event-id': z.int().default(0) })

// Silence is filled with a comment each 15 s. `signal` aborts when the browser goes away and when the server drains.
app.get('/bids', { headers, returns: events(Bid) }, async function* ({ headers, signal }) {
  for (let id = headers['last-event-id']; id < bids.length; id++) yield event(bids[id]!, { id: id + 1, event: 'bid' })
  for await (const { id, bid } of news.subscribe({ signal })) yield event(bid, { id, event: 'bid' })
})

// A plain value is an event with nothing but data, and a stream may have an end.
app.get('/countdown', { returns: events(z.int()) }, async function* () {
  for (let n = 3; n > 0; n--) yield n
})

export default app
