// How do people log in?
import { App, dependency, fail } from 'millrace'
import { checkScopes, jwt, oauth2Password, passwordForm, passwords, requireScopes } from 'millrace/security'
import { scopesOf, TokenAnswer, TokenRefusal } from 'millrace/security'
import * as z from 'zod'

// In a database only the hash of a password is kept: scrypt, slow on purpose, a few at a time.
const { hash, verify } = passwords()
const users = new Map([['ada', { name: 'Ada Lovelace', hash: await hash('correct horse') }]])

const tokens = jwt({
  algorithms: ['HS256'],
  secret: 'at least 32 random bytes, from the environment',
  issuer: 'tour',
  claims: z.object({ sub: z.string(), scope: z.string() }),
})

// OAuth 2's password flow: Authorize in /docs asks for the same name and password.
const scopes = { profile: 'See who you are', orders: 'See your orders' }
const login = oauth2Password({ tokenUrl: '/token', scopes })

// `scopes` is what the route requires. A bad or expired token is a 401, a missing scope a 403.
const user = dependency({ security: login }, async ({ token, scopes, signal }) => {
  const { sub, scope } = await tokens.verify(token, { signal })
  checkScopes(scope, scopes)
  return users.get(sub) ?? fail(401, 'Unknown user')
})

const app = new App({ title: 'Logging in', version: '1.0.0' })

app.post(
  '/token',
  { form: passwordForm, returns: { 200: TokenAnswer, 400: TokenRefusal } },
  async ({ form, signal, reply }) => {
    // Takes as long for somebody unknown.
    const isRight = await verify(form.password, users.get(form.username)?.hash, { signal })
    if (!isRight) return reply(400, { error: 'invalid_grant' })
    const scope = scopesOf(form.scope)
      .filter(name => Object.hasOwn(scopes, name))
      .join(' ')
    const token = await tokens.sign({ sub: form.username, scope }, { expiresIn: '15m' })
    const headers = { 'cache-control': 'no-store' }
    return reply(200, { access_token: token, token_type: 'bearer', expires_in: 900, scope }, { headers })
  },
)

app.get('/me', { uses: { user: requireScopes(user, 'profile') } }, ({ user }) => ({ name: user.name }))
app.get('/me/orders', { uses: { user: requireScopes(user, 'orders') } }, () => ({ orders: [] }))

export default app
