// A customer, by the typed client: looks for something, orders one of it and reads the order back.
//
//   npm start
//   node --conditions=millrace-source examples/shop/customer.ts 'walnut desk'
import { pathToFileURL } from 'node:url'
import { type Client, client, unwrap } from 'millrace/client'
import type * as endpoints from './endpoints.ts'

export type Shop = Client<typeof endpoints>

export function shopAt(url: string): Shop {
  // A rush is answered with 503 and a time to come back at: it may take some attempts.
  return client<typeof endpoints>(url, { timeout: '60s', retry: { attempts: 8 } })
}

/** @returns what has become of it, in a sentence */
export async function buy(shop: Shop, words: string, email: string): Promise<string> {
  const { items } = await unwrap(shop.get('/products/search', { query: { q: words, limit: 1 } }))
  const [found] = items
  if (!found) return `There is no ${words} here`
  const { id: cartId } = await unwrap(shop.post('/carts'))
  const params = { id: cartId }
  await unwrap(shop.post('/carts/{id}/items', { params, body: { productId: found.id, quantity: 1 } }))
  // A cart can be ordered once, so the order may be repeated when its answer is lost: then the second answer tells of it.
  const ordered = await shop.post('/orders', { body: { cartId, email }, idempotencyKey: cartId })
  switch (ordered.status) {
    case 201:
      return receipt(shop, ordered.body.id)
    case 409: {
      const { orderId, detail, title } = ordered.body
      return orderId === undefined ? (detail ?? title) : receipt(shop, orderId)
    }
    default:
      return `Not ordered: ${ordered.body?.title ?? ordered.status}`
  }
}

async function receipt(shop: Shop, id: string): Promise<string> {
  const { items } = await unwrap(shop.get('/orders/{id}', { params: { id } }))
  return `Ordered: ${items.map(({ quantity, name }) => `${quantity} x ${name}`).join(', ')}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const url = process.env['SHOP_URL'] ?? 'http://127.0.0.1:8000'
  console.log(await buy(shopAt(url), process.argv[2] ?? 'desk', 'you@example.com'))
}
