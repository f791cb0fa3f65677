// The guide's client against the guide's app, over a socket.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { serve } from 'millrace/server'
import app, { mailer } from '../../examples/guide/orders.ts'

app.override(mailer, { send: async () => {} })
const { default: ticks } = await import('../../examples/guide/ticks.ts')
// The grace time is for connections that are kept when the tests are done.
const local = { port: 0, host: '127.0.0.1', signals: false, graceTimeout: 100 } as const
const server = await serve(app, local)
after(() => server.close())
process.env['SHOP_URL'] = server.url
const { explain, order, orderOrThrow, shop } = await import('../../examples/guide/client.ts')
const withToken = await import('../../examples/guide/client-token.ts')

describe('the guide’s client', () => {
  test('tells answers apart by their status', async () => {
    assert.equal(await order('ada@example.com', 2), 'ordered 2')
    assert.equal(await order('ada@example.com', 6), 'only 5 left')
    assert.equal(
      await order('ada', 0),
      'body.email: Invalid email address\nbody.quantity: Too small: expected number to be >0',
    )
    assert.equal(await orderOrThrow('ada@example.com'), 1)
  })

  test('explains what went wrong', async () => {
    const refused = await orderOrThrow('ada').catch(explain)
    assert.equal(refused, '422: POST /orders answered 422 Unprocessable Content: One input is not valid')
    const late = await shop
      .post('/orders', { body: { email: 'a@b.example', quantity: 1 }, timeout: 0 })
      .then(() => '', explain)
    assert.equal(late, 'CLIENT_TIMED_OUT: POST /orders gave no answer within 0 ms')
  })

  test('sends a token', async () => {
    const answer = await withToken.shop.post('/orders', { body: { email: 'ada@example.com', quantity: 1 } })
    assert.equal(answer.status, 201)
  })

  test('reads a stream for as long as it wants to', async context => {
    const streaming = await serve(ticks, local)
    context.after(() => streaming.close())
    const { firstTicks } = await import('../../examples/guide/client-stream.ts')
    assert.deepEqual(await firstTicks(streaming.url, 3), [1, 2, 3])
  })
})
