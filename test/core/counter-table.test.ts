import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CounterTable } from '../../src/core/counter-table.ts'

describe('a table of counters', () => {
  test('adds by name, and a look adds nothing', () => {
    const table = new CounterTable()
    assert.equal(table.add('a', 0, Infinity), 0)
    assert.equal(table.add('a', 2, Infinity), 2)
    assert.equal(table.add('a', -5, Infinity), -3)
    assert.equal(table.add('b', 1, Infinity), 1)
    assert.equal(table.add('a', 0, Infinity), -3)
  })

  test('a count starts anew a window after the first that was added, whatever came since', () => {
    let now = 0
    const table = new CounterTable({ now: () => now })
    assert.equal(table.add('a', 1, 1000), 1)
    now = 999
    assert.equal(table.add('a', 1, 1000), 2)
    now = 1000
    assert.equal(table.add('a', 0, 1000), 0)
    now = 1500
    assert.equal(table.add('a', 1, 1000), 1)
    now = 2499
    assert.equal(table.add('a', 1, 1000), 2)
  })

  test('keeps the names that were used last', () => {
    const table = new CounterTable({ maxNames: 2 })
    table.add('a', 1, Infinity)
    table.add('b', 1, Infinity)
    table.add('a', 1, Infinity)
    table.add('c', 1, Infinity)
    assert.deepEqual(
      ['a', 'b', 'c'].map(name => table.add(name, 0, Infinity)),
      [2, 0, 1],
    )
  })

  test('sums what was added since the window of each name began', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b'),
      by: fc.integer({ min: -9, max: 9 }),
      waitMs: fc.nat(400),
    })
    fc.assert(
      fc.property(fc.array(step), steps => {
        let now = 0
        const table = new CounterTable({ now: () => now })
        const model = new Map<string, { began: number; sum: number }>()
        for (const { name, by, waitMs } of steps) {
          now += waitMs
          let entry = model.get(name)
          if (entry && now >= entry.began + 1000) model.delete(name)
          entry = model.get(name)
          if (entry) entry.sum += by
          else if (by !== 0) model.set(name, { began: now, sum: by })
          assert.equal(table.add(name, by, 1000), model.get(name)?.sum ?? 0)
        }
      }),
    )
  })
})
