// What the typed client must infer, and what the compiler must refuse of it. Checked by `npm run types`; never run.
import * as z from 'zod'
import { App, Router } from 'millrace'
import {
  type CallAnswer,
  type Client,
  client,
  type ProblemDetails,
  unwrap,
  type ValidationProblem,
} from 'millrace/client'
import { testClient } from 'millrace/testing'
import type * as routes from './sample.ts'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void
type Item = { id: number; name: string; priceCents: number; stock: number }
type By<R, C> = Extract<R, { status: C }> extends { body: infer B } ? B : never
const item: Item = { id: 1, name: 'x', priceCents: 1, stock: 1 }

const shop = client<typeof routes>('https://shop.example')

// ---- status narrows body: what the route declares, then Millrace's own ----
const a = await shop.get('/products/{id}', { params: { id: 7 }, timeout: '2s' })
if (a.status === 200) is<typeof a.body, Item>()
else if (a.status === 404) is<typeof a.body, { title: string }>()
else if (a.status === 422) is<typeof a.body, ValidationProblem>()
else is<typeof a.body, ProblemDetails>()
if (a.ok) is<typeof a.body, Item>()
is<(typeof a)['status'], 200 | 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 422 | 429 | 500 | 503 | 504>()
is<(typeof a)['headers'], Headers>()
const unwrapped = await unwrap(a)
is<typeof unwrapped, Item>()

// ---- what routers and dependencies declare is among them, two dependencies away as well ----
const b = await shop.post('/orders', {
  body: { items: [{ product: 1 }] },
  headers: { 'idempotency-key': 'x' },
  idempotencyKey: 'y',
})
is<By<typeof b, 201>, { id: number; total: number; status: 'open' | 'paid' }>()
is<By<typeof b, 409>, { title: string }>()
is<By<typeof b, 401>, { title: string }>()
const c = await shop.get('/carts/{cart}/items/{item}', { params: { cart: 'x', item: 'y' } })
is<By<typeof c, 410>, { title: string }>()
const d = await shop.delete('/products/{id}', { params: { id: 1 } })
is<By<typeof d, 204>, null>()
const e = await shop.put('/things/{id}', { params: { id: 1 }, body: item })
is<By<typeof e, 200>, Item>()

// ---- without `returns`, the handler's own type as JSON leaves it ----
const f = await shop.get('/')
is<By<typeof f, 200>, { message: string; at: string }>()
const g = await shop.get('/hello/{name}', { params: { name: 'x' } })
is<By<typeof g, 200>, string>()

// ---- HEAD for every GET, without a body; fetch gives the Response ----
const h = await shop.head('/products/{id}', { params: { id: 7 } })
is<By<typeof h, 200>, null>()
is<By<typeof h, 404>, null>()
const i = await shop.fetch('GET', '/products/{id}', { params: { id: 7 } })
is<typeof i, Response>()

// ---- what JSON has no value for arrives as its text; requests take the value ----
const app = new App()
const Event = z.object({
  at: z.date(),
  views: z.bigint(),
  tags: z.set(z.string()),
  days: z.array(z.date()),
  pair: z.tuple([z.string(), z.bigint()]),
  maybe: z.date().optional(),
  price: z.codec(z.string(), z.number(), { decode: Number, encode: String }),
  any: z.unknown(),
})
const events = {
  add: app.post('/events', { body: Event, returns: Event }, ({ body }) => body),
  when: app.get('/when', { query: z.object({ at: z.date() }), returns: z.date() }, ({ query }) => query.at),
}
const calendar = client<typeof events>('https://calendar.example')
const at = new Date()
const j = await calendar.post('/events', {
  body: { at, views: 1n, tags: new Set(['a']), days: [at], pair: ['a', 1n], price: '1.50', any: { x: 1 } },
})
is<
  By<typeof j, 200>,
  {
    at: string
    views: string
    tags: string[]
    days: string[]
    pair: [string, string]
    maybe?: string | undefined
    price: string
    any: unknown
  }
>()
const k = await calendar.get('/when', { query: { at } })
is<By<typeof k, 200>, string>()

// ---- modules in objects, objects in modules; what is no endpoint falls out ----
const nested = client<{ shop: typeof routes; calendar: typeof events; n: 5; f: () => void }>('https://all.example')
const l = await nested.get('/products/{id}', { params: { id: 7 } })
is<By<typeof l, 200>, Item>()
is<By<Awaited<ReturnType<typeof nested.get<'/when'>>>, 200>, string>()
const both = client<typeof routes & typeof events>('https://both.example')
void both.get('/when', { query: { at } })
void both.get('/')
is<Parameters<(typeof calendar)['get']>[0], '/when'>()
is<Parameters<(typeof shop)['delete']>[0], '/products/{id}'>()
// A router's statements have no types of their own: its endpoints count, it does not.
const router = new Router({ prefix: '/r' })
const inRouter = { router, app, one: router.get('/one', () => 1) }
is<Parameters<Client<typeof inRouter>['get']>[0], '/r/one'>()

// ---- FastAPI's error bodies ----
const m = await client<typeof routes, 'fastapi'>('https://shop.example').get('/')
if (m.status === 503) is<typeof m.body, { readonly detail: unknown }>()
is<By<typeof m, 422>['detail'], ValidationProblem['errors']>()

// ---- forms and files ----
const forms = {
  login: app.post('/login', { form: z.object({ user: z.string(), keep: z.boolean().optional() }) }, () => 1),
  photo: app.post('/photo', { files: { photo: {}, more: { many: true, optional: true } } }, () => 1),
}
const uploads = client<typeof forms>('https://photos.example')
void uploads.post('/login', { form: { user: 'ada' } })
void uploads.post('/photo', { files: { photo: new Blob([]), more: [new Blob([])] } })
// @ts-expect-error the file missing
void uploads.post('/photo', { files: {} })
// @ts-expect-error the form missing
void uploads.post('/login')

// ---- refusals ----
// @ts-expect-error no such path
void shop.get('/product/{id}', { params: { id: 7 } })
// @ts-expect-error params missing
void shop.get('/products/{id}')
// @ts-expect-error wrong params
void shop.get('/products/{id}', { params: { id: 'x' } })
// @ts-expect-error wrong method
void shop.post('/products/{id}', { params: { id: 7 } })
// @ts-expect-error a misspelt input
void shop.get('/products/{id}', { params: { id: 7 }, qery: {} })
// @ts-expect-error a body that is not the schema's
void shop.post('/orders', { body: { items: [{ product: 'x' }] }, headers: { 'idempotency-key': 'x' } })
// @ts-expect-error a header missing
void shop.post('/orders', { body: { items: [] } })
// @ts-expect-error not a duration
void shop.get('/', { timeout: 'soon' })
// @ts-expect-error no OPTIONS is declared
void shop.options('/')
// @ts-expect-error fetch knows the methods of each path
void shop.fetch('POST', '/products/{id}', { params: { id: 7 } })
// @ts-expect-error a status that nobody declares
if (a.status === 418) void a

// ---- test clients by path ----
const api = testClient<typeof routes>(app)
const n = await api.head('/products/{id}', { params: { id: 7 } })
is<By<typeof n, 200>, null>()
// @ts-expect-error a test client has no retries to speak of
void api.get('/', { retry: false })
is<By<CallAnswer<200, 1>, 200>, 1>()
