// Streams that end, break and go on.
import * as z from 'zod'
import { App, event, events, jsonLines, text } from 'millrace'
import { silent } from '../../app/support/seams.ts'

export const app = new App({ log: silent })
export const rows = app.get(
  '/rows',
  { query: z.object({ cutAfter: z.int().optional() }), returns: jsonLines(z.object({ n: z.int(), at: z.date() })) },
  async function* ({ query }) {
    for (let n = 1; n <= 3; n++) {
      yield { n, at: new Date(0) }
      if (n === query.cutAfter) throw new Error('the disk is gone')
    }
  },
)
export const finite = app.get('/finite', { returns: events(z.object({ n: z.int() })) }, async function* () {
  yield event({ n: 1 }, { event: 'tick' })
  yield { n: 2 }
})
/** Breaks after each third event, for ever, and goes on where its reader has got to. */
export const broken = app.get(
  '/broken',
  { headers: z.object({ 'last-event-id': z.int().default(0) }), returns: events(z.int(), { retry: 1 }) },
  async function* ({ headers }) {
    for (let n = headers['last-event-id'] + 1; ; n++) {
      yield event(n, { id: n })
      if (n % 3 === 0) throw new Error('lost')
    }
  },
)
export const words = app.get('/words', { returns: events(text) }, async function* () {
  yield '1'
  yield 'two\nlines'
})
export const chat = app.post('/chat', { returns: events(text) }, async function* () {
  yield 'Hello'
  throw new Error('lost')
})
/** Settles when the reader of /endless has left. */
export const left: { soon: PromiseWithResolvers<void> } = { soon: Promise.withResolvers() }
export const endless = app.get('/endless', { returns: events(z.int()) }, async function* () {
  try {
    for (let n = 1; ; n++) {
      yield n
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  } finally {
    left.soon.resolve()
  }
})
