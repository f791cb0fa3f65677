import { App, cache, fail, keyed } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Caching by key', version: '1.0.0' })
const names = new Map([[7, 'Seven']])

const products = keyed(cache, 'product', async (id: number) => names.get(id), {
  ttl: '1m',
  negativeTtl: '5s',
  tags: id => [`product:${id}`],
})

app.get('/products/{id}', { params: z.object({ id: z.int() }) }, async ({ params }) => {
  const name = await products.get(params.id)
  return { name: name ?? fail(404, 'No such product') }
})

export default app
