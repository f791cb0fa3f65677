// How do I know who asks?
import { App, dependency, fail } from 'millrace'
import { apiKey, bearer, optional, timingSafeEqual } from 'millrace/security'
import * as z from 'zod'

const app = new App({ title: 'Who asks', version: '1.0.0' })

// Tokens and keys would be in a database, or be signed: see the next step.
const users = new Map([['token-of-ada', 'Ada']])

// What a request must show is declared, and arrives typed. Without it the answer is 401 before anything is read or validated, and so is
// what this dependency refuses.
const user = dependency({ security: bearer() }, ({ token }) => users.get(token) ?? fail(401, 'Unknown token'))

// Guests are welcome: the token is a string or undefined.
const visitor = dependency({ security: optional(bearer()) }, ({ token }) => (token ? users.get(token) : undefined))

const robot = dependency({ security: apiKey({ in: 'header', name: 'X-API-Key' }) }, ({ key }) => {
  // Takes the same time for every wrong key.
  if (!timingSafeEqual(key, 'secret')) fail(401, 'Wrong key')
})

app.post('/notes', { uses: { user }, body: z.object({ text: z.string().min(1) }) }, ({ user, body }) => ({
  by: user,
  text: body.text,
}))

app.get('/greeting', { uses: { visitor } }, ({ visitor }) => ({ message: `Hello ${visitor ?? 'stranger'}` }))

app.get('/stats', { uses: { robot } }, () => ({ notes: 3 }))

export default app
