// What middleware and sessions infer, and what the compiler must refuse. Checked by `npm run types`, as app.types.ts is. Never run.
import * as z from 'zod'
import { App, type Dependency, dependency, type Middleware, Router } from 'millrace'
import {
  checkConditions,
  csrf,
  csrfTokenOf,
  requestIdOf,
  session,
  type Session,
  staticFiles,
} from 'millrace/middleware'

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(...same: Eq<A, B> extends true ? [] : ['not the same', A, B]): void

// ---- a middleware: written where it is used, its context is known ----
const middleware: Middleware = async (context, next) => {
  is<typeof context.scheme, 'http' | 'https'>()
  is<typeof context.authority, string>()
  context.note({ tenant: 7 })
  const answer = await next()
  answer.headers.set('x-a', 'b')
}
const app = new App({ use: [middleware, ({ path }, next) => (path === '/' ? new Response() : next())] })
app.use(async ({ method }, next) => {
  is<typeof method, string>()
  await next()
})
// @ts-expect-error  a number is no answer
app.use(() => 1)

// ---- a session: its data is the schema's output, or nothing ----
const Visit = z.object({ userId: z.int(), since: z.string().default('now') })
const visit = session({ schema: Visit, secrets: ['x'] })
is<typeof visit, Dependency<Session<{ userId: number; since: string }>, 'request'>>()
app.get('/me', { uses: { visit } }, ({ visit }) => {
  is<typeof visit.id, string | undefined>()
  is<typeof visit.data, Readonly<{ userId: number; since: string }> | undefined>()
  // @ts-expect-error  there may be none
  void visit.data.userId
  // @ts-expect-error  read-only: set() keeps a change
  visit.data!.userId = 7
  visit.set({ userId: 7, since: 'now' })
  // @ts-expect-error  of another type
  visit.set({ userId: '7', since: 'now' })
  return visit.data?.userId ?? null
})
const router = new Router({ prefix: '/r', uses: { visit }, use: [csrf({ token: { secrets: ['x'], session: visit } })] })
router.get('/a', ({ visit }) => visit.data?.userId ?? 0)
// @ts-expect-error  no session
csrf({ token: { secrets: ['x'], session: dependency(() => 1) } })

// ---- what is kept beside a request ----
app.put('/a', context => {
  is<string | undefined, ReturnType<typeof requestIdOf>>()
  requestIdOf(context)
  checkConditions(context, { etag: '"1"' }, { required: true })
  checkConditions(context, undefined)
  // @ts-expect-error  a tag is text
  checkConditions(context, { etag: 1 })
})
const token = dependency(csrfTokenOf)
app.get('/page', { uses: { token } }, ({ token }) => {
  is<typeof token, string | undefined>()
  return token ?? ''
})
// @ts-expect-error  a misspelt option
staticFiles({ directory: 'public', fallbak: 'auto' })
