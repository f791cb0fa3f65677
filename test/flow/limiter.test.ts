// The fixed limit: who runs, who waits, who is refused, and that no permit is ever lost.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { Limiter } from '../../src/flow/limiter.ts'
import { PRIORITIES, type Priority } from '../../src/flow/priority.ts'

/** Acquires and tells the order of admission. */
function recorder(limiter: Limiter) {
  const admitted: string[] = []
  return {
    admitted,
    acquire: (name: string, priority: Priority = 'normal', signal?: AbortSignal) =>
      limiter.acquire(priority, signal).then(() => void admitted.push(name)),
  }
}

describe('a limit', () => {
  test('admits as many as it has permits, queues as many as it may, and refuses the rest with a time to come back', async () => {
    const limiter = new Limiter({ concurrent: 2, queue: 1, random: () => 0.5 })
    assert.ok(limiter.tryAcquire() && limiter.tryAcquire() && !limiter.tryAcquire())
    const waiting = limiter.acquire('normal')
    assert.deepEqual([limiter.inflight, limiter.waiting], [2, 1])
    await assert.rejects(limiter.acquire('normal'), { code: 'FLOW_QUEUE_FULL', status: 503, retryAfterMs: 2_000 })
    limiter.release()
    await waiting
    assert.deepEqual([limiter.inflight, limiter.waiting], [2, 0])
  })

  test('spreads the times to come back over one to three seconds', async () => {
    for (const [random, retryAfterMs] of [[0, 1_000] as const, [0.999, 2_998] as const]) {
      const limiter = new Limiter({ concurrent: 1, random: () => random })
      limiter.tryAcquire()
      await assert.rejects(limiter.acquire('critical'), { retryAfterMs })
    }
  })

  test('gives a released permit to whoever waits, not to a newcomer', async () => {
    const limiter = new Limiter({ concurrent: 1, queue: 1 })
    limiter.tryAcquire()
    const waiting = limiter.acquire('sheddable')
    limiter.release()
    assert.equal(limiter.tryAcquire(), false)
    await waiting
  })

  test('admits the most important first, and within one priority in order of arrival', async () => {
    const limiter = new Limiter({ concurrent: 1, queue: 10 })
    limiter.tryAcquire()
    const { acquire, admitted } = recorder(limiter)
    const all = [
      acquire('sheddable 1', 'sheddable'),
      acquire('normal 1'),
      acquire('critical 1', 'critical'),
      acquire('normal 2'),
      acquire('critical 2', 'critical'),
    ]
    for (let i = 0; i < all.length; i++) {
      limiter.release()
      await turn()
    }
    await Promise.all(all)
    assert.deepEqual(admitted, ['critical 1', 'critical 2', 'normal 1', 'normal 2', 'sheddable 1'])
  })

  test('pushes out the last of the least important when more important work meets a full queue', async () => {
    const limiter = new Limiter({ concurrent: 1, queue: 3 })
    limiter.tryAcquire()
    const [older, younger, normal] = [
      limiter.acquire('sheddable'),
      limiter.acquire('sheddable'),
      limiter.acquire('normal'),
    ]
    const critical = limiter.acquire('critical')
    await assert.rejects(younger, { code: 'FLOW_QUEUE_FULL' })
    await assert.rejects(limiter.acquire('sheddable'), { code: 'FLOW_QUEUE_FULL' })
    assert.equal(limiter.waiting, 3)
    for (let i = 0; i < 3; i++) limiter.release()
    await Promise.all([older, normal, critical])
  })

  test('lets go of a waiter whose signal aborts, with its reason', async () => {
    const limiter = new Limiter({ concurrent: 1, queue: 2 })
    limiter.tryAcquire()
    const leaving = new AbortController()
    const first = limiter.acquire('normal', leaving.signal)
    const second = limiter.acquire('normal')
    leaving.abort(new Error('client went away'))
    await assert.rejects(first, /client went away/)
    assert.equal(limiter.waiting, 1)
    limiter.release()
    await second
    await assert.rejects(limiter.acquire('normal', AbortSignal.abort(new Error('before'))), /before/)
  })

  test('ends a wait at its deadline, and starts nothing whose deadline has passed', async () => {
    const limiter = new Limiter({ concurrent: 1, queue: 1 })
    const late = { code: 'FLOW_WAITED_TOO_LONG', status: 503 }
    await assert.rejects(limiter.acquire('normal', undefined, performance.now()), late)
    assert.equal(limiter.inflight, 0)
    limiter.tryAcquire()
    await assert.rejects(limiter.acquire('normal', undefined, performance.now() + 5), late)
    assert.equal(limiter.waiting, 0)
  })

  test('refuses to be misconfigured or released twice', () => {
    for (const concurrent of [0, -1, 1.5, NaN, Infinity])
      assert.throws(() => new Limiter({ concurrent }), { code: 'FLOW_BAD_LIMIT' })
    assert.throws(() => new Limiter({ concurrent: 1, queue: -1 }), { code: 'FLOW_BAD_LIMIT' })
    const limiter = new Limiter({ concurrent: 1 })
    limiter.tryAcquire()
    limiter.release()
    assert.throws(() => limiter.release(), { code: 'FLOW_RELEASED_TWICE' })
  })
})

test('whatever happens, nothing runs beyond the limit, nobody waits beside a free permit, and every permit comes back', async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('acquire' as const), priority: fc.constantFrom(...PRIORITIES) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(step, { maxLength: 60 }),
      async (concurrent, queue, steps) => {
        const limiter = new Limiter({ concurrent, queue })
        let held = 0
        let refused = 0
        let asked = 0
        const callers: AbortController[] = []
        for (const of of steps) {
          if (of.kind === 'acquire') {
            const caller = new AbortController()
            callers.push(caller)
            asked++
            limiter.acquire(of.priority, caller.signal).then(
              () => held++,
              () => refused++,
            )
          } else if (of.kind === 'abort') callers[of.which]?.abort()
          else if (of.kind === 'settle') await turn()
          else if (held > 0) {
            held--
            asked--
            limiter.release()
          }
          assert.ok(limiter.inflight <= concurrent && limiter.waiting <= queue)
          assert.ok(limiter.waiting === 0 || limiter.inflight === concurrent)
          await Promise.resolve()
        }
        await turn()
        assert.equal(held, limiter.inflight)
        assert.equal(held + refused + limiter.waiting, asked)
        // Everyone still here runs and finishes.
        while (held > 0) {
          held--
          limiter.release()
          await turn()
        }
        assert.deepEqual([limiter.inflight, limiter.waiting], [0, 0])
      },
    ),
    { numRuns: 300 },
  )
})
