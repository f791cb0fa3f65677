// What a WebSocket route must infer, and what the compiler must refuse. Checked by `npm run types`, as app.types.ts. Never run.
import * as z from 'zod'
import { App, dependency, fail, Router, type Socket, type SocketClosing } from 'millrace'
import { testClient } from 'millrace/testing'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void

const app = new App()
const user = dependency({ returns: { 401: z.object({ title: z.string() }) } }, () => ({ id: 'u' }))
const When = z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() })
const Said = z.object({ at: When, tags: z.array(z.string()).default([]) })
const Heard = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('a'), n: z.int() }),
  z.object({ kind: z.literal('b'), at: When }),
])

// ---- the context ----
export const chat = app.ws(
  '/chat/{room}',
  {
    params: z.object({ room: z.int() }),
    query: z.object({ page: z.int().default(1) }),
    headers: z.object({ 'x-a': z.string() }),
    cookies: z.object({ sid: z.string() }),
    uses: { user },
    receives: Said,
    sends: Heard,
  },
  async ({ socket, params, query, headers, cookies, user, signal, request, client, log, defer }) => {
    is<typeof params, { room: number }>()
    is<typeof query, { page: number }>()
    is<typeof headers, { 'x-a': string }>()
    is<typeof cookies, { sid: string }>()
    is<typeof user, { id: string }>()
    is<typeof signal, AbortSignal>()
    is<typeof socket.closed, SocketClosing | undefined>()
    void [request, client, log, defer]
    for await (const message of socket) is<typeof message, { at: Date; tags: string[] }>()
    is<Awaited<ReturnType<typeof socket.receive>>, { at: Date; tags: string[] } | undefined>()
    await socket.send({ kind: 'a', n: 1 })
    await socket.send({ kind: 'b', at: new Date() })
    // @ts-expect-error not a message of the route
    await socket.send({ kind: 'c' })
    // @ts-expect-error a date as the handler holds it, not as the wire does
    await socket.send({ kind: 'b', at: '2026-11-26' })
    socket.publish('all', { kind: 'a', n: 1 }, { except: socket })
    // @ts-expect-error not a message of the route
    socket.publish('all', 1)
    if (!user) fail(403)
    return 'ignored'
  },
)
app.ws('/plain/{id}/{rest*}', ({ socket, params }) => {
  is<typeof params, { readonly id: string; readonly rest: string }>()
  is<typeof socket, Socket<unknown, unknown>>()
})
app.ws('/text', { messages: 'text' }, ({ socket }) => is<typeof socket, Socket<string, string>>())
app.ws('/text/limited', { messages: 'text', receives: z.string().max(3) }, ({ socket }) =>
  is<typeof socket, Socket<string, string>>(),
)
app.ws('/bytes', { messages: 'binary' }, ({ socket }) => is<typeof socket, Socket<Uint8Array, Uint8Array>>())
app.ws('/mixed', { messages: 'mixed' }, ({ socket }) =>
  is<typeof socket, Socket<string | Uint8Array, string | Uint8Array>>(),
)
app.ws('/feed', { receives: null, sends: z.int() }, ({ socket }) => is<typeof socket, Socket<never, number>>())
const within = new Router({ prefix: '/r/{org}', uses: { user } })
export const inRouter = within.ws('/x', ({ params, user }) => {
  is<typeof params, { readonly org: string }>()
  is<typeof user, { id: string }>()
})
is<(typeof inRouter)['path'], '/r/{org}/x'>()
app.include(inRouter).include(within)

// ---- the value ----
chat.publish('1', { kind: 'a', n: 1 })
// @ts-expect-error not a message of the route
chat.publish('1', { kind: 'a', n: 'x' })

// ---- mistakes ----
// @ts-expect-error the path has {room}, the schema has not
app.ws('/{room}', { params: z.object({ other: z.string() }) }, () => {})
// @ts-expect-error a WebSocket has no body
app.ws('/', { body: Said }, () => {})
// @ts-expect-error nor an answer
app.ws('/', { returns: Said }, () => {})
// @ts-expect-error no such kind of message
app.ws('/', { messages: 'xml' }, () => {})
// @ts-expect-error a name of the context
app.ws('/', { uses: { socket: user } }, () => {})
// @ts-expect-error a name of the context
app.ws('/', { uses: { signal: user } }, () => {})
// @ts-expect-error a path begins with a slash
app.ws('x', () => {})

// ---- the test client ----
const api = testClient(app)
async function calls() {
  const socket = await api.socket(chat, {
    params: { room: 1 },
    headers: { 'x-a': 'b' },
    cookies: { sid: 's' },
    subprotocols: ['v1'],
    origin: 'https://a.example',
  })
  // The wire's forms, in both directions.
  socket.send({ at: '2026-11-26T00:00:00Z' })
  // @ts-expect-error a Date is no JSON
  socket.send({ at: new Date() })
  const heard = await socket.receive()
  is<typeof heard, { kind: 'a'; n: number } | { kind: 'b'; at: string }>()
  for await (const each of socket) is<typeof each, { kind: 'a'; n: number } | { kind: 'b'; at: string }>()
  is<Awaited<ReturnType<typeof socket.close>>, SocketClosing>()
  // @ts-expect-error params and headers are missing
  await api.socket(chat, {})
  // @ts-expect-error room is a number
  await api.socket(chat, { params: { room: 'x' }, headers: { 'x-a': 'b' }, cookies: { sid: 's' } })
  const free = await api.socket('/chat/1?page=2')
  free.send(1)
}
void calls
