// What the public types must infer, and what the compiler must refuse. Checked by `npm run types`: a line after @ts-expect-error
// that compiles is an error, and so is an `is` whose two sides differ. Never run.
import type { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import * as mini from 'zod/mini'
import * as z3 from 'zod/v3'
import * as v from 'valibot'
import { type } from 'arktype'
import Type1 from 'typebox'
import { Type } from '@sinclair/typebox'
import { App, bytes, type Dependency, dependency, fail, file, type In, type JsonSchema, type Out, Router, stream, text, type UploadedFile } from 'millrace'
import { testClient } from 'millrace/testing'
import * as routes from './sample.ts'
import {
  admin,
  app,
  asObject,
  currentUser,
  db,
  getCart,
  getProduct,
  hello,
  placeOrder,
  Problem,
  Product,
  removeProduct,
  transaction,
} from './sample.ts'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void
type Item = { id: number; name: string; priceCents: number; stock: number }
type By<R, C> = Extract<R, { status: C }> extends { body: infer B } ? B : never
const item: Item = { id: 1, name: 'x', priceCents: 1, stock: 1 }

// ---- contexts: outputs of schemas, whatever the order of the spec's keys ----
app.post('/a/{id}/b/{slug}', {
  params: z.object({ id: z.int(), slug: z.string() }),
  query: z.object({ page: z.int().default(1), q: z.string().optional() }),
  headers: z.object({ 'x-token': z.string() }),
  cookies: z.object({ session: z.string() }),
  body: z.object({
    at: z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() }),
    tags: z.array(z.string()).default([]),
  }),
  returns: Product,
  uses: { db, admin, transaction },
}, ({ params, query, headers, cookies, body, db, admin, transaction, signal, client }) => {
  is<typeof params, { id: number; slug: string }>()
  is<typeof query, { page: number; q?: string | undefined }>()
  is<typeof headers, { 'x-token': string }>()
  is<typeof cookies, { session: string }>()
  is<typeof body, { at: Date; tags: string[] }>()
  is<typeof admin, { admin: true; id: string }>()
  is<typeof signal, AbortSignal>()
  is<typeof client, {
    readonly address: string
    readonly port: number
    readonly encrypted: boolean
    readonly certificate?: X509Certificate | undefined
  }>()
  void db.end
  void transaction.commit
  return { ...item, extra: 'dropped at run time' }
})
app.get('/cached/{id}', {
  cache: {
    ttl: '5s',
    tags: ({ params, query }) => {
      is<typeof params, { id: number }>()
      is<typeof query, { page: number }>()
      return [`thing:${params.id}`]
    },
  },
  params: z.object({ id: z.int() }),
  query: z.object({ page: z.int().default(1) }),
}, () => 1)
app.get('/f/{path*}', ({ params }) => {
  is<typeof params, { readonly path: string }>()
  return 1
})
app.get('/', { returns: z.object({ kind: z.enum(['a', 'b']), pair: z.tuple([z.literal('x'), z.int()]) }) }, () => ({ kind: 'a', pair: ['x', 1] }))
app.get('/', { returns: z.array(z.object({ kind: z.enum(['a', 'b']) })) }, async () => [1, 2].map(() => ({ kind: 'a' as const })))
app.get('/', { returns: { 200: Product, 204: null } }, ({ reply }) => reply(204))
app.get('/', { query: z.object({ n: z.int() }), returns: z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), n: z.int() }), z.object({ kind: z.literal('b'), s: z.string() })]) }, async ({ query }) => {
  if (query.n > 1) return { kind: 'a', n: 1 }
  return { kind: 'b', s: 'x' }
})
app.post('/', { body: z.object({ name: z.string() }), returns: { 201: Product, 404: Problem, 409: Problem } }, async ({ body, reply }) => {
  if (body.name === '') return reply(404, { title: 'none' })
  if (body.name === 'x') return reply(409, { title: 'twice' }, { headers: { 'retry-after': '1' }, cookies: { a: { value: 'b', httpOnly: true } } })
  if (body.name === 'y') return new Response('raw')
  return item
})

// ---- answers that are not JSON ----
app.get('/', { returns: Product }, () => text('plain', { type: 'text/html', status: 202, cookies: { a: 'b' } }))
app.get('/', { returns: { 200: Product, 404: Problem } }, async ({ query, reply }) => {
  if (query) return bytes(new Uint8Array(1), { headers: { 'x-a': '1' } })
  if (!query) return reply(404, { title: 'none' })
  return item
})
app.get('/', { returns: Product }, () => stream(['a', new Uint8Array(1)], { length: 2, trailers: () => ({ 'x-sum': '1' }) }))
app.get('/', { returns: Product }, () => stream((async function* () { yield 'a'; yield new Uint8Array(1) })()))
app.get('/', () => stream(new ReadableStream<Uint8Array>()))
app.get('/f/{name}', { returns: { 200: Product } }, ({ params }) => file(params.name, { root: new URL('file:///srv'), download: true, etag: false, cacheControl: 'no-cache' }))
app.get('/', { returns: Product, uses: { db } }, async ({ db }) => (db ? file('a.pdf', { download: 'b.pdf', status: 203 }) : item))
// @ts-expect-error a tag is text, or none
app.get('/', () => file('a', { etag: true }))
// @ts-expect-error a text is no stream of its characters
app.get('/', () => stream('abc'))
// @ts-expect-error pieces are strings or bytes
app.get('/', () => stream([1, 2]))
// @ts-expect-error a field has one value
app.get('/', () => text('a', { headers: { a: ['b'] } }))
app.get('/', ({ earlyHints }) => earlyHints({ link: ['</a.css>; rel=preload'], 'x-one': '1' }))
dependency(({ earlyHints }) => earlyHints({ link: '</a.css>; rel=preload' }))
// @ts-expect-error a name of the context
app.get('/', { uses: { earlyHints: db } }, () => 1)

// ---- compressed bodies ----
new App({ decompress: true })
new Router({ decompress: { codings: ['gzip'], maxBytes: 1e6 } })
app.post('/', { body: Product, decompress: { maxRatio: 20 } }, ({ body }) => body.id)
app.include(new Router({}), { decompress: false })
// @ts-expect-error no such coding
app.post('/', { decompress: { codings: ['lzma'] } }, () => 1)

// ---- dependencies ----
is<(typeof currentUser)['~value'], { id: string; admin: boolean }>()
is<(typeof currentUser)['scope'], 'request'>()
is<(typeof admin)['~value'], { admin: true; id: string }>()
is<(typeof transaction)['scope'], 'call'>()
is<(typeof db)['scope'], 'worker'>()
dependency(({ request, signal, client }) => {
  void signal
  void client.address
  return request.url
})
dependency({ headers: z.object({ 'x-a': z.string() }), query: z.object({ n: z.int().default(1) }) }, ({ headers, query }) => {
  is<typeof headers, { 'x-a': string }>()
  is<typeof query, { n: number }>()
})
dependency({ scope: 'worker', uses: { db } }, ({ db, signal }) => {
  void db.end
  void signal
  return 1
})
dependency({ scope: 'call', uses: { transaction, currentUser, db } }, () => 1)
// @ts-expect-error a worker dependency may not use a request one
dependency({ scope: 'worker', uses: { currentUser } }, () => 1)
// @ts-expect-error nor a request one a call one (request is the default)
dependency({ uses: { transaction } }, () => 1)
// @ts-expect-error a worker dependency has no request
dependency({ scope: 'worker' }, ({ request }) => request)
// @ts-expect-error nor a client
dependency({ scope: 'worker' }, ({ client }) => client)
// @ts-expect-error unknown key
dependency({ scop: 'worker' }, () => 1)
// @ts-expect-error unknown scope
dependency({ scope: 'global' }, () => 1)
// @ts-expect-error a name of the context
app.get('/a', { uses: { body: db } }, () => 1)

// ---- refusals in routes ----
// @ts-expect-error path name missing from params
app.get('/a/{id}', { params: z.object({ other: z.string() }) }, () => 1)
// @ts-expect-error one of two missing
app.get('/a/{id}/{slug}', { params: z.object({ id: z.string() }) }, () => 1)
// @ts-expect-error a params key the path has not
app.get('/o/{id}', { params: z.object({ id: z.int(), page: z.int() }) }, () => 1)
// @ts-expect-error a router's path names count too
new Router({ prefix: '/c/{cart}' }).get('/i/{item}', { params: z.object({ item: z.string() }) }, () => 1)
// @ts-expect-error undeclared status
app.get('/a', { returns: { 200: Product } }, ({ reply }) => reply(418, { title: 'x' }))
// @ts-expect-error body of that status is another
app.get('/a', { returns: { 200: Product, 404: Problem } }, ({ reply }) => reply(404, { name: 'x' }))
// @ts-expect-error body missing
app.get('/a', { returns: { 200: Product, 404: Problem } }, ({ reply }) => reply(404))
// @ts-expect-error wrong returned body
app.get('/a', { returns: Product }, () => ({ ...item, id: 'x' }))
// @ts-expect-error wrong returned body, async
app.get('/a', { returns: Product, uses: { db } }, async ({ db }) => { await db.end(); return { ...item, id: 'x' } })
// @ts-expect-error may be null
app.get('/a', { returns: Product, uses: { db } }, async ({ db, signal }) => db.product(1, { signal }))
// @ts-expect-error a promise in the body: await forgotten
app.get('/a', { returns: z.array(Product), uses: { db } }, async ({ db, signal }) => [db.product(1, { signal })])
// @ts-expect-error wrong literal
app.get('/a', { returns: z.object({ kind: z.enum(['a', 'b']) }) }, async () => ({ kind: 'c' }))
// @ts-expect-error a bare value where no 2xx is declared
app.get('/a', { returns: { 302: null } }, () => ({ a: 1 }))
// @ts-expect-error unknown spec key
app.get('/a', { parms: z.object({}) }, () => 1)
// @ts-expect-error unknown key one level down
app.get('/a', { limit: { concurent: 1 } }, () => 1)
// @ts-expect-error unknown priority
app.get('/a', { priority: 'high' }, () => 1)
// @ts-expect-error not a duration
app.get('/a', { timeout: '2 seconds' }, () => 1)
// @ts-expect-error no leading slash
app.get('a', () => 1)
new Router({ prefix: '/p' }).get('', () => 1)
// @ts-expect-error nothing but a prefix can be empty
app.get('', () => 1)
// @ts-expect-error undeclared input
app.get('/a', { query: z.object({ q: z.string() }) }, ({ body }) => body.x)
// @ts-expect-error undeclared dependency
app.get('/a', { uses: { db } }, ({ admin }) => admin)
// @ts-expect-error not a dependency
app.get('/a', { uses: { db: 1 } }, () => 1)
// @ts-expect-error not a schema
app.get('/a', { body: 5 }, () => 1)
// @ts-expect-error a constructor is not a schema
app.get('/a', { body: String }, () => 1)
// @ts-expect-error no handler
app.get('/a', { returns: Product })
// @ts-expect-error a fake of another type
app.override(currentUser, { id: 1 })
app.override(currentUser, { id: 'x', admin: true })

// ---- fail narrows ----
app.get('/n', { uses: { db } }, async ({ db }) => {
  const user = await db.userByToken('x')
  if (!user) fail(401)
  return user.id
})

// ---- other schemas ----
app.post('/v', { body: v.object({ n: v.number(), s: v.optional(v.string(), 'x') }), returns: v.object({ n: v.number() }) }, ({ body }) => {
  is<typeof body, { n: number; s: string }>()
  return { n: 1 }
})
app.post('/k', { body: type({ n: 'number', 's?': 'string' }), returns: type({ n: 'number' }) }, ({ body }) => {
  is<typeof body, { n: number; s?: string }>()
  return { n: body.n }
})
app.post('/t', { body: Type.Object({ n: Type.Integer(), s: Type.Optional(Type.String()), k: Type.Union([Type.Literal('a'), Type.Literal('b')]) }), returns: Type.Object({ n: Type.Number() }) }, ({ body }) => {
  is<typeof body, { n: number; s?: string; k: 'a' | 'b' }>()
  return { n: body.n }
})
app.post('/t1', { params: Type1.Object({}), body: Type1.Object({ n: Type1.Integer(), s: Type1.Optional(Type1.String()), l: Type1.Array(Type1.Object({ a: Type1.Null() })) }), returns: { 200: Type1.Object({ n: Type1.Number() }), 404: Problem } }, ({ body }) => {
  is<typeof body, { n: number; s?: string; l: { a: null }[] }>()
  return { n: body.n }
})
app.post('/j/{id}', {
  params: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] },
  body: { type: 'object', properties: { n: { type: 'integer' }, s: { type: ['string', 'null'] }, k: { enum: ['a', 'b'] } }, required: ['n', 'k'] },
  returns: { 200: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } },
}, ({ body, params }) => {
  is<typeof body, { n: number; k: 'a' | 'b'; s?: string | null }>()
  is<typeof params, { id: number }>()
  return { n: body.n }
})
// @ts-expect-error JSON Schema results are checked too
app.post('/j', { returns: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } }, () => ({ n: 'x' }))
app.post('/mini', { body: mini.object({ n: mini.optional(mini.number()) }), returns: mini.object({ n: mini.number() }) }, ({ body }) => {
  is<typeof body, { n?: number | undefined }>()
  return { n: 1 }
})
app.post('/z3', { body: z3.object({ n: z3.number().default(1) }), returns: z3.object({ n: z3.number() }) }, ({ body }) => {
  is<typeof body, { n: number }>()
  return body
})
declare const opaque: JsonSchema
app.get('/o/{id}', { params: opaque, body: opaque }, ({ params, body }) => {
  is<typeof body, unknown>()
  return params.id
})
app.get('/o/{id}', { params: z.looseObject({ id: z.int() }) }, ({ params }) => params.id)
is<Out<typeof Product>, Item>()
const Defaults = z.object({ n: z.int().default(1) })
is<In<typeof Defaults>, { n?: number | undefined }>()

// ---- generic helpers ----
function crud<T extends z.ZodObject>(path: `/${string}`, schema: T) {
  return app.post(path, { body: schema, returns: { 201: schema } }, ({ body }) => body)
}
const made = crud('/made', Product)
function wrapped<T extends z.ZodObject>(schema: T, load: () => Promise<Out<T>>) {
  return app.get('/w', { returns: { 200: schema } }, () => load())
}
void wrapped

// ---- test clients ----
const api = testClient(app)
const a = await api.call(getProduct, { params: { id: 7 } })
if (a.status === 200) is<typeof a.body, Item>()
is<By<typeof a, 404>, { title: string }>()
is<By<typeof a, 422>['errors'][number]['type'], string>()
void api.call(made, { body: item })
// @ts-expect-error params missing
void api.call(getProduct)
// @ts-expect-error wrong params
void api.call(getProduct, { params: { id: 'x' } })
// @ts-expect-error a misspelt input
void api.call(placeOrder, { body: { items: [] }, headers: { 'idempotency-key': 'x' }, qery: {} })
await api.call(hello)
const one = testClient(getProduct)
const b = await one({ params: { id: 7 } })
if (b.status === 200) is<typeof b.body, Item>()
const all = testClient<typeof routes>(app)
const c = await all.get('/products/{id}', { params: { id: 7 } })
if (c.status === 200) is<typeof c.body, Item>()
const d = await all.delete('/products/{id}', { params: { id: 1 } })
is<By<typeof d, 204>, null>()
const e = await all.put('/things/{id}', { params: { id: 1 }, body: item })
is<By<typeof e, 200>, Item>()
// A dependency's declared answer is among them.
const f = await all.post('/orders', { body: { items: [] }, headers: { 'idempotency-key': 'x' } })
is<By<typeof f, 401>, { title: string }>()
// @ts-expect-error no such path
void all.get('/product/{id}', { params: { id: 7 } })
// @ts-expect-error params missing
void all.get('/products/{id}')
// @ts-expect-error wrong method
void all.post('/products/{id}', { params: { id: 7 } })
// ---- forms and files: the schema's output, one file, none or a list by its rule; clients send Blobs ----
const upload = app.post('/uploads', {
  form: z.object({ title: z.string(), n: z.int().default(1) }),
  files: { one: {}, maybe: { optional: true }, all: { many: true }, some: { many: true, optional: true } },
  returns: z.object({ size: z.int() }),
}, ({ form, files, body }) => {
  is<typeof form, { title: string; n: number }>()
  is<typeof body, undefined>()
  is<typeof files.one, UploadedFile>()
  is<typeof files.maybe, UploadedFile | undefined>()
  is<typeof files.all, readonly UploadedFile[]>()
  is<typeof files.some, readonly UploadedFile[]>()
  // @ts-expect-error no such file
  void files.two
  return { size: files.one.size }
})
app.get('/none', { query: z.object({ a: z.string() }) }, ({ form, files }) => {
  is<typeof form, undefined>()
  is<keyof typeof files, never>()
  return 1
})
// @ts-expect-error a misspelt key of a rule
app.post('/misspelt', { files: { f: { maxByte: 1 } } }, () => 1)
// @ts-expect-error a name of the context
app.get('/taken', { uses: { files: db } }, () => 1)
const blob = new Blob([])
void api.call(upload, { form: { title: 'x' }, files: { one: blob, all: [blob] } })
void api.call(upload, { form: { title: 'x', n: 2 }, files: { one: blob, maybe: blob, all: [], some: [blob] } })
// @ts-expect-error a file missing
void api.call(upload, { form: { title: 'x' }, files: { all: [] } })
// @ts-expect-error a list is wanted
void api.call(upload, { form: { title: 'x' }, files: { one: blob, all: blob } })
// @ts-expect-error the form missing
void api.call(upload, { files: { one: blob, all: [] } })
is<(typeof getCart)['path'], '/carts/{cart}/items/{item}'>()
is<(typeof asObject)['method'], 'PUT'>()
void [removeProduct, App, null as unknown as Dependency<1>]

// ---- hosts, mounts, versions, URLs ----
const tenant = app.host('{tenant}.example.com')
tenant.get('/', ({ params }) => {
  is<typeof params, { readonly tenant: string }>()
  return params.tenant
})
const tenantOrder = tenant.get('/orders/{id}', { params: z.object({ tenant: z.string(), id: z.int() }) }, ({ params }) => {
  is<typeof params, { tenant: string; id: number }>()
  return 1
})
// @ts-expect-error the host has {tenant}, this schema has not
tenant.get('/orders/{id}', { params: z.object({ id: z.int() }) }, () => 1)
app.host('admin.example.com', new Router())
app.mount('/old', async request => new Response(request.url))
app.mount('/app', new App())
app.mount('/node', { node: (_req, res) => res.end() })
// @ts-expect-error a prefix starts with a slash
app.mount('old', () => new Response())
// @ts-expect-error it has to answer
app.mount('/old', () => 1)
new Router({ version: '2' })

is<string, ReturnType<typeof app.url>>()
app.url('/products')
app.url('/products', { query: { tag: ['a', 'b'], page: 1 } })
app.url('/products/{id}', { params: { id: 7 } })
app.url('/f/{path*}', { params: { path: 'a/b' } })
app.url(getProduct, { params: { id: 7 } })
app.url(tenantOrder, { params: { tenant: 'acme', id: 7 } })
// @ts-expect-error a value for each name
app.url('/products/{id}')
// @ts-expect-error a value for each name
app.url('/products/{id}', { query: {} })
// @ts-expect-error a name that the path has
app.url('/products/{id}', { params: { id: 7, other: 1 } })
// @ts-expect-error a name that the path has
app.url(getProduct, { params: { idd: 7 } })
// @ts-expect-error a value is text, a number or a boolean
app.url('/products/{id}', { params: { id: {} } })

// ---- what a route says of itself ----
app.get('/described', {
  examples: { query: { page: { first: { value: 1 } } }, returns: { 200: { one: { value: item } } } },
  query: z.object({ page: z.int() }),
  returns: Product,
  responses: { 200: { description: 'Found', headers: { 'X-Count': z.int() } } },
  callbacks: { changed: { '{$request.query.url}': { body: Product } } },
  externalDocs: { url: 'https://docs.test' },
  openapi: { 'x-a': 1 },
}, () => item)
// @ts-expect-error a status is a number
app.get('/', { responses: { ok: { description: 'Found' } } }, () => 1)
app.route({ method: 'QUERY', path: '/search', body: Product, handler: ({ body }) => body.id })
// @ts-expect-error it is never answered
app.route({ method: 'TRACE', path: '/', handler: () => 1 })
