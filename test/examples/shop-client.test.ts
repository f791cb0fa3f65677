// The shop as its customers' programs see it: the typed client over real sockets, in a rush, and leaving in the middle.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { AnswerError, client, unwrap } from 'millrace/client'
import { buy, shopAt } from '../../examples/shop/customer.ts'
import type * as endpoints from '../../examples/shop/endpoints.ts'
import { eventually, temporaryFolder, testServer } from '../data/support/server.ts'
import { ROOT, startServer } from '../system/running-server.ts'

test('the shop serves a typed client: an order, a rush, a call that is given up', async context => {
  const folder = await temporaryFolder()
  const postgres = await testServer()
  const db = await postgres.open()
  const args = ['serve', join(ROOT, 'examples/shop/app.ts'), '--workers', '1', '--host', '127.0.0.1', '--port', '0']
  const server = await startServer(context, args, {
    directory: folder,
    environment: {
      DATABASE_URL: postgres.server.url,
      SHOP_SEED_PRODUCTS: '2000',
      SHOP_ADMIN_KEY: 'mine',
      SHOP_OUTBOX: join(folder, 'outbox'),
    },
  })
  const shop = shopAt(server.url)
  const admin = client<typeof endpoints>(server.url, { headers: { 'x-api-key': 'mine' } })

  await context.test('finds, orders and reads back', async () => {
    const lamp = { name: 'Zeppelin lamp', description: 'It floats.', category: 'tests', priceCents: 500, stock: 1 }
    await unwrap(admin.post('/products', { body: lamp }))
    assert.equal(await buy(shop, 'zeppelin', 'ada@example.com'), 'Ordered: 1 x Zeppelin lamp')
    assert.match(await buy(shop, 'zeppelin', 'bob@example.com'), /Zeppelin lamp/)
    assert.equal(await buy(shop, 'quagga', 'ada@example.com'), 'There is no quagga here')
  })

  await context.test('orders once and has its receipt, also when the answer is lost', async () => {
    const lamp = { name: 'Dirigible lamp', description: 'It floats.', category: 'tests', priceCents: 500, stock: 2 }
    const { id } = await unwrap(admin.post('/products', { body: lamp }))
    let lost = 0
    const losing = client<typeof endpoints>(server.url, {
      fetch: async (...call) => {
        const answer = await fetch(...call)
        if (answer.status !== 201 || !answer.url.endsWith('/orders') || lost++ > 0) return answer
        await answer.body?.cancel()
        throw new TypeError('the connection was lost')
      },
    })
    assert.equal(await buy(losing, 'dirigible', 'ada@example.com'), 'Ordered: 1 x Dirigible lamp')
    assert.equal(lost, 1)
    assert.equal((await unwrap(shop.get('/products/{id}', { params: { id } }))).stock, 1)
  })

  await context.test('is refused in words, with call, status and problem', async () => {
    await assert.rejects(unwrap(shop.get('/products/{id}', { params: { id: 2_000_000 } })), (error: unknown) => {
      assert.ok(error instanceof AnswerError)
      assert.equal(error.message, 'GET /products/{id} answered 404 Not Found: No such product')
      return true
    })
  })

  await context.test('in a rush, what is refused says when to come back, and who comes back is served', async () => {
    // 5 at once and 500 waiting is what the search takes. While the products are locked nobody gets through.
    const begun = await db.begin()
    await begun.sql`lock table products in access exclusive mode`
    // Each asks for something else, so that no two share an answer.
    const search = (n: number, retry: boolean) =>
      shop.get('/products/search', { query: { q: `desk ${n}`, limit: 1 }, retry })
    let refused = 0
    const rush = Array.from({ length: 520 }, async (_, n) => {
      const answer = await search(n, false)
      if (answer.status !== 503) return answer.status
      assert.match(answer.headers.get('retry-after') ?? '', /^[123]$/)
      assert.equal(answer.body.title, 'Service Unavailable')
      refused++
      return answer.status
    })
    await eventually(() => (refused >= 10 ? true : undefined))
    const customers = Array.from({ length: 8 }, (_, n) => search(1000 + n, true))
    await begun.close()
    for (const { status } of await Promise.all(customers)) assert.equal(status, 200)
    for (const status of await Promise.all(rush)) assert.ok(status === 200 || status === 503)
  })

  await context.test('a call that is given up leaves nothing behind', async () => {
    const leaving = new AbortController()
    const asked = Array.from({ length: 100 }, (_, n) =>
      shop.get('/products/search', { query: { q: `chair ${n}` }, signal: leaving.signal }),
    )
    const settled = Promise.allSettled(asked)
    leaving.abort(new Error('the page was left'))
    for (const each of await settled)
      if (each.status === 'rejected') assert.match(String(each.reason), /the page was left/)
    await server.statusWhen(({ total }) => total.inflight === 0)
    assert.equal((await shop.get('/products', { query: { limit: 1 } })).status, 200)
  })
})
