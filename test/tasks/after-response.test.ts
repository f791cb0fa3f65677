import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AfterResponse } from '../../src/tasks/after-response.ts'

describe('work after the response', () => {
  test('runs in order, and one that throws does not stop the others', async () => {
    const order: number[] = []
    const errors: unknown[] = []
    const after = new AfterResponse({ onError: error => errors.push(error) })
    after.run([
      async () => {
        await new Promise(resolve => setImmediate(resolve))
        order.push(1)
      },
      () => {
        throw new Error('two')
      },
      () => order.push(3),
    ])
    assert.deepEqual(order, [])
    await after.drain(1000)
    assert.deepEqual(order, [1, 3])
    assert.equal((errors[0] as Error).message, 'two')
    assert.deepEqual([after.done, after.failed, after.lost, after.pending], [2, 1, 0, 0])
  })

  test('is bounded: what comes on top is dropped, counted and told', () => {
    const errors: unknown[] = []
    const after = new AfterResponse({ maxPending: 2, onError: error => errors.push(error) })
    after.run([() => {}, () => {}])
    after.run([() => {}])
    assert.equal(after.lost, 1)
    assert.match((errors[0] as Error).message, /lost/)
  })

  test('a drain waits no longer than its grace, and counts what it leaves', async () => {
    const after = new AfterResponse({ onError: () => {} })
    after.run([() => new Promise(() => {})])
    await after.drain(10)
    assert.equal(after.lost, 1)
    after.run([() => {}])
    assert.equal(after.lost, 2)
  })
})
