import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Invalidation } from '../../../src/cache/second-tier.ts'
import { Remembered } from '../../../src/data/redis/remembered.ts'

/** What was done, and what happens while it is. */
function doing(meanwhile: (done: number) => void = () => {}) {
  const done: (Invalidation | 'everything')[] = []
  const does = async (what: Invalidation | 'everything') => {
    done.push(what)
    await Promise.resolve()
    meanwhile(done.length)
  }
  return { done, invalidate: does, forgetAll: () => does('everything') }
}

describe('what was invalidated while Redis was away', () => {
  test('is done once: tags many at a time, keys one by one', async () => {
    const remembered = new Remembered(2)
    for (const tags of [['a', 'b'], ['b', 'c'], ['a']]) remembered.add({ tags })
    for (let n = 0; n < 2; n++) remembered.add({ name: 'cache', key: 'k' })
    const acts = doing()
    await remembered.do(acts)
    assert.deepEqual(acts.done, [{ name: 'cache', key: 'k' }, { tags: ['a', 'b'] }, { tags: ['c'] }])
    assert.ok(remembered.isEmpty)
  })

  test('is done again where it is invalidated again while it is being done', async () => {
    const remembered = new Remembered(256)
    remembered.add({ tags: ['price'] })
    const acts = doing(done => done === 1 && remembered.add({ tags: ['price'] }))
    await remembered.do(acts)
    assert.deepEqual(acts.done, [{ tags: ['price'] }, { tags: ['price'] }])
  })

  test('is everything where it is too much to remember, and what comes while that is forgotten is done after it', async () => {
    const remembered = new Remembered(256)
    for (let n = 0; n <= 10_000; n++) remembered.add({ tags: [`t${n}`] })
    const acts = doing(done => done === 1 && remembered.add({ tags: ['late'] }))
    await remembered.do(acts)
    assert.deepEqual(acts.done, ['everything', { tags: ['late'] }])
  })

  test('stays remembered where it fails', async () => {
    for (const count of [1, 10_001]) {
      const remembered = new Remembered(256)
      for (let n = 0; n < count; n++) remembered.add({ tags: [`t${n}`] })
      const failing = () => Promise.reject(new Error('away again'))
      await assert.rejects(remembered.do({ invalidate: failing, forgetAll: failing }), /away again/)
      const acts = doing()
      await remembered.do(acts)
      assert.deepEqual(acts.done, [count === 1 ? { tags: ['t0'] } : 'everything'])
    }
  })
})
