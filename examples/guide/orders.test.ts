import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testClient } from 'millrace/testing'
import app, { mailer, placeOrder } from './orders.ts'

const sent: string[] = []
app.override(mailer, { send: async to => void sent.push(to) })

const api = testClient(app)
after(() => api.close())

test('an order is confirmed by mail', async () => {
  const answer = await api.call(placeOrder, { body: { email: 'ada@example.com', quantity: 2 } })
  assert.equal(answer.status, 201)
  assert.equal(answer.body.quantity, 2) // 201 narrowed it
  await api.close() // waits for what was deferred
  assert.deepEqual(sent, ['ada@example.com'])
})

test('an order beyond the stock is refused', async () => {
  const answer = await api.call(placeOrder, { body: { email: 'ada@example.com', quantity: 6 } })
  assert.equal(answer.status, 409)
  assert.deepEqual(answer.body, { left: 5 })
})

test('anything else goes through fetch', async () => {
  const answer = await api.fetch('/orders', {
    method: 'POST',
    body: '{',
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(answer.status, 400)
})
