// The tier within one process keeps the contract of all second tiers, and its table what the table promises beyond that.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LeaseTable } from '../../src/cache/lease-table.ts'
import { MemoryHub } from '../../src/cache/memory-tier.ts'
import { secondTierCases, value } from './second-tier-cases.ts'

const MAX_VALUE_BYTES = 4096

secondTierCases('the tier in memory', async () => {
  const hub = new MemoryHub({ maxValueBytes: MAX_VALUE_BYTES })
  return { one: hub.join(), other: hub.join(), maxValueBytes: MAX_VALUE_BYTES, close: async () => {} }
})

describe('the table of leases', () => {
  test('lends a key again when its lease has run out, and takes nothing from the one who was late', () => {
    let nowMs = 0
    const table = new LeaseTable({ leaseMs: 1000, now: () => nowMs })
    const late = table.claim('key', 'late')
    assert.ok(late.state === 'yours')
    nowMs = 999
    assert.deepEqual(table.claim('key', 'next'), { state: 'held', leftMs: 1 })
    nowMs = 1000
    const next = table.claim('key', 'next')
    assert.ok(next.state === 'yours')
    assert.equal(table.fulfil('key', late.token, value('late')), 'fenced')
    assert.equal(table.fulfil('key', next.token, value('next')), 'stored')
  })

  test('frees all that a holder held when it has died', () => {
    const table = new LeaseTable()
    for (const key of ['a', 'b']) table.claim(key, 'dead')
    table.claim('c', 'alive')
    assert.deepEqual(table.releaseAll('dead'), ['a', 'b'])
    assert.equal(table.claim('a', 'alive').state, 'yours')
    assert.equal(table.claim('c', 'other').state, 'held')
  })

  test('grounds a lease that saw more tags invalidated than are worth remembering', () => {
    const table = new LeaseTable()
    const claim = table.claim('key', 'one')
    assert.ok(claim.state === 'yours')
    table.invalidate({ tags: Array.from({ length: 1001 }, (_, n) => `tag${n}`) })
    assert.equal(table.fulfil('key', claim.token, value('old', { tags: ['other'] })), 'fenced')
  })

  test('is bounded by entries', () => {
    const table = new LeaseTable({ maxEntries: 2 })
    for (const key of ['a', 'b', 'c']) {
      const claim = table.claim(key, 'one')
      assert.ok(claim.state === 'yours')
      table.fulfil(key, claim.token, value(key))
    }
    assert.equal(table.claim('a', 'one').state, 'yours')
    assert.equal(table.claim('c', 'one').state, 'found')
  })
})
