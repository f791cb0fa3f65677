// What is said of a lease reaches whoever waits for it, also while that asks again.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LeaseWaiting } from '../../../src/data/redis/lease-waiting.ts'

const LONG_MS = 60_000

describe('waiting for a lease', () => {
  test('ends when the lease does, for all who wait for it and nobody else', async () => {
    const waiting = new LeaseWaiting()
    const waiters = ['a', 'a', 'b'].map(key => waiting.join(key))
    const ended: number[] = []
    const waits = waiters.map((waiter, n) => waiter.wait(LONG_MS, undefined).then(() => ended.push(n)))
    waiting.ended('a')
    await Promise.all(waits.slice(0, 2))
    assert.deepEqual(ended, [0, 1])
    waiting.wakeAll()
    await waits[2]
  })

  test('does not begin when it ended between the claim and the wait, and does when that was before the claim', async () => {
    const waiting = new LeaseWaiting()
    const waiter = waiting.join('a')
    waiter.forget()
    waiting.ended('a')
    await waiter.wait(LONG_MS, undefined)
    waiter.forget()
    const leaving = new AbortController()
    const again = waiter.wait(LONG_MS, leaving.signal)
    leaving.abort(new Error('gone'))
    await assert.rejects(again, /gone/)
  })

  test('ends by time, and by its signal at once', async () => {
    const waiter = new LeaseWaiting().join('a')
    await waiter.wait(1, undefined)
    await assert.rejects(waiter.wait(LONG_MS, AbortSignal.abort(new Error('gone'))), /gone/)
  })

  test('hears nothing any more once it has left', async () => {
    const waiting = new LeaseWaiting()
    const [left, stays] = [waiting.join('a'), waiting.join('a')]
    left.leave()
    waiting.ended('a')
    await stays.wait(LONG_MS, undefined)
    const leaving = new AbortController()
    const deaf = left.wait(LONG_MS, leaving.signal)
    leaving.abort(new Error('still waiting'))
    await assert.rejects(deaf, /still waiting/)
  })
})
