import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Balance, skewOf } from '../../src/server/balance.ts'

const isOn = (): boolean => true
const worker = (connections: number) => ({ counters: { connections } })
const workers = (...counts: number[]) => counts.map(worker)

/** What each is to part with, after one look for each list of counts. */
function parted(...looks: readonly (readonly number[])[]): number[] {
  const all = looks[0]!.map(worker)
  const balance = new Balance<(typeof all)[number]>(isOn)
  let last: ReadonlyMap<(typeof all)[number], number> = new Map()
  for (const counts of looks) {
    counts.forEach((count, n) => (all[n]!.counters.connections = count))
    last = balance.look(all)
  }
  return all.map(each => last.get(each) ?? 0)
}

describe('the balance of connections', () => {
  test('the skew is how far the most are above the mean', () => {
    assert.equal(skewOf(workers(250, 250, 250, 250)), 0)
    assert.equal(skewOf(workers(300, 200, 250, 250)).toFixed(3), '0.200')
    assert.equal(skewOf(workers(0, 0)), 0)
    assert.equal(skewOf([]), 0)
  })

  test('who has been a tenth above the mean for two looks parts with what is above, and so do others above it', () => {
    assert.deepEqual(parted([400, 260, 200, 140]), [0, 0, 0, 0])
    assert.deepEqual(parted([400, 260, 200, 140], [400, 260, 200, 140]), [150, 10, 0, 0])
    // Then it waits for what comes of it.
    assert.deepEqual(parted([400, 200], [400, 200], [400, 200]), [0, 0])
    assert.deepEqual(parted([400, 200], [400, 200], [400, 200], [400, 200]), [100, 0])
  })

  test('what comes and goes is nobody too much: the least of the looks counts', () => {
    assert.deepEqual(parted([400, 200], [200, 400]), [0, 0])
    assert.deepEqual(parted([400, 200], [340, 260]), [40, 0])
    assert.deepEqual(parted([310, 290], [310, 290]), [0, 0])
  })

  test('few connections, one worker and none are left as they are', () => {
    assert.deepEqual(parted([60, 10], [60, 10]), [0, 0])
    assert.deepEqual(parted([600], [600]), [0])
    assert.deepEqual([...new Balance(isOn).look([])], [])
  })

  test('with rebalance off nobody parts with any, however uneven it is', () => {
    const all = workers(400, 0)
    let rebalance = false
    const balance = new Balance<ReturnType<typeof worker>>(() => rebalance)
    for (let looks = 0; looks < 10; looks++) assert.deepEqual([...balance.look(all)], [])
    rebalance = true
    balance.look(all)
    assert.deepEqual([...balance.look(all)], [[all[0], 200]])
  })

  test('a worker that was not there at the first look has nothing too much yet', () => {
    const balance = new Balance<ReturnType<typeof worker>>(isOn)
    const [old, fresh] = workers(100, 500)
    balance.look([old!])
    assert.deepEqual([...balance.look([old!, fresh!])], [])
  })

  test('nobody parts with more than would bring it to the mean', () => {
    const counts = fc.array(fc.nat(2000), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(counts, all => {
        const mean = all.reduce((a, b) => a + b, 0) / all.length
        parted(all, all).forEach((count, n) => assert.ok(count === 0 || all[n]! - count >= mean))
      }),
    )
  })
})
