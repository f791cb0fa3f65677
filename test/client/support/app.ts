// An app with one route for each thing that a client sends and gets.
import { once } from 'node:events'
import * as z from 'zod'
import { App, fail, file, Router, text } from 'millrace'
import { silent } from '../../app/support/seams.ts'

export const app = new App({ log: silent })
export const Event = z.object({
  at: z.date(),
  views: z.bigint(),
  tags: z.set(z.string()),
  price: z.codec(z.string(), z.number(), { decode: Number, encode: String }),
})
export const echo = app.post(
  '/echo/{id}/{rest*}',
  {
    query: z.object({ n: z.array(z.int()).default([]), since: z.date().optional(), big: z.bigint().optional() }),
    headers: z.object({ 'x-a': z.string().optional() }),
    cookies: z.object({ c: z.string().optional() }),
    body: z.object({ text: z.string() }),
  },
  ({ params, query, headers, cookies, body }) => ({
    params,
    query: { ...query, since: query.since?.getTime(), big: query.big?.toString() },
    headers,
    cookies,
    body,
  }),
)
export const events = app.put('/events', { body: Event, returns: Event }, ({ body }) => ({
  ...body,
  views: body.views + 1n,
  price: body.price * 2,
}))
export const note = app.post('/note', { body: z.string(), bodyType: 'text/plain' }, ({ body }) => ({ note: body }))
export const form = app.post(
  '/form',
  { form: z.object({ name: z.string(), tags: z.array(z.string()) }) },
  ({ form }) => form,
)
export const upload = app.post(
  '/upload',
  { form: z.object({ title: z.string() }), files: { one: {}, more: { many: true, optional: true } } },
  async ({ form, files }) => ({
    title: form.title,
    one: [files.one.name, files.one.type, Buffer.from(await files.one.bytes()).toString()],
    more: files.more.map(({ name, size }) => [name, size]),
  }),
)
export const product = app.get(
  '/products/{id}',
  {
    params: z.object({ id: z.int() }),
    returns: { 200: z.object({ id: z.int(), name: z.string() }), 404: z.object({ title: z.string() }) },
  },
  ({ params, reply }) => (params.id === 7 ? { id: 7, name: 'Lamp' } : reply(404, { title: 'No such product' })),
)
export const change = app.patch('/products/{id}', { params: z.object({ id: z.int() }) }, ({ params }) =>
  fail(409, `Product ${params.id} is not to be changed`),
)
export const remove = app.delete(
  '/products/{id}',
  { params: z.object({ id: z.int() }), returns: { 204: null } },
  () => {},
)
export const self = app.get('/self', () => file(import.meta.filename))
export const words = app.get('/words', () => text('words'))
/** Settles when the client of /never has gone. */
export const left: { soon: Promise<unknown> } = { soon: Promise.resolve() }
export const never = app.get('/never', ({ signal }) => {
  left.soon = once(signal, 'abort')
  return left.soon.then(() => 1)
})
/** Runs once at a time, until `gate` opens; who comes meanwhile is refused. */
export const gate: { opened: PromiseWithResolvers<void> } = { opened: Promise.withResolvers() }
export const narrow = app.post('/narrow', { limit: { concurrent: 1 } }, async () => {
  await gate.opened.promise
  return 'through'
})
export const question = app.route({
  method: 'QUERY',
  path: '/found',
  body: z.object({ words: z.string() }),
  handler: ({ body }) => body.words.split(' '),
})
export const preflight = app.options('/things', { returns: { 204: null } }, () => {})
export const admin = new Router({ prefix: '/admin' })
export const reports = admin.get('/reports', () => ['daily'])
app.include(admin)
