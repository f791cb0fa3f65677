// How do I remember a visitor?
import { App, fail } from 'millrace'
import { csrf, session } from 'millrace/middleware'
import * as z from 'zod'

const app = new App({ title: 'Sessions', version: '1.0.0' })

// Refuses what pages of other sites have a visitor's browser send.
app.use(csrf())

// What the schema says, in a cookie that only we can read. There is no store: to remember more, keep an id.
const visit = session({
  schema: z.object({ user: z.string(), cart: z.array(z.string()) }),
  secrets: [process.env['SESSION_SECRET'] ?? 'for trying it out, and nothing else'],
  encrypted: true,
  maxAge: '7d',
})
const uses = { session: visit }

app.post('/login', { uses, body: z.object({ user: z.string() }) }, ({ session, body }) => {
  session.regenerate()
  session.set({ user: body.user, cart: [] })
  return { welcome: body.user }
})

app.post('/cart/{item}', { uses }, ({ session, params }) => {
  const { user, cart } = session.data ?? fail(401, 'Log in first')
  session.set({ user, cart: [...cart, params.item] })
  return session.data
})

app.post('/logout', { uses, returns: { 204: null } }, ({ session }) => session.destroy())

export default app
