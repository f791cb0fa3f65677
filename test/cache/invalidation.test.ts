// Invalidation: during loads, across workers, and past a worker whose loop was blocked.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { Cache } from '../../src/cache/cache.ts'
import { BOUND_MS, InvalidationBus } from '../../src/cache/invalidation.ts'
import { LocalHost, provideHost } from '../../src/core/host.ts'
import { FakeCluster } from './cluster.ts'

/** A load that the test answers, counting calls. */
function source() {
  const calls: ((value: string) => void)[] = []
  return { calls, load: () => new Promise<string>(resolve => calls.push(resolve)) }
}

function alone() {
  const local = new LocalHost()
  return new Cache({ now: () => 0 }, new InvalidationBus(() => local))
}

const tagged = { ttl: '1m', tags: ['product:7', 'products'] } as const

describe('an invalidation', () => {
  test('drops what carries any of its tags and nothing else', async () => {
    const cache = alone()
    await cache.get('a', () => 1, { ttl: '1m', tags: ['x', 'y'] })
    await cache.get('b', () => 2, { ttl: '1m', tags: ['y'] })
    await cache.get('c', () => 3, { ttl: '1m' })
    await cache.invalidate('x', 'unknown')
    assert.deepEqual(
      ['a', 'b', 'c'].map(key => cache.peek(key)),
      [undefined, 2, 3],
    )
    await cache.invalidate()
    assert.equal(cache.peek('b'), 2)
  })

  test('keeps a load that began before it from being stored or joined', async () => {
    const cache = alone()
    const { load, calls } = source()
    const before = cache.get('k', load, tagged)
    const invalidated = cache.invalidate('products')
    const during = cache.get('k', load, tagged)
    await invalidated
    const after = cache.get('k', load, tagged)
    assert.equal(calls.length, 2)
    calls[1]!('new')
    assert.equal(await during, 'new')
    assert.equal(await after, 'new')
    calls[0]!('old')
    assert.equal(await before, 'old') // it asked before: old was true then
    assert.equal(cache.peek('k'), 'new')
  })

  test('leaves a load with other tags alone', async () => {
    const cache = alone()
    const { load, calls } = source()
    const first = cache.get('k', load, tagged)
    await cache.invalidate('product:8')
    const second = cache.get('k', load, tagged)
    assert.equal(calls.length, 1)
    calls[0]!('value')
    assert.deepEqual(await Promise.all([first, second]), ['value', 'value'])
    assert.equal(cache.peek('k'), 'value')
  })

  test('is judged when the value arrives where only the value knows its tags', async () => {
    const cache = alone()
    const policy = (value: string) => ({ ttl: '1m' as const, tags: [value] })
    const { load, calls } = source()
    const first = cache.get('k', load, policy)
    await cache.invalidate('other')
    calls[0]!('mine')
    await first
    assert.equal(cache.peek('k'), 'mine')

    const second = cache.get('l', load, policy)
    await cache.invalidate('mine')
    calls[1]!('mine')
    await second
    assert.equal(cache.peek('l'), undefined)
  })

  test('never lets an older load overwrite what a newer one brought', async () => {
    const cache = alone()
    const policy = (value: string) => ({ ttl: '1m' as const, tags: [value] })
    const { load, calls } = source()
    const older = cache.get('k', load, policy)
    await cache.invalidate('unrelated')
    const newer = cache.get('k', load, policy)
    calls[1]!('new')
    await newer
    calls[0]!('old')
    await older
    assert.equal(cache.peek('k'), 'new')
  })

  test('keeps a background reload that began before it from being stored', async () => {
    const clock = { nowMs: 0 }
    const local = new LocalHost()
    const cache = new Cache({ now: () => clock.nowMs }, new InvalidationBus(() => local))
    const policy = { ttl: '1s', staleFor: '1m', tags: ['t'] } as const
    await cache.get('k', () => 'old', policy)
    clock.nowMs = 2_000
    const { load, calls } = source()
    assert.equal(await cache.get('k', load, policy), 'old')
    await cache.invalidate('t')
    calls[0]!('read before the invalidation')
    await turn()
    assert.equal(await cache.get('k', () => 'new', policy), 'new')
  })

  test('reaches every cache of the process, and `delete` those of the same name', async () => {
    const local = new LocalHost()
    const bus = new InvalidationBus(() => local)
    const [one, two, other] = ['same', 'same', 'other'].map(name => new Cache({ name }, bus))
    const fill = () => Promise.all([one, two, other].map(cache => cache!.get('k', () => 1, { ttl: '1m', tags: ['t'] })))
    const peek = () => [one, two, other].map(cache => cache!.peek('k'))
    await fill()
    await one!.delete('k')
    assert.deepEqual(peek(), [undefined, undefined, 1])
    await fill()
    await one!.invalidate('t')
    assert.deepEqual(peek(), [undefined, undefined, undefined])
  })

  test('keeps a load that was under way from being stored after a delete', async () => {
    const cache = alone()
    const { load, calls } = source()
    const before = cache.get('k', load, tagged)
    await cache.delete('k')
    calls[0]!('old')
    await before
    assert.equal(cache.peek('k'), undefined)
  })
})

describe('two workers', () => {
  function setUp() {
    const cluster = new FakeCluster(2)
    const clock = { nowMs: 0 }
    const buses = cluster.hosts.map(
      host =>
        new InvalidationBus(
          () => host,
          () => clock.nowMs,
        ),
    )
    const [one, two] = buses.map(bus => new Cache({ now: () => clock.nowMs }, bus)) as [Cache, Cache]
    const stop = () => buses.forEach(bus => bus.stop())
    return { cluster, clock, one, two, stop }
  }

  test('have both dropped the value when an invalidation resolves, loads under way included', async t => {
    const { one, two, stop } = setUp()
    t.after(stop)
    await one.get('k', () => 'old', tagged)
    await two.get('k', () => 'old', tagged)
    const { load, calls } = source()
    const loading = two.get('l', load, tagged)
    await one.invalidate('product:7')
    assert.equal(one.peek('k'), undefined)
    assert.equal(two.peek('k'), undefined)
    calls[0]!('old')
    await loading
    assert.equal(two.peek('l'), undefined)
  })

  test('are told at once of all that one of them invalidates in a turn of the loop', async t => {
    const { cluster, one, two, stop } = setUp()
    t.after(stop)
    const asked: unknown[] = []
    const request = cluster.hosts[0]!.request.bind(cluster.hosts[0])
    cluster.hosts[0]!.request = (channel, message, timeoutMs) => {
      asked.push(message)
      return request(channel, message, timeoutMs)
    }
    for (const key of ['a', 'b', 'c']) await two.get(key, () => 'old', { ttl: '1m', tags: [key] })
    await Promise.all(['a', 'b', 'a'].map(tag => one.invalidate(tag)))
    assert.deepEqual(
      ['a', 'b', 'c'].map(key => two.peek(key)),
      [undefined, undefined, 'old'],
    )
    await one.invalidate('c')
    assert.equal(two.peek('c'), undefined)
    assert.deepEqual(asked, [{ tags: ['a', 'b'] }, { tags: ['c'] }])
  })

  test('do not keep what the one that invalidates has loaded before it was sent', async t => {
    const { one, stop } = setUp()
    t.after(stop)
    const invalidated = one.invalidate('product:7')
    // Before the turn is over: a second tier that has not heard of it yet may still give out the old one.
    await one.get('k', () => 'old', tagged)
    await invalidated
    assert.equal(one.peek('k'), undefined)
  })

  test('do not serve what was invalidated while one of them was blocked', async t => {
    const { cluster, clock, one, two, stop } = setUp()
    t.after(stop)
    await two.get('k', () => 'old', tagged)
    const { load, calls } = source()
    const loading = two.get('l', load, tagged)
    cluster.deaf.add(2)
    await one.invalidate('product:7')
    clock.nowMs += BOUND_MS
    // The first thing it does after the stall is to serve, before it has read the message.
    assert.equal(two.peek('k'), undefined)
    calls[0]!('old')
    await loading
    assert.equal(two.peek('l'), undefined)
  })

  test('keep their values over a stall shorter than an invalidation waits', async t => {
    const { clock, two, stop } = setUp()
    t.after(stop)
    await two.get('k', () => 'kept', tagged)
    for (let i = 0; i < 5; i++) {
      clock.nowMs += BOUND_MS - 1
      assert.equal(two.peek('k'), 'kept')
    }
  })
})

test('the default caches answer on the host that was provided after they were made', async t => {
  const cache = new Cache()
  await cache.get('k', () => 1, { ttl: '1m', tags: ['t'] })
  const provided = new LocalHost()
  const before = provideHost(provided)
  t.after(() => provideHost(before))
  await cache.get('l', () => 2, { ttl: '1m', tags: ['t'] })
  await provided.request('cache:invalidate', { tags: ['t'] }, 1_000)
  assert.equal(cache.peek('k'), undefined)
  assert.equal(cache.peek('l'), undefined)
})
