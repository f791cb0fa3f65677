// The shop's document before the same tools, and orders placed by clients that were generated from it.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import SwaggerParser from '@apidevtools/swagger-parser'
import app from '../../../examples/shop/app.ts'
import { openShop } from '../../examples/support/shop.ts'
import { lint, withGeneratedClient, withGeneratedTypes } from './outside-tools.ts'

const shop = await openShop(0)

describe("the shop's document", () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-shop-client-'))
  })
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))

  test("passes Redocly's recommended rules and swagger-parser", async () => {
    const file = join(folder, 'shop.json')
    await writeFile(file, JSON.stringify(app.openapi()))
    assert.deepEqual(await lint(file), [])
    await SwaggerParser.validate(structuredClone(app.openapi()) as never)
  })

  test(
    'gives a client that type-checks, places an order, signs up, signs in and finds its orders',
    { timeout: 240_000 },
    async () => {
      const product = await shop.product({ stock: 5, priceCents: 250 })
      const { buy } = await withGeneratedClient<{
        buy(fetch: (request: Request) => Promise<Response>, productId: number): Promise<any>
      }>(
        folder,
        app.openapi(),
        `import { client } from './client/client.gen.ts'
import { addCart, addCartItem, getMyAccount, getProduct, listMyOrders, logIn, placeOrder, signUp } from './client/sdk.gen.ts'
import type { Order } from './client/types.gen.ts'

export async function buy(fetch: typeof globalThis.fetch, productId: number) {
  client.setConfig({ baseUrl: 'http://shop.test', fetch })
  const cart = await addCart({ throwOnError: true })
  await addCartItem({ path: { id: cart.data.id }, body: { productId, quantity: 2 }, throwOnError: true })
  const placed = await placeOrder({ body: { cartId: cart.data.id, email: 'ada@example.com' } })
  const order: Order | undefined = placed.data
  const again = await placeOrder({ body: { cartId: cart.data.id, email: 'ada@example.com' } })
  const left = await getProduct({ path: { id: productId }, throwOnError: true })

  const email = 'client@example.com'
  const password = 'correct horse battery'
  await signUp({ body: { email, password }, throwOnError: true })
  const stranger = await getMyAccount()
  const login = await logIn({ body: { grant_type: 'password', username: email, password }, throwOnError: true })
  client.setConfig({ auth: () => login.data.access_token })
  const mine = await addCart({ throwOnError: true })
  await addCartItem({ path: { id: mine.data.id }, body: { productId, quantity: 1 }, throwOnError: true })
  const own = await placeOrder({ body: { cartId: mine.data.id }, throwOnError: true })
  const account = await getMyAccount({ throwOnError: true })
  const orders = await listMyOrders({ throwOnError: true })
  return {
    status: placed.response?.status,
    order,
    again: again.response?.status,
    stock: left.data.stock,
    stranger: stranger.response?.status,
    email: account.data.email,
    isMine: orders.data.items.map(({ id }) => id).join() === own.data.id,
  }
}
`,
      )
      const bought = await buy(fetch, product.id)
      assert.equal(bought.status, 201)
      assert.equal(bought.order.totalCents, 500)
      assert.equal(bought.again, 409)
      assert.equal(bought.stock, 3)
      assert.deepEqual([bought.stranger, bought.email, bought.isMine], [401, 'client@example.com', true])
    },
  )

  test(
    'gives types that check, by which openapi-fetch places an order and reads what is refused',
    { timeout: 240_000 },
    async () => {
      const product = await shop.product({ stock: 5, priceCents: 250 })
      const { buy } = await withGeneratedTypes<{
        buy(fetch: (request: Request) => Promise<Response>, productId: number): Promise<any>
      }>(
        join(folder, 'types'),
        app.openapi(),
        `import createClient from 'openapi-fetch'
import type { components, paths } from './types.d.ts'

export async function buy(fetch: (request: Request) => Promise<Response>, productId: number) {
  const { GET, POST } = createClient<paths>({ baseUrl: 'http://shop.test', fetch })
  const cart = await POST('/carts')
  if (!cart.data) throw new Error('no cart')
  const cartId: string = cart.data.id
  await POST('/carts/{id}/items', { params: { path: { id: cartId } }, body: { productId, quantity: 2 } })
  const placed = await POST('/orders', { body: { cartId, email: 'ada@example.com' } })
  const order: components['schemas']['Order'] | undefined = placed.data
  const again = await POST('/orders', { body: { cartId, email: 'ada@example.com' } })
  const refusal: string | undefined = again.error?.title
  const left = await GET('/products/{id}', { params: { path: { id: productId } } })
  const stock: number | undefined = left.data?.stock
  // @ts-expect-error: an order needs its cart
  void (() => POST('/orders', { body: { email: 'ada@example.com' } }))
  return { status: placed.response.status, order, again: again.response.status, refusal, stock }
}
`,
      )
      const bought = await buy(fetch, product.id)
      assert.equal(bought.status, 201)
      assert.equal(bought.order.totalCents, 500)
      assert.deepEqual([bought.again, bought.refusal, bought.stock], [409, 'Conflict', 3])
    },
  )
})

async function fetch(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const body = request.body === null ? null : await request.text()
  return shop.api.fetch(`/${pathname.slice(1)}${search}`, { method: request.method, headers: request.headers, body })
}
