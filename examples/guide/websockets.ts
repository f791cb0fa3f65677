import { App, dependency, fail, Router } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Auction', version: '1.0.0' })

const bidder = dependency({ headers: z.object({ 'x-user': z.string().optional() }) }, ({ headers }) => {
  return headers['x-user'] ?? fail(401, 'Who are you?')
})

const Bid = z.object({ cents: z.int().positive() })
const News = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('bid'), by: z.string(), cents: z.int() }),
  z.object({ kind: z.literal('refused'), why: z.string() }),
  z.object({ kind: z.literal('sold'), to: z.string() }),
])

const highest = new Map<string, { by: string; cents: number }>()

export const auction = app.ws(
  '/auctions/{lot}',
  { uses: { bidder }, receives: Bid, sends: News, maxMessagesPerSecond: 5 },
  async ({ socket, params, bidder, log }) => {
    socket.join(params.lot)
    for await (const { cents } of socket) {
      if (cents <= (highest.get(params.lot)?.cents ?? 0)) {
        await socket.send({ kind: 'refused', why: 'Too low' })
        continue
      }
      highest.set(params.lot, { by: bidder, cents })
      socket.publish(params.lot, { kind: 'bid', by: bidder, cents })
    }
    log.info(`${bidder} has left (${socket.closed?.code})`)
  },
)

app.post('/auctions/{lot}/hammer', { returns: { 204: null } }, ({ params }) => {
  auction.publish(params.lot, { kind: 'sold', to: highest.get(params.lot)?.by ?? 'nobody' })
})

// Only news goes out; whoever says something is closed with 1008.
const Tick = z.object({ at: z.int() })
app.ws('/clock', { receives: null, sends: Tick, origins: ['https://shop.example'] }, async ({ socket, signal }) => {
  while (!signal.aborted) {
    await socket.send({ at: Date.now() })
    await new Promise(resolve => setTimeout(resolve, 1000))
  }
})

// Bytes both ways, larger than usual, and on a router of its own.
const files = new Router({ prefix: '/files' })
files.ws('/copy', { messages: 'binary', maxMessageBytes: 1_048_576, idleTimeout: '5m' }, async ({ socket }) => {
  for await (const bytes of socket) await socket.send(bytes)
})
app.include(files)

export default app
