import { App, dependency, fail, Router } from 'millrace'
import {
  apiKey,
  basic,
  bearer,
  checkScopes,
  either,
  jwt,
  openIdConnect,
  passwords,
  requireScopes,
} from 'millrace/security'
import * as z from 'zod'

const app = new App({ title: 'Security', version: '1.0.0' })

// Name and password, which browsers ask for by themselves.
const { hash, verify } = passwords()
const people = new Map([['ada', await hash('correct horse')]])
const person = dependency({ security: basic({ realm: 'notes' }) }, async ({ username, password, signal }) =>
  (await verify(password, people.get(username), { signal })) ? username : fail(401, 'Wrong name or password'),
)
app.get('/notes', { uses: { person } }, ({ person }) => ({ of: person }))

// One of two: a token of somebody, or the key of a program. The one that is there tells which.
const caller = dependency(
  { security: either(bearer(), apiKey({ in: 'header', name: 'X-API-Key' })) },
  ({ token, key }) => (token !== undefined ? { kind: 'person', by: token } : { kind: 'program', by: key }),
)
app.get('/caller', { uses: { caller } }, ({ caller }) => caller)

// Tokens of an identity provider: its keys are fetched, kept and exchanged by themselves.
const tokens = jwt({
  algorithms: ['RS256'],
  jwks: 'https://login.example/keys',
  issuer: 'https://login.example/',
  audience: 'notes-api',
  claims: z.object({ sub: z.string(), scope: z.string().default('') }),
})
const login = openIdConnect({ url: 'https://login.example/.well-known/openid-configuration' })
const user = dependency({ security: login }, async ({ token, scopes, signal }) => {
  const { sub, scope } = await tokens.verify(token, { signal })
  checkScopes(scope, scopes)
  return { id: sub }
})

// A dependency on top of it that may say no as well. It runs before the body is read because it declares a 403.
const banned = new Set(['eve'])
const member = dependency({ uses: { user }, returns: { 403: null } }, ({ user }) =>
  banned.has(user.id) ? fail(403, 'Not any more') : user,
)

// Scopes of routers, routes and dependencies add up: here 'notes:write' and 'admin'.
const admin = new Router({ prefix: '/admin', uses: { member: requireScopes(member, 'admin') } })
admin.put(
  '/motto',
  { uses: { author: requireScopes(member, 'notes:write') }, body: z.object({ text: z.string() }) },
  ({ author, body }) => ({ by: author.id, text: body.text }),
)
app.include(admin)

export default app
