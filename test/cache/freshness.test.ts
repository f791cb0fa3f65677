// How long a value is given out: what is not there, what is about to end, and what is past its time while its source fails.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { Cache, type CacheOptions } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import { LocalHost } from '../../src/core/host.ts'

function setUp(options: CacheOptions = {}) {
  const clock = { nowMs: 0 }
  const local = new LocalHost()
  const cache = new Cache({ now: () => clock.nowMs, random: () => 0, ...options }, new InvalidationBus(() => local))
  return { cache, clock }
}

const down = () => Promise.reject(new Error('source is down'))

describe('what is not there', () => {
  test('is kept as long as negativeTtl says, and a value as long as ttl', async () => {
    const { cache, clock } = setUp()
    const policy = { ttl: '1m', negativeTtl: '1s' } as const
    for (const [key, value] of [
      ['null', null],
      ['undefined', undefined],
      ['zero', 0],
    ] as const)
      await cache.get<unknown>(key, () => value, policy)
    clock.nowMs = 999
    for (const key of ['null', 'undefined', 'zero']) await cache.get(key, () => assert.fail('loaded again'), policy)
    clock.nowMs = 1_000
    let loads = 0
    for (const key of ['null', 'undefined', 'zero']) await cache.get<unknown>(key, () => ++loads, policy)
    assert.equal(loads, 2)
  })

  for (const [how, gone] of [
    ['is told by a value that is not kept', () => null],
    ['is told by an error that says so', () => Promise.reject(Object.assign(new Error('gone'), { status: 404 }))],
  ] as const)
    test(`takes what was there before with it, when it ${how}`, async () => {
      const { cache, clock } = setUp()
      const policy = { ttl: '1m', staleFor: '1h', negativeTtl: 0 } as const
      await cache.get<unknown>('k', () => 'there', policy)
      clock.nowMs = 60_000
      assert.equal(await cache.get<unknown>('k', gone, policy), 'there')
      await turn()
      assert.equal(await cache.get<unknown>('k', () => 'there again', policy), 'there again')
      // Who waited for it is not given the older one instead.
      clock.nowMs = 120_000
      const waits = cache.get<unknown>('k', gone, policy, { waits: true })
      assert.equal(
        await waits.catch((error: unknown) => (error as Error).message),
        how.includes('error') ? 'gone' : null,
      )
      assert.equal(cache.stats.entries, 0)
    })

  test('is no hit to a peek, which cannot tell it from a miss: the look-up that follows counts it once', async () => {
    const { cache } = setUp()
    const policy = { ttl: '1m' } as const
    await cache.get<unknown>('k', () => undefined, policy)
    assert.equal(cache.peek('k'), undefined)
    await cache.get('k', () => assert.fail('loaded again'), policy)
    assert.deepEqual([cache.stats.hits, cache.stats.misses], [1, 1])
  })

  test('is never served stale, where negativeTtl says how long it is kept', async () => {
    const { cache, clock } = setUp()
    const policy = { ttl: '1m', negativeTtl: '1s', staleFor: '1h', staleIfError: '1h' } as const
    await cache.get<unknown>('k', () => null, policy)
    clock.nowMs = 1_000
    assert.equal(await cache.get<unknown>('k', () => 'there', policy), 'there')
    await cache.get<unknown>('other', () => null, policy)
    clock.nowMs = 2_000
    await assert.rejects(cache.get<unknown>('other', down, policy), /down/)
  })

  test('is not kept with a negativeTtl of 0', async () => {
    const { cache } = setUp()
    await cache.get('k', () => null, { ttl: '1m', negativeTtl: 0, staleFor: '1h' })
    assert.equal(cache.stats.entries, 0)
  })
})

describe('a value that is read near its end', () => {
  /** A value whose load took 100 ms, fresh until 10,100. */
  async function loaded(random: () => number) {
    const { cache, clock } = setUp({ random })
    const policy = { ttl: '10s' } as const
    const first = cache.get('k', () => Promise.resolve('first'), policy)
    clock.nowMs = 100
    await first
    return { cache, clock, policy }
  }

  test('is loaded anew before it ends, in the background, by one of its readers', async () => {
    let roll = 0
    const { cache, clock, policy } = await loaded(() => roll)
    clock.nowMs = 9_850
    roll = 0.9 // 2.3 times its load's time before its end
    assert.equal(await cache.get('k', () => assert.fail('too early'), policy), 'first')
    clock.nowMs = 9_900
    let loads = 0
    const load = () => Promise.resolve(`later ${++loads}`)
    const reads = [1, 2, 3].map(() => cache.get('k', load, policy))
    assert.deepEqual(await Promise.all(reads), ['first', 'first', 'first'])
    await turn()
    assert.equal(loads, 1)
    assert.equal(cache.peek('k'), 'later 1')
    assert.deepEqual([cache.stats.hits, cache.stats.misses, cache.stats.stale], [5, 1, 0])
  })

  test('is not, where the policy says so', async () => {
    const { cache, clock } = setUp({ random: () => 1 - Number.EPSILON / 2 })
    const policy = { ttl: '10s', earlyRefresh: false } as const
    const first = cache.get('k', () => Promise.resolve('first'), policy)
    clock.nowMs = 1_000
    await first
    clock.nowMs = 10_000 // its end is up to 5 % early
    assert.equal(await cache.get('k', () => assert.fail('loaded'), policy), 'first')
    assert.equal(cache.recall('k'), 'first')
  })

  test('is not, by who rolls low, and never in the first half of its life', async () => {
    let roll = 0
    const { cache, clock, policy } = await loaded(() => roll)
    clock.nowMs = 10_099
    await cache.get('k', () => assert.fail('loaded'), policy)
    roll = 1 - Number.EPSILON / 2
    clock.nowMs = 5_000
    await cache.get('k', () => assert.fail('loaded'), policy)
  })
})

describe('staleIfError', () => {
  const policy = { ttl: '1s', staleFor: '1s', staleIfError: '10s' } as const

  test('gives the older value to who waited for a load that failed, and asks the source once a second', async () => {
    const { cache, clock } = setUp()
    await cache.get('k', () => 'old', policy)
    let tries = 0
    const failing = () => {
      tries++
      return down()
    }
    for (clock.nowMs = 2_000; clock.nowMs < 5_000; clock.nowMs += 100)
      assert.equal(await cache.get('k', failing, policy), 'old')
    assert.equal(tries, 3)
    const { rescued, stale, errors } = cache.stats
    assert.deepEqual({ rescued, stale, errors }, { rescued: 3, stale: 27, errors: 3 })
  })

  test('waits for a load that works, and ends when it is over', async () => {
    const { cache, clock } = setUp()
    await cache.get('k', () => 'old', policy)
    clock.nowMs = 2_500
    assert.equal(await cache.get('k', () => 'new', policy), 'new')
    clock.nowMs = 2_500 + 11_000
    await assert.rejects(cache.get('k', down, policy), /source is down/)
  })

  test('does not bring back what was invalidated while the load failed', async () => {
    const { cache, clock } = setUp()
    await cache.get('k', () => 'old', { ...policy, tags: ['t'] })
    clock.nowMs = 2_500
    const { promise, reject } = Promise.withResolvers<string>()
    const waiting = cache.get('k', () => promise, { ...policy, tags: ['t'] })
    await cache.invalidate('t')
    reject(new Error('source is down'))
    await assert.rejects(waiting, /source is down/)
  })
})

describe('a load that hangs', () => {
  test('is given up after loadTimeout: its signal aborts, all who wait are told, and the next look-up tries again', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { cache } = setUp({ loadTimeout: '2s' })
    let reason: unknown
    const hang = ({ signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason))
      return new Promise<string>(() => {})
    }
    const waiting = [1, 2].map(() => cache.get('k', hang, { ttl: '1m' }))
    t.mock.timers.tick(2_000)
    for (const result of await Promise.allSettled(waiting)) {
      assert.equal(result.status, 'rejected')
      assert.equal((result.reason as { code: string }).code, 'DEADLINE_PASSED')
      assert.equal(result.reason, reason)
    }
    assert.equal(cache.stats.errors, 1)
    assert.equal(await cache.get('k', () => 'value', { ttl: '1m' }), 'value')
  })

  test('is what it is with loadTimeout null; a time that is none is refused', () => {
    setUp({ loadTimeout: null })
    assert.throws(() => setUp({ loadTimeout: 'soon' as '1s' }), { code: 'CORE_BAD_DURATION' })
  })
})
