import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RetryBudget } from '../../src/flow/retry-budget.ts'

describe('a retry budget', () => {
  test('begins with its burst, and gives no more than was saved', () => {
    const budget = new RetryBudget({ burst: 3 })
    assert.deepEqual(
      [1, 2, 3, 4].map(() => budget.withdraw()),
      [true, true, true, false],
    )
  })

  test('lets a share of all calls be retries, however many fail', () => {
    for (const share of [0, 0.1, 0.5]) {
      const budget = new RetryBudget({ share, burst: 10 })
      let retries = 0
      for (let call = 0; call < 10_000; call++) {
        budget.deposit()
        while (budget.withdraw()) retries++
      }
      assert.ok(Math.abs(retries - (10 + share * 10_000)) <= 1, `${retries} at ${share}`)
    }
  })

  test('saves no more than its burst in quiet times', () => {
    const budget = new RetryBudget({ share: 1, burst: 2 })
    for (let call = 0; call < 100; call++) budget.deposit()
    assert.deepEqual([budget.withdraw(), budget.withdraw(), budget.withdraw()], [true, true, false])
  })
})
