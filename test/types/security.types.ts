// What a dependency gets for its security, and what must not compile. Nothing here runs.
import { App, dependency, Router } from 'millrace'
import {
  apiKey,
  basic,
  bearer,
  checkScopes,
  either,
  oauth2AuthorizationCode,
  oauth2Password,
  optional,
  passwordForm,
  requireScopes,
} from 'millrace/security'
import * as z from 'zod'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function is<A, B>(..._: Same<A, B> extends true ? [] : [expected: B, found: A]): void

const oauth = oauth2Password({ tokenUrl: '/token', scopes: { me: 'About you' } })
const currentUser = dependency({ security: oauth, returns: { 401: null } }, async ({ token, scopes, signal }) => {
  is<typeof token, string>()
  is<typeof scopes, readonly string[]>()
  void signal
  return { id: token }
})
is<(typeof currentUser)['~value'], { id: string }>()
is<(typeof currentUser)['~returns'], { readonly 401: null }>()

dependency({ security: basic(), headers: z.object({ 'x-a': z.string() }), uses: { currentUser } }, all => {
  is<typeof all.username, string>()
  is<typeof all.password, string>()
  is<typeof all.headers, { 'x-a': string }>()
  is<typeof all.currentUser, { id: string }>()
})
dependency({ security: apiKey({ in: 'cookie', name: 'k' }) }, ({ key }) => is<typeof key, string>())
dependency({ security: optional(bearer()) }, ({ token, scopes }) => {
  is<typeof token, string | undefined>()
  is<typeof scopes, readonly string[]>()
})
dependency({ security: either(bearer(), basic()) }, given => {
  if (given.token !== undefined) is<typeof given.token, string>()
  else is<typeof given.password, string>()
})

// The value of a dependency with scopes is that of the dependency; routes and routers give it as any other.
const scoped = requireScopes(currentUser, 'me')
is<typeof scoped, typeof currentUser>()
const app = new App()
app.get('/me', { uses: { user: requireScopes(currentUser, 'me') } }, ({ user }) => is<typeof user, { id: string }>())
new Router({ uses: { user: scoped } }).get('/me', ({ user }) => user.id)
app.post('/token', { form: passwordForm }, ({ form }) => {
  is<typeof form.username, string>()
  is<typeof form.scope, string | undefined>()
  checkScopes(form.scope, ['me'])
})

// @ts-expect-error a dependency without security has no token
dependency({}, ({ token }) => token)
// @ts-expect-error bearer() gives no password
dependency({ security: bearer() }, ({ password }) => password)
// @ts-expect-error an optional token may not be there
dependency({ security: optional(bearer()) }, ({ token }) => token.length)
// @ts-expect-error no such place
apiKey({ in: 'body', name: 'k' })
// @ts-expect-error a flow needs its URLs
oauth2AuthorizationCode({ tokenUrl: '/token' })
// @ts-expect-error security is what a scheme gives
dependency({ security: 'bearer' }, () => 1)
// @ts-expect-error scopes are texts
requireScopes(currentUser, 1)
