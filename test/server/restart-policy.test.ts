import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RestartPolicy } from '../../src/server/restart-policy.ts'

test('the first restart is at once, then they wait 0.25 s doubling up to 10 s', () => {
  const policy = new RestartPolicy()
  const waits = Array.from({ length: 9 }, () => policy.died(0))
  assert.deepEqual(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000])
})

test('a worker that lived ten seconds is started again at once', () => {
  const policy = new RestartPolicy()
  for (let n = 0; n < 5; n++) policy.died(0)
  assert.equal(policy.died(10_000), 0)
  assert.equal(policy.died(0), 250)
})
