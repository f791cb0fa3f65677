// The steps of the tour about calling and testing apps.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { testClient } from 'millrace/testing'
import typed from '../../examples/tour/27-typed-client.ts'
import { makeApp, rollsAreAddedUp } from '../../examples/tour/28-testing.ts'

describe('the typed client', () => {
  const api = testClient(typed)
  after(async () => {
    await api.close()
    await typed.close()
  })

  test('tells what the other app answers', async () => {
    const told = async (id: string) => {
      const answer = await api.fetch(`/offers/${id}`)
      return [answer.status, await answer.json()]
    }
    assert.deepEqual(await told('7'), [200, { text: '12 left' }])
    assert.deepEqual(await told('8'), [200, { text: 'sold out' }])
    assert.deepEqual(await told('9'), [404, { title: 'Nothing of that kind' }])
  })
})

describe('testing', () => {
  test('the test of the tour passes, and its override does not reach the next app', async () => {
    await rollsAreAddedUp()
    const { app, roll } = makeApp()
    const api = testClient(app)
    after(() => api.close())
    const sums = new Set<number>()
    for (let n = 0; n < 20; n++) {
      const answer = await api.call(roll, { body: { times: 10 } })
      assert.ok(answer.status === 200)
      assert.ok(answer.body.sum >= 10 && answer.body.sum <= 60)
      sums.add(answer.body.sum)
    }
    assert.ok(sums.size > 1, 'chance is back')
  })
})
