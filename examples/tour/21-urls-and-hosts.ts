// How do I write links to my own routes, and answer by host?
import { App, urlFor } from 'millrace'
import * as z from 'zod'

// `rootPath`: a proxy adds /api in front of everything, and takes it off or not.
const app = new App({ title: 'URLs and hosts', version: '1.0.0', rootPath: '/api' })
const id = z.int().min(1).max(1_000_000)

app.get('/products/{id}', { params: z.object({ id }) }, ({ params, request }) => ({
  // The path is a route of this app, its names are checked by the compiler, and values are encoded.
  self: app.url('/products/{id}', { params }),
  next: app.url('/products/{id}', { params: { id: params.id + 1 }, query: { from: 'self' } }),
  absolute: app.url('/products/{id}', { params, base: request }),
}))

// Any pattern, of this app or of another.
app.get('/search', () => ({ more: urlFor('/files/{path*}', { params: { path: 'été/list #1.txt' } }) }))

// Routes of one host. A name takes one label, and is one of `params`.
const tenant = app.host('{tenant}.shop.example')
tenant.get('/', ({ params }) => ({ tenant: params.tenant }))

export default app
