// How do I send a client elsewhere, and give it headers and cookies?
import { App, redirect } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Redirects and cookies', version: '1.0.0' })

const Theme = z.enum(['light', 'dark'])
const cookies = z.object({ theme: Theme.default('light') })

// 303: whatever it was, go on with GET. 307, the default, keeps method and body; 308 says that it is for ever.
app.post('/theme/{theme}', { params: z.object({ theme: Theme }), returns: { 303: null } }, ({ params }) =>
  redirect('/', 303, { cookies: { theme: { value: params.theme, maxAgeSeconds: 31_536_000, httpOnly: true } } }),
)
app.get('/home', { returns: { 308: null } }, () => redirect('/', 308))

// Fields of one answer stand in its third argument.
const Page = z.object({ theme: Theme })
app.get('/', { cookies, returns: { 200: Page } }, ({ cookies, reply }) =>
  reply(200, cookies, { headers: { vary: 'cookie' } }),
)

// An empty value of no age deletes a cookie.
app.delete('/theme', { returns: { 204: null } }, ({ reply }) =>
  reply(204, null, { cookies: { theme: { value: '', maxAgeSeconds: 0 } } }),
)

export default app
