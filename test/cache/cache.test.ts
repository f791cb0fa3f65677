// What callers of a cache can rely on, with a clock that the tests move.
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

/** A load that the test answers. */
function source<T>() {
  const calls: { resolve: (value: T) => void; reject: (error: unknown) => void; signal: AbortSignal }[] = []
  const load = ({ signal }: { signal: AbortSignal }) =>
    new Promise<T>((resolve, reject) => calls.push({ resolve, reject, signal }))
  return { load, calls }
}

describe('a cache', () => {
  test('turns 1,000 concurrent misses into one load', async () => {
    const { cache } = setUp()
    const { load, calls } = source<object>()
    const asked = Array.from({ length: 1_000 }, () => cache.get('k', load, { ttl: '1s' }))
    assert.equal(calls.length, 1)
    const value = {}
    calls[0]!.resolve(value)
    for (const answer of await Promise.all(asked)) assert.equal(answer, value)
    const { misses, coalesced, loads, entries } = cache.stats
    assert.deepEqual({ misses, coalesced, loads, entries }, { misses: 1_000, coalesced: 999, loads: 1, entries: 1 })
  })

  test('serves a fresh value without loading, and not after its ttl', async () => {
    const { cache, clock } = setUp()
    let loads = 0
    const get = () => cache.get('k', () => ++loads, { ttl: '1s' })
    assert.equal(await get(), 1)
    clock.nowMs = 999
    assert.equal(await get(), 1)
    assert.equal(cache.peek('k'), 1)
    clock.nowMs = 1_000
    assert.equal(cache.peek('k'), undefined)
    assert.equal(await get(), 2)
    assert.equal(cache.stats.hits, 2)
  })

  test('expires up to 5 % early, so that keys loaded together part', async () => {
    const { cache, clock } = setUp({ random: () => 0.5 })
    await cache.get('k', () => 1, { ttl: 1_000 })
    clock.nowMs = 974
    assert.equal(cache.peek('k'), 1)
    clock.nowMs = 975
    assert.equal(cache.peek('k'), undefined)
  })

  test('remembers undefined, null and falsy values like any other', async () => {
    const { cache } = setUp()
    for (const value of [undefined, null, 0, '', false]) {
      const key = String(value)
      await cache.get(key, () => value as unknown, { ttl: '1s' })
      assert.equal(await cache.get(key, () => assert.fail('loaded twice'), { ttl: '1s' }), value)
    }
  })

  test('serves a stale value at once and reloads once in the background', async () => {
    const { cache, clock } = setUp()
    const policy = { ttl: '1s', staleFor: '10s' } as const
    await cache.get('k', () => 'old', policy)
    clock.nowMs = 5_000
    const { load, calls } = source<string>()
    for (let i = 0; i < 10; i++) assert.equal(await cache.get('k', load, policy), 'old')
    assert.equal(calls.length, 1)
    calls[0]!.resolve('new')
    await turn()
    assert.equal(cache.peek('k'), 'new')
    assert.equal(cache.stats.stale, 10)
  })

  test('keeps serving a stale value while its source fails, asks the source once a second, and gives up after staleFor', async () => {
    const { cache, clock } = setUp()
    const policy = { ttl: '1s', staleFor: '10s' } as const
    await cache.get('k', () => 'old', policy)
    let tries = 0
    const failing = () => {
      tries++
      throw new Error('source is down')
    }
    for (clock.nowMs = 1_000; clock.nowMs < 11_000; clock.nowMs += 100) {
      assert.equal(await cache.get('k', failing, policy), 'old')
      await turn()
    }
    assert.equal(tries, 10)
    assert.equal(cache.stats.errors, 10)
    await assert.rejects(cache.get('k', failing, policy), /source is down/)
  })

  test('tells everyone who waited about a failure, and remembers none', async () => {
    const { cache } = setUp()
    for (const fail of [() => Promise.reject(new Error('no')), () => assert.fail('no')]) {
      const answers = await Promise.allSettled([1, 2, 3].map(() => cache.get('k', fail, { ttl: '1s' })))
      assert.deepEqual(
        answers.map(answer => answer.status),
        ['rejected', 'rejected', 'rejected'],
      )
      assert.equal(await cache.get('k', () => 'fine', { ttl: 0 }), 'fine')
    }
    assert.equal(cache.stats.errors, 2)
  })

  test('lets one caller go without aborting the load of the others', async () => {
    const { cache } = setUp()
    const { load, calls } = source<string>()
    const leaving = new AbortController()
    const staying = new AbortController()
    const first = cache.get('k', load, { ttl: '1s' }, { signal: leaving.signal })
    const second = cache.get('k', load, { ttl: '1s' }, { signal: staying.signal })
    leaving.abort(new Error('client went away'))
    await assert.rejects(first, /client went away/)
    assert.equal(calls[0]!.signal.aborted, false)
    calls[0]!.resolve('value')
    assert.equal(await second, 'value')
    assert.equal(cache.peek('k'), 'value')
  })

  test('aborts the load when every caller has gone, keeps nothing of it, and starts afresh for the next', async () => {
    const { cache } = setUp()
    const { load, calls } = source<string>()
    const leaving = [new AbortController(), new AbortController()]
    const asked = leaving.map(({ signal }) => cache.get('k', load, { ttl: '1s' }, { signal }))
    for (const controller of leaving) controller.abort(new Error('gone'))
    await Promise.allSettled(asked)
    assert.equal(calls[0]!.signal.aborted, true)
    const next = cache.get('k', load, { ttl: '1s' })
    assert.equal(calls.length, 2)
    calls[1]!.resolve('second')
    assert.equal(await next, 'second')
    calls[0]!.resolve('first')
    await turn()
    assert.equal(cache.peek('k'), 'second')
    assert.equal(cache.stats.errors, 0)
  })

  test('does not start a load for a caller who has already gone', async () => {
    const { cache } = setUp()
    const load = () => assert.fail('loaded')
    await assert.rejects(cache.get('k', load, { ttl: '1s' }, { signal: AbortSignal.abort(new Error('gone')) }), /gone/)
    assert.equal(cache.stats.loads, 0)
  })

  test('takes its policy from the value where asked to', async () => {
    const { cache } = setUp()
    const policy = (value: number) => (value === 404 ? { ttl: 0 } : { ttl: '1s' as const, tags: ['good'] })
    await cache.get('bad', () => 404, policy)
    await cache.get('good', () => 200, policy)
    assert.equal(cache.peek('bad'), undefined)
    assert.equal(cache.peek('good'), 200)
    await cache.invalidate('good')
    assert.equal(cache.peek('good'), undefined)
  })

  test('rejects with what the policy throws, and is usable afterwards', async () => {
    const { cache } = setUp()
    await assert.rejects(
      cache.get('k', () => 1, { ttl: 'soon' as '1s' }),
      { code: 'CORE_BAD_DURATION' },
    )
    assert.equal(await cache.get('k', () => 2, { ttl: '1s' }), 2)
  })

  test('holds at most maxEntries, dropping what was used longest ago', async () => {
    const { cache } = setUp({ maxEntries: 3 })
    for (const key of ['a', 'b', 'c']) await cache.get(key, () => key, { ttl: '1s' })
    cache.peek('a')
    await cache.get('d', () => 'd', { ttl: '1s' })
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map(key => cache.peek(key)),
      ['a', undefined, 'c', 'd'],
    )
    assert.equal(cache.stats.evictions, 1)
  })

  test('holds at most maxBytes, and nothing that is larger than all of it', async () => {
    const { cache } = setUp({ maxBytes: 10_000 })
    for (let i = 0; i < 20; i++) await cache.get(`k${i}`, () => Buffer.alloc(1_000), { ttl: '1s' })
    assert.ok(cache.stats.bytes <= 10_000 && cache.stats.entries >= 7, JSON.stringify(cache.stats))
    const { entries } = cache.stats
    await cache.get('huge', () => Buffer.alloc(20_000), { ttl: '1s' })
    assert.equal(cache.stats.entries, entries)
  })

  test('refuses bounds that make no cache', () => {
    for (const maxEntries of [0, -1, 1.5, NaN]) assert.throws(() => setUp({ maxEntries }), { code: 'CACHE_BAD_LIMIT' })
    setUp({ maxEntries: Infinity, maxBytes: Infinity })
  })
})
