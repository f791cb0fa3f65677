// What is held for a key is served without a look-up: never once its entry is gone, stale, or due to be loaded anew.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Cache, type CacheOptions } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import type { Hold } from '../../src/cache/store.ts'
import { LocalHost } from '../../src/core/host.ts'

class Held implements Hold {
  readonly value: unknown
  untilMs = 0
  toldMs = 0
  isOver = false
  constructor(value: unknown) {
    this.value = value
  }
  ended(): void {
    this.isOver = true
  }
}

async function setUp(options: CacheOptions = {}) {
  const clock = { nowMs: 0 }
  const local = new LocalHost()
  const cache = new Cache({ now: () => clock.nowMs, random: () => 0, ...options }, new InvalidationBus(() => local))
  await cache.get('k', () => 'value', { ttl: '10s', tags: ['t'] })
  const hold = () => cache.hold('k', clock.nowMs, value => new Held(value))
  return { cache, clock, hold, held: hold()! }
}

describe('a hold', () => {
  test('is one for each entry, and holds until its ttl', async () => {
    const { cache, clock, hold, held } = await setUp()
    assert.equal(held.value, 'value')
    assert.equal(hold(), held)
    assert.equal(
      cache.hold('other', 0, () => assert.fail()),
      undefined,
    )
    clock.nowMs = 9_999
    assert.ok(cache.holds(held, 'k', clock.nowMs))
    clock.nowMs = 10_000
    assert.ok(!cache.holds(held, 'k', clock.nowMs))
    assert.equal(hold(), undefined)
    assert.equal(cache.stats.hits, 1)
  })

  for (const [how, end] of [
    ['its tag is invalidated', cache => cache.invalidate('t')],
    ['its key is deleted', cache => cache.delete('k')],
    ['all is dropped', async cache => cache.dropAll()],
    [
      'another value takes its place',
      cache => cache.delete('k').then(() => cache.get('k', () => 'later', { ttl: '1h' })),
    ],
  ] satisfies [string, (cache: Cache) => Promise<unknown>][])
    test(`ends when ${how}`, async () => {
      const { cache, clock, held } = await setUp()
      await end(cache)
      assert.ok(!cache.holds(held, 'k', clock.nowMs))
      assert.ok(held.isOver)
    })

  test('ends when its entry is driven out, which its use puts off', async () => {
    const { cache, clock, held } = await setUp({ maxEntries: 2 })
    clock.nowMs = 1_000
    await cache.get('b', () => 1, { ttl: '1h' })
    assert.ok(cache.holds(held, 'k', clock.nowMs))
    await cache.get('c', () => 1, { ttl: '1h' }) // drives out b: k was used last
    assert.ok(cache.holds(held, 'k', clock.nowMs))
    await cache.get('d', () => 1, { ttl: '1h' })
    assert.ok(held.isOver)
    assert.ok(!cache.holds(held, 'k', clock.nowMs))
  })

  test('ends where its value may have to be loaded anew, and one reader is sent to do that', async () => {
    let roll = 0
    const clock = { nowMs: 0 }
    const local = new LocalHost()
    const options = { now: () => clock.nowMs, random: () => roll }
    const cache = new Cache(options, new InvalidationBus(() => local))
    const policy = { ttl: '10s' } as const
    const first = cache.get('k', () => Promise.resolve('first'), policy)
    clock.nowMs = 100 // so it is fresh until 10,100, and due from 9,100 on
    await first
    const held = cache.hold('k', clock.nowMs, value => new Held(value))!
    clock.nowMs = 9_099
    assert.ok(cache.holds(held, 'k', clock.nowMs))
    clock.nowMs = 9_900
    assert.ok(!cache.holds(held, 'k', clock.nowMs))
    assert.equal(cache.recall('k'), 'first')
    roll = 0.9
    assert.equal(cache.recall('k'), undefined)
    roll = 0
    assert.equal(cache.recall('k'), undefined) // chosen, whatever is rolled since
    const { promise: later, resolve } = Promise.withResolvers<string>()
    assert.equal(await cache.get('k', () => later, policy), 'first')
    assert.equal(cache.recall('k'), 'first') // it loads
    resolve('later')
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(cache.recall('k'), 'later')
    assert.equal(cache.stats.loads, 2)
  })
})
