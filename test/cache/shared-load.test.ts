// Caches of several workers over one second tier: one load for all of them, and nothing that any of them was told is no longer true.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Cache, type CacheOptions } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import { MemoryHub } from '../../src/cache/memory-tier.ts'
import type { SecondTier } from '../../src/cache/second-tier.ts'
import { FakeCluster } from './cluster.ts'

function workers(count: number, options: CacheOptions = {}) {
  const clock = { nowMs: 0 }
  const now = () => clock.nowMs
  const cluster = new FakeCluster(count)
  const hub = new MemoryHub({ now })
  const tiers = cluster.hosts.map(() => hub.join())
  const buses = cluster.hosts.map(
    (host, n) =>
      new InvalidationBus(
        () => host,
        now,
        () => tiers[n],
      ),
  )
  const caches = buses.map(bus => new Cache({ now, random: () => 0, ...options }, bus))
  return { caches, tiers, clock, stop: () => buses.forEach(bus => bus.stop()) }
}

const minute = { ttl: '1m', tags: ['t'] } as const

describe('workers with a second tier', () => {
  test('turn 10,000 concurrent misses into one load', async t => {
    const { caches, stop } = workers(4)
    t.after(stop)
    let loads = 0
    const load = async () => {
      loads++
      await sleep(20)
      return { loads }
    }
    const asked = Array.from({ length: 10_000 }, (_, n) => caches[n % 4]!.get('k', load, minute))
    for (const value of await Promise.all(asked)) assert.deepEqual(value, { loads: 1 })
    assert.equal(loads, 1)
    assert.equal(
      caches.reduce((sum, { stats }) => sum + stats.loads, 0),
      1,
    )
    assert.equal(
      caches.reduce((sum, { stats }) => sum + stats.shared, 0),
      3,
    )
    await caches[2]!.get('k', () => assert.fail('it is in the first tier now'), minute)
  })

  test('are all told of a failed load by one attempt, and the next look-up tries again after a moment', async t => {
    const { caches, clock, stop } = workers(4)
    t.after(stop)
    let loads = 0
    const load = async () => {
      loads++
      await turn()
      await turn()
      throw new Error('source is down')
    }
    const asked = Array.from({ length: 1_000 }, (_, n) => caches[n % 4]!.get('k', load, minute))
    const codes = new Set<unknown>()
    for (const result of await Promise.allSettled(asked)) {
      assert.equal(result.status, 'rejected')
      assert.match(String(result.reason), /source is down/)
      codes.add((result.reason as { code?: unknown }).code)
    }
    assert.deepEqual(codes, new Set([undefined, 'CACHE_LOAD_FAILED']))
    assert.equal(loads, 1)
    clock.nowMs += 100
    assert.equal(await caches[3]!.get('k', () => 'back', minute), 'back')
  })

  test('serve what is stale while the source fails, with one attempt a second among all of them', async t => {
    const { caches, clock, stop } = workers(4)
    t.after(stop)
    const policy = { ttl: '1s', staleFor: '1m' } as const
    for (const cache of caches) await cache.get('k', () => 'old', policy)
    let tries = 0
    const failing = () => {
      tries++
      return Promise.reject(new Error('source is down'))
    }
    for (clock.nowMs = 1_000; clock.nowMs < 11_000; clock.nowMs += 50) {
      for (const cache of caches) assert.equal(await cache.get('k', failing, policy), 'old')
      for (let n = 0; n < 5; n++) await turn()
    }
    assert.ok(tries >= 9 && tries <= 10, `${tries} tries in 10 s`)
  })

  test('say of another’s value that it is stale, and give it to who has waited for a load that failed', async t => {
    const { caches, clock, stop } = workers(3)
    t.after(stop)
    const policy = { ttl: '1s', staleFor: '1m' } as const
    await caches[0]!.get('k', () => 'old', policy)
    clock.nowMs = 1_000
    let stale = 0
    const onStale = () => stale++
    const failing = () => Promise.reject(new Error('source is down'))
    assert.equal(await caches[1]!.get('k', failing, policy, { waits: true, onStale }), 'old')
    assert.equal(stale, 1)
    assert.equal(await caches[2]!.get('k', failing, policy, { onStale }), 'old')
    assert.equal(stale, 2)
    const gone = () => Promise.reject(Object.assign(new Error('gone'), { status: 404 }))
    clock.nowMs = 3_000
    await assert.rejects(caches[1]!.get('k', gone, policy, { waits: true }), /gone/)
  })

  test('serve nothing that one of them has found to be gone', async t => {
    const { caches, clock, stop } = workers(2)
    t.after(stop)
    const policy = { ttl: '1s', staleFor: '1m', negativeTtl: 0 } as const
    await caches[0]!.get<string | null>('k', () => 'there', policy)
    clock.nowMs = 1_000
    // From the other's load, and anew in the background.
    assert.equal(await caches[1]!.get<string | null>('k', () => null, policy), 'there')
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(await caches[1]!.get<string | null>('k', () => 'there again', policy), 'there again')
  })

  test('decide for themselves what a handler decides: a refusal of one is not that of another', async t => {
    const { caches, stop } = workers(2)
    t.after(stop)
    const notFound = Object.assign(new Error('not found'), { status: 404 })
    const { promise, reject } = Promise.withResolvers<string>()
    const first = caches[0]!.get('k', () => promise, minute)
    const second = caches[1]!.get('k', () => 'found', minute)
    await turn()
    reject(notFound)
    await assert.rejects(first, notFound)
    assert.equal(await second, 'found')
  })

  test('keep to themselves what their codec fails for, and tell nobody that the load has', async t => {
    const encode = () => {
      throw new Error('no such form')
    }
    const { caches, stop } = workers(2, { codec: { encode, decode: encode } })
    t.after(stop)
    for (const cache of caches) {
      assert.equal(await cache.get('k', () => 'value', minute), 'value')
      assert.equal(await cache.get('k', () => assert.fail('it is kept'), minute), 'value')
    }
  })

  test('keep what cannot travel to themselves: each loads it once', async t => {
    class Money {
      readonly #cents = 5
      get cents() {
        return this.#cents
      }
    }
    const { caches, stop } = workers(3)
    t.after(stop)
    let loads = 0
    const load = () => {
      loads++
      return new Money()
    }
    const found = await Promise.all(Array.from({ length: 30 }, (_, n) => caches[n % 3]!.get('k', load, minute)))
    for (const money of found) assert.equal(money.cents, 5)
    assert.equal(loads, 3)
  })

  test('do not share what is kept nowhere', async t => {
    const { caches, tiers, stop } = workers(2)
    t.after(stop)
    assert.equal(await caches[0]!.get('k', () => 'mine', { ttl: 0 }), 'mine')
    assert.equal(await caches[1]!.get('k', () => 'yours', { ttl: 0 }), 'yours')
    assert.equal(tiers[0]!.stats.stored, 0)
  })

  test('load what they find but cannot read, and put a good one in its place', async t => {
    const { caches, tiers, stop } = workers(2)
    t.after(stop)
    const claim = await tiers[0]!.claim('default', 'k')
    assert.ok(claim.state === 'yours')
    await claim.lease.fulfil({ bytes: Buffer.from('poison'), freshForMs: 60_000, staleForMs: 0, tags: [] })
    assert.equal(await caches[0]!.get('k', () => 'good', minute), 'good')
    assert.equal(tiers[0]!.stats.poisoned, 1)
    assert.equal(await caches[1]!.get('k', () => assert.fail('loaded'), minute), 'good')
  })

  test('take an older value of the tier at once, and one of them loads a new one', async t => {
    const { caches, clock, stop } = workers(3)
    t.after(stop)
    const policy = { ttl: '1s', staleFor: '1m' } as const
    await caches[0]!.get('k', () => 'old', policy)
    clock.nowMs = 2_000
    const { promise, resolve } = Promise.withResolvers<string>()
    let loads = 0
    const load = () => {
      loads++
      return promise
    }
    for (const cache of caches) assert.equal(await cache.get('k', load, policy), 'old')
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(loads, 1)
    resolve('new')
    for (let n = 0; n < 5; n++) await turn()
    clock.nowMs += 1_500 - 400
    for (const cache of caches) await cache.get('k', load, policy)
    for (let n = 0; n < 5; n++) await turn()
    for (const cache of caches) assert.equal(await cache.get('k', load, policy), 'new')
  })

  test('let go of the lease when every caller has gone, and when a load hangs', async t => {
    const { caches, stop } = workers(2, { loadTimeout: 50 })
    t.after(stop)
    const leaving = new AbortController()
    const hang = () => new Promise<string>(() => {})
    const gone = caches[0]!.get('k', hang, minute, { signal: leaving.signal })
    await turn()
    leaving.abort(new Error('gone'))
    await assert.rejects(gone, /gone/)
    const awake = setInterval(() => {}, 1_000)
    t.after(() => clearInterval(awake))
    await assert.rejects(caches[0]!.get('k', hang, minute), { code: 'DEADLINE_PASSED' })
    assert.equal(await caches[1]!.get('k', () => 'value', minute), 'value')
  })

  test('load for themselves while it is out of reach', async t => {
    const { caches, tiers, stop } = workers(2)
    t.after(stop)
    for (const tier of tiers) Object.defineProperty(tier, 'isReachable', { value: false })
    const found = await Promise.all(caches.map((cache, n) => cache.get('k', () => n, minute)))
    assert.deepEqual(found, [0, 1])
  })
})

test('an invalidation that has resolved is never undone, whatever the order of loads, claims and messages', async () => {
  const worker = fc.nat(2)
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('get' as const), worker, tagsFromValue: fc.boolean() }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('land' as const), which: fc.nat(7), fails: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('write' as const), worker, byTag: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(50, 150, 400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const { caches, clock, stop } = workers(3)
      let stored = 0
      let floor = 0
      const flights: { land: () => void; fail: () => void }[] = []
      const answers: Promise<void>[] = []
      const load = () => {
        const version = stored
        return new Promise<number>((resolve, reject) =>
          flights.push({ land: () => resolve(version), fail: () => reject(new Error('source')) }),
        )
      }
      try {
        for (const of of steps) {
          if (of.kind === 'get') {
            const atLeast = floor
            const policy = { ttl: 100, staleFor: 200, tags: ['k'] }
            const got = caches[of.worker]!.get('k', load, of.tagsFromValue ? () => policy : policy)
            answers.push(
              got.then(
                version => assert.ok(version >= atLeast, `got ${version}, asked when ${atLeast} was current`),
                error => assert.match((error as Error).message, /source/),
              ),
            )
          } else if (of.kind === 'land') {
            const [flight] = flights.splice(of.which, 1)
            if (of.fails) flight?.fail()
            else flight?.land()
            await turn()
          } else if (of.kind === 'write') {
            const version = ++stored
            if (of.byTag) await caches[of.worker]!.invalidate('k')
            else await caches[of.worker]!.delete('k')
            floor = version
          } else if (of.kind === 'turn') await turn()
          else clock.nowMs += of.ms
        }
        const all = Promise.all(answers)
        let isDone = false
        void all.finally(() => (isDone = true)).catch(() => {})
        while (!isDone) {
          for (const flight of flights.splice(0)) flight.land()
          clock.nowMs += 100
          await turn()
        }
        await all
      } finally {
        stop()
      }
    }),
    { numRuns: 300 },
  )
})

// A tier that is one of the host hears of invalidations on the way between workers; any other is told.
test('a tier is told of invalidations unless it hears them on the way', async () => {
  const told: unknown[] = []
  const hub = new MemoryHub()
  const tierOf = (isOfHost: boolean): SecondTier => {
    const tier = hub.join()
    return Object.assign(tier, {
      isOfHost,
      invalidate: (what: unknown) => {
        told.push([isOfHost, what])
        return Promise.resolve()
      },
    })
  }
  for (const isOfHost of [true, false]) {
    const tier = tierOf(isOfHost)
    const bus = new InvalidationBus(undefined, undefined, () => tier)
    await bus.invalidate(['t'])
    bus.stop()
  }
  assert.deepEqual(told, [[false, { tags: ['t'] }]])
})
