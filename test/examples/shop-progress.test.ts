// The shop's orders on their way: whoever watches is told, once for each change, and no longer than there is something to tell.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { placeOrder } from '../../examples/shop/checkout/routes.ts'
import { followOrder, watchOrder } from '../../examples/shop/orders/routes.ts'
import { ADMIN, openShop } from './support/shop.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'
const shop = await openShop(0)

async function placed(): Promise<string> {
  const product = await shop.product()
  const order = await shop.api.call(placeOrder, {
    body: { cartId: await shop.cart([product.id, 1]), email: 'ada@example.com' },
  })
  assert.ok(order.status === 201)
  return order.body.id
}

const watch = async (id: string, known?: string) => {
  const answer = await shop.api.call(watchOrder, {
    params: { id },
    headers: known === undefined ? {} : { 'last-event-id': known },
  })
  assert.ok(answer.status === 200)
  return answer.body[Symbol.asyncIterator]()
}

describe('an order', () => {
  test('is watched from where it stands, through each change, to its end', async () => {
    const id = await placed()
    const [one, two] = [await watch(id), await watch(id)]
    const told = (status: string) => ({ data: { id, status }, event: 'progress', id: status })
    for (const watcher of [one, two]) assert.deepEqual((await watcher.next()).value, told('placed'))
    for (const status of ['packed', 'packed', 'shipped']) {
      const { status: answered } = await shop.send('PATCH', `/orders/${id}`, { status }, ADMIN)
      assert.equal(answered, 200)
    }
    for (const watcher of [one, two]) {
      assert.deepEqual((await watcher.next()).value, told('packed'))
      assert.deepEqual((await watcher.next()).value, told('shipped'))
      assert.equal((await watcher.next()).done, true)
    }
  })

  test('goes on and never back', async () => {
    const id = await placed()
    const say = async (status: string) => {
      const answer = await shop.send('PATCH', `/orders/${id}`, { status }, ADMIN)
      return [answer.status, answer.body.status === status ? 'so it is' : answer.body.detail]
    }
    assert.deepEqual(await say('packed'), [200, 'so it is'])
    assert.deepEqual(await say('placed'), [409, 'This order is packed already'])
    assert.deepEqual(await say('shipped'), [200, 'so it is'])
    assert.deepEqual(await say('shipped'), [200, 'so it is'])
    assert.deepEqual(await say('packed'), [409, 'This order is shipped already'])
  })

  test('is not told again to who knows where it stands, and who knows its end need not come back', async () => {
    const id = await placed()
    const watcher = await watch(id, 'placed')
    await shop.send('PATCH', `/orders/${id}`, { status: 'shipped' }, ADMIN)
    const { value } = await watcher.next()
    assert.equal((value as { id: string }).id, 'shipped')
    const done = await shop.api.call(watchOrder, { params: { id }, headers: { 'last-event-id': 'shipped' } })
    assert.equal(done.status, 204)
  })

  test('is followed over a WebSocket as well, by each who follows it, to its end', async () => {
    const id = await placed()
    const [one, two, leaving] = await Promise.all([1, 2, 3].map(() => shop.api.socket(followOrder, { params: { id } })))
    for (const socket of [one!, two!, leaving!]) assert.deepEqual(await socket.receive(), { id, status: 'placed' })
    assert.equal((await leaving!.close()).code, 1000)
    for (const status of ['packed', 'packed', 'shipped']) await shop.send('PATCH', `/orders/${id}`, { status }, ADMIN)
    for (const socket of [one!, two!]) {
      assert.deepEqual(await socket.receive(), { id, status: 'packed' })
      assert.deepEqual(await socket.receive(), { id, status: 'shipped' })
      assert.equal((await socket.closed).code, 1000)
    }
  })

  test('that does not exist closes the socket of who follows it, with 1008', async () => {
    const socket = await shop.api.socket(followOrder, { params: { id: NOBODY } })
    assert.deepEqual(await socket.closed, { code: 1008, reason: 'No such order' })
  })

  test('that does not exist is a 404, to watch as to change; a change takes the key', async () => {
    assert.equal((await shop.api.call(watchOrder, { params: { id: NOBODY } })).status, 404)
    assert.equal((await shop.send('PATCH', `/orders/${NOBODY}`, { status: 'packed' }, ADMIN)).status, 404)
    assert.equal((await shop.send('PATCH', `/orders/${await placed()}`, { status: 'packed' })).status, 401)
  })
})
