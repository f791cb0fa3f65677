import { App, Router, urlFor } from 'millrace'
import * as z from 'zod'

const products = new Router({ prefix: '/products', tags: ['products'] })
const id = z.int().min(1).max(1_000_000)

products.get('/', () => [{ id: 7, name: 'Lamp' }])
products.get('/{id}', { params: z.object({ id }) }, ({ params }) => ({
  id: params.id,
  self: app.url('/v1/products/{id}', { params }),
  help: urlFor('/help/{path*}', { params: { path: 'products/lamps' }, base: 'https://docs.example' }),
}))

const admin = new App({ title: 'Admin', version: '1.0.0' })
admin.get('/jobs', () => [])

export const app = new App({ title: 'Structure', version: '1.0.0', versions: { header: 'api-version', default: '1' } })

app.include(products, { prefix: '/v1' })
app.include(products, { prefix: '/beta', hidden: true })

const newer = new Router({ version: '2' })
newer.get('/status', () => ({ status: 'green' }))
const older = new Router({ version: '1' })
older.get('/status', () => 'ok')
app.include(newer).include(older)

app.mount('/admin', admin)
app.mount('/echo', request => new Response(`${request.method} ${new URL(request.url).pathname}\n`))

const tenant = app.host('{tenant}.example.com')
tenant.get('/orders', ({ params }) => ({ ordersOf: params.tenant }))

export default app
