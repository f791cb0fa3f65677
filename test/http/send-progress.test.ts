import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { SendProgress } from '../../src/http/send-progress.ts'

const LIMITS = { ...DEFAULT_LIMITS, writeStallMs: 30_000, minRateGraceMs: 5000, responseMinBytesPerSecond: 240 }
const SECOND = 1000

describe('the progress of a client that is behind', () => {
  test('one that takes a full buffer each second for an hour is kept, though the buffer is full whenever one looks', () => {
    const progress = new SendProgress(0)
    for (let n = 0; n < 3600; n++)
      assert.equal(progress.look(n * SECOND, 65_536, 0, n * 65_536, LIMITS), 'moving', `after ${n} s`)
  })

  test('one that takes nothing is stalled after 30 s, whatever it took before', () => {
    const progress = new SendProgress(0)
    for (let n = 0; n < 100; n++) progress.look(n * SECOND, 65_536, 0, n * 65_536, LIMITS)
    assert.equal(progress.look(128 * SECOND, 65_536, 0, 99 * 65_536, LIMITS), 'moving')
    assert.equal(progress.look(130 * SECOND, 65_536, 0, 99 * 65_536, LIMITS), 'stalled')
  })

  test('one that takes less than 240 bytes a second is stalled, however steadily', () => {
    const progress = new SendProgress(0)
    let n = 0
    while (progress.look(n * SECOND, 48_000, 0, n * 100, LIMITS) === 'moving') n++
    // 48,000 at 240 a second, the grace, and as long again for what it took meanwhile.
    assert.ok(n > 205 && n < 400, `${n} s`)
  })

  test('where the total is not known, what the buffer loses counts', () => {
    const progress = new SendProgress(0)
    for (let n = 0; n < 600; n++)
      assert.equal(progress.look(n * SECOND, n % 2 === 0 ? 65_536 : 1000, 0, undefined, LIMITS), 'moving')
    const stuck = new SendProgress(0)
    stuck.look(0, 100, 0, undefined, LIMITS)
    assert.equal(stuck.look(30 * SECOND, 100, 0, undefined, LIMITS), 'stalled')
  })
})
