// Workers of one host over a cache in Redis, of which one cannot reach Redis: what it invalidates is forgotten by the others too.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Cache } from '../../../src/cache/cache.ts'
import { InvalidationBus } from '../../../src/cache/invalidation.ts'
import { openRedisCache, type RedisCache } from '../../../src/data/redis/index.ts'
import { FakeCluster } from '../../cache/cluster.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { RedisServer, withoutRedis } from '../support/redis.ts'
import { eventually } from '../support/server.ts'

describe('workers of one host', { skip: withoutRedis }, () => {
  let server: RedisServer
  let proxy: FaultProxy
  const tiers: RedisCache[] = []
  const buses: InvalidationBus[] = []
  let caches: readonly Cache[]
  before(async () => {
    server = await RedisServer.start()
    proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port })
    const { hosts } = new FakeCluster(2)
    for (const [n, port] of [proxy.port, server.port].entries()) {
      const log = { warn: () => {} }
      const tier = await openRedisCache({ url: `redis://127.0.0.1:${port}`, commandTimeout: '1s', log })
      tiers.push(tier)
      buses.push(
        new InvalidationBus(
          () => hosts[n]!,
          undefined,
          () => tier,
        ),
      )
    }
    caches = buses.map(bus => new Cache({ name: 'prices' }, bus))
  })
  after(async () => {
    for (const bus of buses) bus.stop()
    await Promise.all(tiers.map(tier => tier.close()))
    await proxy.close()
    await server.stop()
  })

  for (const [how, invalidate] of [
    ['a tag', (cache: Cache) => cache.invalidate('price')],
    ['a key', (cache: Cache) => cache.delete('k')],
  ] as const)
    test(`forget ${how} in Redis for the one that does not reach it`, async () => {
      proxy.heal()
      await eventually(async () => ((await tiers[0]!.reachableWithin(100)) ? true : undefined))
      let source = 'old'
      let loads = 0
      const read = (cache: Cache) => cache.get('k', () => (loads++, source), { ttl: '1h', tags: ['price'] })
      await invalidate(caches[1]!)
      assert.deepEqual([await read(caches[0]!), await read(caches[1]!)], ['old', 'old'])
      // Handed in behind the answer; then it is there for both.
      await eventually(() => (tiers[0]!.stats.stored + tiers[1]!.stats.stored > 0 ? true : undefined))
      for (const tier of tiers)
        await eventually(async () => ((await tier.claim('prices', 'k')).state === 'found' ? true : undefined))
      proxy.cut()
      await eventually(() => (tiers[0]!.isReachable ? undefined : true))
      source = 'new'
      await invalidate(caches[0]!)
      assert.deepEqual([await read(caches[1]!), await read(caches[0]!)], ['new', 'new'])
      proxy.heal()
      await eventually(async () => ((await tiers[0]!.reachableWithin(100)) ? true : undefined))
      assert.deepEqual([await read(caches[1]!), await read(caches[0]!)], ['new', 'new'])
      assert.ok(loads >= 3)
    })
})
