// The tier in Redis keeps the contract of all second tiers: on one server, on a cluster, and behind sentinels.
import { after, before, describe } from 'node:test'
import { RedisTier } from '../../../src/data/redis/cache-tier.ts'
import { resolveOptions, type RedisOptions } from '../../../src/data/redis/options.ts'
import { secondTierCases } from '../../cache/second-tier-cases.ts'
import { RedisServer, withoutRedis } from '../support/redis.ts'
import { RedisCluster, WatchedRedis } from '../support/redis-groups.ts'

const MAX_VALUE_BYTES = 4096

let opened = 0

function casesOn(name: string, where: () => RedisOptions): void {
  async function open(prefix: string): Promise<RedisTier> {
    const options = resolveOptions({ ...where(), commandTimeout: '2s', start: 'degraded' })
    const tier = new RedisTier(options, { prefix, maxValueBytes: MAX_VALUE_BYTES }, { warn: () => {} })
    await tier.open()
    if (!(await tier.reachableWithin(10_000))) throw new Error('the tier is not within reach')
    return tier
  }

  secondTierCases(name, async () => {
    const prefix = `case${++opened}`
    const [one, other] = await Promise.all([open(prefix), open(prefix)])
    return {
      one,
      other,
      maxValueBytes: MAX_VALUE_BYTES,
      close: async () => void (await Promise.all([one.close(), other.close()])),
    }
  })
}

describe('the cache in Redis', { skip: withoutRedis }, () => {
  let server: RedisServer
  before(async () => {
    server = await RedisServer.start()
  })
  after(() => server.stop())
  casesOn('the tier in Redis', () => ({ url: server.url }))
})

describe('the cache in a cluster of Redis', { skip: withoutRedis }, () => {
  let cluster: RedisCluster
  before(async () => {
    cluster = await RedisCluster.start(3)
  })
  after(() => cluster.stop())
  casesOn('the tier in a cluster', () => ({ cluster: cluster.urls }))
})

describe('the cache in a Redis that sentinels watch over', { skip: withoutRedis }, () => {
  let watched: WatchedRedis
  before(async () => {
    watched = await WatchedRedis.start()
  })
  after(() => watched.stop())
  casesOn('the tier behind sentinels', () => ({ sentinel: { name: 'shop', nodes: [watched.url] } }))
})
