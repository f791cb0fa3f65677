// The promise of `invalidate`, attacked: two workers, any order of look-ups, loads that land late or fail, writes and time.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { Cache } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import { FakeCluster } from './cluster.ts'

const key = fc.constantFrom('a', 'b')
const worker = fc.constantFrom(0 as const, 1 as const)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('get' as const), worker, key, tagsFromValue: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('land' as const), which: fc.nat(7), fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('write' as const), worker, key, byTag: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(50, 150, 400) }) },
)

test('no look-up after an invalidation is answered with what was read before it, and each load is shared', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const cluster = new FakeCluster(2)
      let nowMs = 0
      const buses = cluster.hosts.map(host => new InvalidationBus(() => host, () => nowMs)) // prettier-ignore
      const caches = buses.map(bus => new Cache({ now: () => nowMs, maxEntries: 1 }, bus))
      /** What the database holds, and the oldest version that may still be served. */
      const stored = { a: 0, b: 0 }
      const floor = { a: 0, b: 0 }
      const flights: { land: () => void; fail: () => void }[] = []
      const answers: Promise<void>[] = []
      try {
        for (const of of steps) {
          if (of.kind === 'get') {
            const { key } = of
            const atLeast = floor[key]
            const load = () => {
              const version = stored[key] // read at once, answered late: the worst case
              return new Promise<number>((resolve, reject) =>
                flights.push({ land: () => resolve(version), fail: () => reject(new Error('source')) }),
              )
            }
            const policy = { ttl: 100, staleFor: 200, tags: [key] }
            const got = caches[of.worker]!.get(key, load, of.tagsFromValue ? () => policy : policy)
            answers.push(
              got.then(
                version => assert.ok(version >= atLeast, `${key}: got ${version}, asked when ${atLeast} was current`),
                error => assert.equal((error as Error).message, 'source'),
              ),
            )
          } else if (of.kind === 'land') {
            const [flight] = flights.splice(of.which, 1)
            if (of.fails) flight?.fail()
            else flight?.land()
            await turn()
          } else if (of.kind === 'write') {
            const version = ++stored[of.key]
            if (of.byTag) await caches[of.worker]!.invalidate(of.key)
            else await caches[of.worker]!.delete(of.key)
            floor[of.key] = version
          } else nowMs += of.ms
        }
        for (const flight of flights) flight.land()
        await Promise.all(answers)
        for (const cache of caches) {
          const { hits, stale, misses, coalesced, entries } = cache.stats
          assert.ok(entries <= 1 && coalesced <= misses && hits + stale + misses >= 0)
        }
      } finally {
        for (const bus of buses) bus.stop()
      }
    }),
    { numRuns: 300 },
  )
})
