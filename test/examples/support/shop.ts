// The shop in this process, over a PostgreSQL of its own, with every statement counted.
import { after } from 'node:test'
import { join } from 'node:path'
import type { Database } from 'millrace/postgres'
import { testClient, type TestClient } from 'millrace/testing'
import app from '../../../examples/shop/app.ts'
import { addCart, addCartItem } from '../../../examples/shop/cart/routes.ts'
import { addProduct } from '../../../examples/shop/catalog/routes.ts'
import type { NewProduct, Product } from '../../../examples/shop/catalog/schema.ts'
import { pool } from '../../../examples/shop/database.ts'
import { temporaryFolder, testServer } from '../../data/support/server.ts'

export const ADMIN = { 'x-api-key': 'a key for tests' }
export const TOKEN_SECRET = 'a secret for tests of 32 bytes!!'

export interface Shop {
  readonly api: TestClient<{}, 'problem'>
  readonly db: Database
  readonly outbox: string
  /** Statements that the app has sent outside transactions. */
  statements(): number
  product(of?: Partial<NewProduct>): Promise<Product>
  /** A cart with these products in it, in this order. @returns its id */
  cart(...items: readonly (readonly [productId: number, quantity: number])[]): Promise<string>
  /** Any request with a JSON body. */
  send(method: string, path: `/${string}`, body?: unknown, headers?: Record<string, string>): Promise<Sent>
}

export interface Sent {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

/** At the top of a test file and once in it: there is one app, and it starts once. */
export async function openShop(products: number): Promise<Shop> {
  const outbox = join(await temporaryFolder(), 'outbox')
  process.env['SHOP_SEED_PRODUCTS'] = String(products)
  process.env['SHOP_OUTBOX'] = outbox
  process.env['SHOP_ADMIN_KEY'] = ADMIN['x-api-key']
  process.env['SHOP_TOKEN_SECRET'] = TOKEN_SECRET
  const server = await testServer()
  // A rush of hundreds takes longer than the usual 5 s where other tests have the processor, and is to be judged by what it sells.
  const db = await server.open({ maxWaiting: 1000, acquireTimeout: '60s' })
  let sent = 0
  const counting = new Proxy(db, {
    // No view for each route (core/route-view.ts): it would go past the count.
    has: (_, name) => typeof name !== 'symbol' && name in db,
    get(_, name: keyof Database) {
      if (name === 'sql') return (...of: Parameters<Database['sql']>) => (sent++, db.sql(...of))
      const member: unknown = db[name]
      return typeof member === 'function' ? (member.bind(db) as unknown) : member
    },
  })
  app.override(pool, () => counting)
  const api = testClient(app)
  after(() => api.close())

  return {
    api,
    db,
    outbox,
    statements: () => sent,
    async product(of = {}) {
      const product = { name: 'Lamp', description: 'It shines.', category: 'tests', priceCents: 250, stock: 10, ...of }
      const answer = await api.call(addProduct, { headers: ADMIN, body: product })
      if (answer.status !== 201) throw new Error(`no product was made: ${answer.status}`)
      return answer.body
    },
    async cart(...items) {
      const cart = await api.call(addCart)
      if (cart.status !== 201) throw new Error(`no cart was made: ${cart.status}`)
      const { id } = cart.body
      for (const [productId, quantity] of items) {
        const { status } = await api.call(addCartItem, { params: { id }, body: { productId, quantity } })
        if (status !== 200) throw new Error(`not put into the cart: ${status}`)
      }
      return id
    },
    async send(method, path, body, headers) {
      const response = await api.fetch(path, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
    },
  }
}
