// The shop's carts, checkout and orders: what is sold is there, once, and told by mail.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { addCart, addCartItem, getCart } from '../../examples/shop/cart/routes.ts'
import { getProduct } from '../../examples/shop/catalog/routes.ts'
import { placeOrder } from '../../examples/shop/checkout/routes.ts'
import { getOrder } from '../../examples/shop/orders/routes.ts'
import { eventually } from '../data/support/server.ts'
import { openShop } from './support/shop.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const NOBODY = '00000000-0000-4000-8000-000000000000'
const email = 'ada@example.com'

const shop = await openShop(0)

const order = (cartId: string) => shop.api.call(placeOrder, { body: { cartId, email } })
const stockOf = async (id: number) => {
  const product = await shop.api.call(getProduct, { params: { id } })
  assert.ok(product.status === 200)
  return product.body.stock
}

describe('a cart', () => {
  test('is empty at first and adds up what is put into it', async () => {
    const lamp = await shop.product({ name: 'Lamp', priceCents: 250 })
    const desk = await shop.product({ name: 'Desk', priceCents: 10_000 })
    const made = await shop.api.call(addCart)
    assert.ok(made.status === 201)
    const { id } = made.body
    assert.match(id, UUID)
    assert.deepEqual(made.body, { id, items: [], totalCents: 0 })
    for (const [productId, quantity] of [
      [desk.id, 1],
      [lamp.id, 2],
      [lamp.id, 3],
    ] as const)
      await shop.api.call(addCartItem, { params: { id }, body: { productId, quantity } })
    const cart = await shop.api.call(getCart, { params: { id } })
    assert.deepEqual(cart.body, {
      id,
      items: [
        { productId: lamp.id, name: 'Lamp', quantity: 5, priceCents: 250 },
        { productId: desk.id, name: 'Desk', quantity: 1, priceCents: 10_000 },
      ],
      totalCents: 11_250,
    })
  })

  test('loses nothing that is put into it at the same time', async () => {
    const lamp = await shop.product()
    const id = await shop.cart()
    await Promise.all(
      Array.from({ length: 50 }, () =>
        shop.api.call(addCartItem, { params: { id }, body: { productId: lamp.id, quantity: 2 } }),
      ),
    )
    const cart = await shop.api.call(getCart, { params: { id } })
    assert.ok(cart.status === 200)
    assert.equal(cart.body.items[0]?.quantity, 100)
  })

  test('takes no product that does not exist, and is not found when it does not', async () => {
    const lamp = await shop.product()
    const cart = await shop.cart()
    const noProduct = await shop.send('POST', `/carts/${cart}/items`, { productId: 2_000_000_000, quantity: 1 })
    const noCart = await shop.send('POST', `/carts/${NOBODY}/items`, { productId: lamp.id, quantity: 1 })
    assert.deepEqual([noProduct.status, noProduct.body.detail], [404, 'No such product'])
    assert.deepEqual([noCart.status, noCart.body.detail], [404, 'No such cart'])
    assert.equal((await shop.send('GET', `/carts/${NOBODY}`)).status, 404)
  })

  test('takes at most 999 of one product, also little by little', async () => {
    const lamp = await shop.product()
    const cart = await shop.cart([lamp.id, 998])
    const add = (quantity: number) => shop.send('POST', `/carts/${cart}/items`, { productId: lamp.id, quantity })
    const refused = await add(2)
    assert.deepEqual([refused.status, refused.body.detail], [422, 'A cart holds at most 999 of one product'])
    assert.equal((await add(1)).body.items[0].quantity, 999)
    assert.equal((await add(1)).status, 422)
  })

  test('takes at most 100 products', async () => {
    const id = await shop.cart()
    await shop.db.sql`
      with made as (
        insert into products (name, description, category, price_cents, stock)
        select 'n', 'd', 'c', 1, 1 from generate_series(1, 100) returning id
      )
      insert into cart_items select ${id}, id, 1 from made`
    const lamp = await shop.product()
    const refused = await shop.send('POST', `/carts/${id}/items`, { productId: lamp.id, quantity: 1 })
    assert.deepEqual([refused.status, refused.body.detail], [422, 'A cart holds at most 100 products'])
  })

  test('takes at most 100 products, also of many who put one in at the same time', async () => {
    const id = await shop.cart()
    await shop.db.sql`
      with made as (
        insert into products (name, description, category, price_cents, stock)
        select 'n', 'd', 'c', 1, 1 from generate_series(1, 97) returning id
      )
      insert into cart_items select ${id}, id, 1 from made`
    const lamps = await Promise.all(Array.from({ length: 20 }, () => shop.product()))
    const statuses = await Promise.all(
      lamps.map(async lamp => {
        const added = await shop.send('POST', `/carts/${id}/items`, { productId: lamp.id, quantity: 1 })
        return added.status
      }),
    )
    assert.equal((await shop.send('GET', `/carts/${id}`)).body.items.length, 100)
    assert.equal(statuses.filter(status => status === 200).length, 3)
  })

  for (const [body, ...places] of [
    [{}, 'body.productId', 'body.quantity'],
    [{ productId: 1, quantity: 0 }, 'body.quantity'],
    [{ productId: 1, quantity: -1 }, 'body.quantity'],
    [{ productId: 1, quantity: 1000 }, 'body.quantity'],
    [{ productId: 1, quantity: 1.5 }, 'body.quantity'],
    [{ productId: 1, quantity: '1' }, 'body.quantity'],
    [{ productId: -1, quantity: 1 }, 'body.productId'],
    [{ productId: 2 ** 31, quantity: 1 }, 'body.productId'],
    [{ productId: 1, quantity: 1, priceCents: 0 }, 'body.priceCents'],
  ] as const)
    test(`refuses ${JSON.stringify(body)}`, async () => {
      const cart = await shop.cart()
      const refused = await shop.send('POST', `/carts/${cart}/items`, body)
      assert.equal(refused.status, 422)
      const locs = (refused.body.errors as { loc: string[] }[]).map(({ loc }) => loc.join('.'))
      assert.deepEqual(locs, places)
    })

  test('refuses a huge quantity and an id that is none', async () => {
    const cart = await shop.cart()
    assert.equal((await shop.send('POST', `/carts/${cart}/items`, '{"productId":1,"quantity":1e400}')).status, 422)
    assert.equal((await shop.send('GET', '/carts/7')).status, 422)
    assert.equal((await shop.send('GET', '/orders/7')).status, 422)
  })
})

describe('an order', () => {
  test('takes what is in the cart out of stock, and can be read again', async () => {
    const lamp = await shop.product({ name: 'Lamp', priceCents: 250, stock: 10 })
    const desk = await shop.product({ name: 'Desk', priceCents: 10_000, stock: 1 })
    assert.deepEqual([await stockOf(lamp.id), await stockOf(desk.id)], [10, 1])
    const placed = await order(await shop.cart([desk.id, 1], [lamp.id, 3]))
    assert.ok(placed.status === 201)
    const { id, createdAt } = placed.body
    assert.match(id, UUID)
    assert.deepEqual(placed.body, {
      id,
      email,
      status: 'placed',
      items: [
        { productId: lamp.id, name: 'Lamp', quantity: 3, priceCents: 250 },
        { productId: desk.id, name: 'Desk', quantity: 1, priceCents: 10_000 },
      ],
      totalCents: 10_750,
      createdAt,
    })
    // From the cache a moment ago; the order has invalidated it.
    assert.deepEqual([await stockOf(lamp.id), await stockOf(desk.id)], [7, 0])
    const read = await shop.api.call(getOrder, { params: { id } })
    assert.deepEqual(read.body, placed.body)
  })

  test('keeps name and price as they were', async () => {
    const lamp = await shop.product({ name: 'Old', priceCents: 100 })
    const placed = await order(await shop.cart([lamp.id, 1]))
    assert.ok(placed.status === 201)
    await shop.db.sql`update products set name = 'New', price_cents = 999 where id = ${lamp.id}`
    const read = await shop.api.call(getOrder, { params: { id: placed.body.id } })
    assert.deepEqual(read.body, placed.body)
  })

  test('is confirmed by one mail in the outbox', async () => {
    const lamp = await shop.product({ name: 'Lämpchen', priceCents: 1999 })
    const placed = await order(await shop.cart([lamp.id, 3]))
    assert.ok(placed.status === 201)
    const { id } = placed.body
    const mails = await eventually(async () => {
      const names = (await readdir(shop.outbox)).filter(name => name.endsWith('.eml'))
      const texts = await Promise.all(names.map(name => readFile(join(shop.outbox, name), 'utf8')))
      const ours = texts.filter(text => text.includes(id))
      return ours.length > 0 ? ours : undefined
    })
    assert.equal(mails.length, 1)
    assert.match(mails[0]!, /^To: <ada@example\.com>\r$/m)
    assert.match(mails[0]!, /^3 x Lämpchen {2}59\.97\r$/m)
    assert.match(mails[0]!, /^Total {2}59\.97\r$/m)
  })

  test('is refused when stock is short, saying of what, and then takes nothing', async () => {
    const lamp = await shop.product({ name: 'Lamp', stock: 10 })
    const desk = await shop.product({ name: 'Desk', stock: 1 })
    const chair = await shop.product({ name: 'Chair', stock: 0 })
    const cart = await shop.cart([lamp.id, 3], [desk.id, 2], [chair.id, 1])
    const refused = await shop.send('POST', '/orders', { cartId: cart, email })
    assert.equal(refused.status, 409)
    assert.equal(refused.headers.get('content-type'), 'application/problem+json')
    assert.equal(refused.body.detail, 'There is not enough of Desk (2 wanted, 1 left), Chair (1 wanted, none left)')
    assert.deepEqual(refused.body.shortages, [
      { productId: desk.id, name: 'Desk', wanted: 2, left: 1 },
      { productId: chair.id, name: 'Chair', wanted: 1, left: 0 },
    ])
    assert.deepEqual([await stockOf(lamp.id), await stockOf(desk.id)], [10, 1])
    await shop.db.sql`update products set stock = 5 where id in (${desk.id}, ${chair.id})`
    assert.equal((await order(cart)).status, 201)
  })

  test('is placed once for each cart, also when asked for several times at once', async () => {
    const lamp = await shop.product({ stock: 10 })
    const cart = await shop.cart([lamp.id, 1])
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => order(cart)))).map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [201, ...Array.from({ length: 9 }, () => 409)])
    assert.equal(await stockOf(lamp.id), 9)
    const again = await shop.send('POST', '/orders', { cartId: cart, email })
    assert.deepEqual([again.status, again.body.detail], [409, 'This cart has been ordered already'])
    const add = await shop.send('POST', `/carts/${cart}/items`, { productId: lamp.id, quantity: 1 })
    assert.deepEqual([add.status, add.body.detail], [409, 'This cart has been ordered; take a new one'])
  })

  test('whose answer was lost is told to its buyer who asks again, and to nobody else', async () => {
    const lamp = await shop.product()
    const cart = await shop.cart([lamp.id, 1])
    const placed = await order(cart)
    assert.ok(placed.status === 201)
    const again = await order(cart)
    assert.ok(again.status === 409)
    assert.equal(again.body.orderId, placed.body.id)
    const other = await shop.send('POST', '/orders', { cartId: cart, email: 'eve@example.com' })
    assert.deepEqual([other.status, other.body.orderId], [409, undefined])
    assert.equal(other.headers.get('content-type'), 'application/problem+json')
  })

  test('needs a cart with something in it, and an address', async () => {
    const empty = await shop.send('POST', '/orders', { cartId: await shop.cart(), email })
    assert.deepEqual([empty.status, empty.body.detail], [409, 'The cart is empty'])
    const none = await shop.send('POST', '/orders', { cartId: NOBODY, email })
    assert.deepEqual([none.status, none.body.detail], [404, 'No such cart'])
    for (const bad of ['', 'ada', 'ada@', 'a@b.example\r\nBcc: eve@example.com', `${'a'.repeat(250)}@example.com`])
      assert.equal((await shop.send('POST', '/orders', { cartId: NOBODY, email: bad })).status, 422, bad)
    assert.equal((await shop.send('POST', '/orders', { cartId: NOBODY, email, status: 'paid' })).status, 422)
    assert.equal((await shop.send('GET', `/orders/${NOBODY}`)).status, 404)
  })
})

describe('a rush', () => {
  test('of 300 buyers for the last 50 sells exactly 50', async () => {
    const { id } = await shop.product({ name: 'Scarce', stock: 50 })
    const carts = await Promise.all(Array.from({ length: 300 }, () => shop.cart([id, 1])))
    const answers = await Promise.all(carts.map(order))
    const count = (wanted: number) => answers.filter(({ status }) => status === wanted).length
    assert.deepEqual([count(201), count(409)], [50, 250])
    assert.equal(await stockOf(id), 0)
    const { sold } = await shop.db.sql<{ sold: number }>`
      select sum(quantity)::int as sold from order_items where product_id = ${id}`.one()
    assert.equal(sold, 50)
  })

  test('for several products at once, put into carts in any order, ends without a deadlock', async () => {
    const products = [
      await shop.product({ stock: 500 }),
      await shop.product({ stock: 500 }),
      await shop.product({ stock: 500 }),
    ]
    const ids = products.map(({ id }) => id)
    const carts = await Promise.all(
      Array.from({ length: 90 }, (_, n) => {
        const turned = [...ids.slice(n % 3), ...ids.slice(0, n % 3)]
        return shop.cart(...(n % 2 ? turned : turned.toReversed()).map(id => [id, 2] as const))
      }),
    )
    const statuses = new Set((await Promise.all(carts.map(order))).map(({ status }) => status))
    assert.deepEqual([...statuses], [201])
    assert.deepEqual(await Promise.all(ids.map(stockOf)), [320, 320, 320])
  })
})
