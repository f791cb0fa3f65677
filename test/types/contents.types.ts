// What `returns` says beside JSON: streams of items, events, raw JSON, media types. Checked by `npm run types`, as app.types.ts is.
import * as z from 'zod'
import { App, content, event, events, file, html, type In, jsonLines, type Out, raw, type ServerSentEvent, sparse, stream, text } from 'millrace'
import { testClient } from 'millrace/testing'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void
type By<R, C> = Extract<R, { status: C }> extends { body: infer B } ? B : never

const app = new App()
const Item = z.object({ n: z.int(), kind: z.enum(['a', 'b']) })
const Dated = z.object({ at: z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() }) })
const Problem = z.object({ title: z.string() })
declare const items: AsyncIterable<{ n: number; kind: 'a' | 'b' }>

// ---- JSON lines: yields are checked, and keep their literals ----
const lines = app.get('/lines', { returns: jsonLines(Item) }, async function* ({ signal }) {
  void signal.aborted
  yield { n: 1, kind: 'a' }
})
app.get('/lines', { returns: jsonLines(Item) }, function* () { yield { n: 1, kind: 'a' } })
app.get('/lines', { returns: jsonLines(Item) }, () => items)
app.get('/lines', { returns: jsonLines(Item) }, async () => items)
app.get('/lines', { returns: jsonLines(Item) }, () => [{ n: 1, kind: 'a' }])
app.get('/lines', { returns: jsonLines(Item) }, () => new ReadableStream<{ n: number; kind: 'a' }>())
app.get('/lines', { returns: { 200: jsonLines(Item), 404: Problem } }, async ({ reply }) => reply(404, { title: 'none' }))
app.get('/lines', { returns: { 200: jsonLines(Item), 404: Problem } }, async ({ reply }) => reply(200, items, { headers: { 'x-a': 'b' } }))
app.get('/lines', { returns: { 201: jsonLines(Item) } }, async function* () { yield { n: 1, kind: 'b' } })
app.get('/lines', { returns: jsonLines(Dated) }, async function* () { yield { at: new Date() } })
app.get('/lines', { returns: jsonLines({ type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }) }, async function* () { yield { n: 1 } })
// @ts-expect-error a wrong yield
app.get('/lines', { returns: jsonLines(Item) }, async function* () { yield { n: 1, kind: 'sideways' } })
// @ts-expect-error one item is no stream
app.get('/lines', { returns: jsonLines(Item) }, () => ({ n: 1, kind: 'a' as const }))
// @ts-expect-error a stream of something else
app.get('/lines', { returns: jsonLines(Problem) }, () => items)
// @ts-expect-error a stream where one is declared by nobody
app.get('/lines', { returns: Item }, async function* () { yield { n: 1, kind: 'a' as const } })
// @ts-expect-error not a schema
jsonLines(5)

// ---- events: data, or what event() makes ----
const ticks = app.get('/events', { returns: events(Item) }, async function* () {
  yield { n: 1, kind: 'a' }
  yield event({ n: 1, kind: 'b' }, { id: 7, event: 'tick', retry: '5s', comment: 'x' })
  yield event.text('[DONE]')
  yield event.comment('still here')
})
app.get('/events', { returns: events(z.int(), { ping: '5s', retry: '1s' }) }, async function* () { yield 1 })
app.get('/events', { returns: events(z.int(), { ping: false }) }, async function* () { yield event(1) })
const words = app.get('/words', { returns: events(text) }, async function* () { yield 'two\nlines'; yield event('x', { id: 'a' }) })
app.get('/events', { returns: events(Item), headers: z.object({ 'last-event-id': z.int().optional() }) }, async function* ({ headers }) {
  is<(typeof headers)['last-event-id'], number | undefined>()
  yield { n: headers['last-event-id'] ?? 0, kind: 'a' }
})
// @ts-expect-error wrong data
app.get('/events', { returns: events(Item) }, async function* () { yield { n: '1', kind: 'a' } })
// @ts-expect-error wrong data of an event
app.get('/events', { returns: events(Item) }, async function* () { yield event({ n: 1, kind: 'c' }) })
// @ts-expect-error no such field
event(1, { name: 'x' })
// @ts-expect-error not a duration
events(Item, { ping: '5 seconds' })

// ---- raw JSON ----
const document = app.get('/raw', { returns: raw(Item) }, () => '{"n":1,"kind":"a"}')
app.get('/raw', { returns: { 200: raw(Item), 404: Problem } }, async () => new Uint8Array(2))
// @ts-expect-error a value is not JSON yet
app.get('/raw', { returns: raw(Item) }, () => ({ n: 1, kind: 'a' as const }))

// ---- media types ----
const page = app.get('/page', { returns: html }, async () => '<p>hi</p>')
app.get('/page', { returns: html }, () => html('<p>hi</p>', { status: 202 }))
app.get('/page', { returns: { 200: text, 404: Problem } }, ({ reply }) => reply(404, { title: 'x' }))
app.get('/page', { returns: { 200: text } }, ({ reply }) => reply(200, 'plain', { headers: { 'x-a': 'b' } }))
const image = app.get('/image', { returns: content('image/png') }, () => new Uint8Array(1))
app.get('/image', { returns: content('image/png') }, () => file('logo.png'))
app.get('/csv', { returns: content('text/csv') }, async function* () { yield 'a,b\n' })
app.get('/csv', { returns: content('text/csv') }, () => stream(['a,b\n']))
// @ts-expect-error a page is text
app.get('/page', { returns: html }, () => ({ n: 1 }))
// @ts-expect-error pieces are text or bytes
app.get('/csv', { returns: content('text/csv') }, async function* () { yield 1 })

// ---- what clients read ----
is<In<typeof ticks['~shape']['returns']>, AsyncIterable<ServerSentEvent<{ n: number; kind: 'a' | 'b' }>>>()
const api = testClient(app)
const a = await api.call(lines)
is<By<typeof a, 200>, AsyncIterable<{ n: number; kind: 'a' | 'b' }>>()
const b = await api.call(ticks)
is<By<typeof b, 200>, AsyncIterable<ServerSentEvent<{ n: number; kind: 'a' | 'b' }>>>()
const c = await api.call(words)
is<By<typeof c, 200>, AsyncIterable<ServerSentEvent<string>>>()
const d = await api.call(document)
is<By<typeof d, 200>, { n: number; kind: 'a' | 'b' }>()
const e = await api.call(page)
is<By<typeof e, 200>, string>()
const f = await api.call(image)
is<By<typeof f, 200>, Blob>()
const dated = jsonLines(Dated)
is<In<typeof dated>, AsyncIterable<{ at: string }>>()
is<Out<typeof dated>, AsyncIterable<{ at: Date }> | Iterable<{ at: Date }>>()

// ---- sparse: a handler gives the whole, a client may find less ----
const Whole = z.object({ id: z.int(), note: z.string().nullable(), stock: z.int().default(0) })
const few = app.get('/sparse', { returns: sparse(Whole) }, () => ({ id: 1, note: null, stock: 0 }))
const g = await api.call(few)
if (g.status === 200) {
  is<(typeof g.body)['note'], string | undefined>()
  is<(typeof g.body)['stock'], number | undefined>()
}
// @ts-expect-error the handler leaves out nothing
app.get('/sparse', { returns: sparse(Whole) }, () => ({ id: 1 }))
