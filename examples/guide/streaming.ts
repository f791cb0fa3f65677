import { App, channel, content, event, events, fail, jsonLines, raw } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Streaming', version: '1.0.0' })

// JSON Lines: each item is checked, filtered and sent when the client has room for it.
const Row = z.object({ id: z.int(), name: z.string() }).meta({ id: 'Row' })

async function* readRows(upTo: number) {
  try {
    for (let id = 1; id <= upTo; id++) yield { id, name: `row ${id}`, internal: true }
  } finally {
    // The client has everything, or has left, or time is up: close here what the rows come from.
  }
}

app.get('/rows', { query: z.object({ upTo: z.int() }), returns: jsonLines(Row) }, async function* ({ query }) {
  if (query.upTo > 1000) fail(400, 'Not more than 1000 rows at once')
  yield* readRows(query.upTo)
})

// Events: what one request publishes, every browser that watches is told, whichever worker it is connected to. (What was said before is
// remembered by this worker alone; a database would remember it for all.)
const Message = z.object({ from: z.string(), text: z.string() }).meta({ id: 'Message' })
const said: z.output<typeof Message>[] = []
const room = channel<{ id: number; message: z.output<typeof Message> }>('room')

app.post('/messages', { body: Message, returns: { 201: Message } }, ({ body }) => {
  room.publish({ id: said.push(body), message: body })
  return body
})

app.get(
  '/messages/live',
  {
    headers: z.object({ 'last-event-id': z.int().optional() }),
    returns: { 200: events(Message, { ping: '10s' }), 204: null },
  },
  async ({ headers, reply, signal }) => {
    const after = headers['last-event-id'] ?? 0
    // 204 tells an EventSource not to come back.
    if (said[after - 1]?.text === 'bye') return reply(204)
    return live(after, signal)
  },
)

async function* live(after: number, signal: AbortSignal) {
  for (const [n, message] of said.entries()) if (n >= after) yield event(message, { id: n + 1 })
  if (said.at(-1)?.text === 'bye') return
  for await (const { id, message } of room.subscribe({ signal })) {
    yield event(message, { id })
    if (message.text === 'bye') return
  }
}

// Data that is not JSON, and comments.
app.get('/words', { returns: events(z.string()) }, async function* () {
  yield event.comment('here they come')
  yield 'streamed'
  yield event('words', { event: 'last', retry: '10s' })
  yield event.text('[DONE]')
})

// JSON that is text already: a jsonb column, a cached document.
app.get('/document', { returns: raw(Row) }, () => '{"id":1,"name":"as it was stored"}')

// Pieces of any media type.
app.get('/rows.csv', { returns: content('text/csv') }, async function* () {
  yield 'id,name\n'
  for await (const { id, name } of readRows(2)) yield `${id},${name}\n`
})

export default app
