// The tier in Redis keeps the contract of all second tiers.
import { before, after, describe } from 'node:test'
import { RedisTier } from '../../../src/data/redis/cache-tier.ts'
import { resolveOptions } from '../../../src/data/redis/options.ts'
import { secondTierCases } from '../../cache/second-tier-cases.ts'
import { RedisServer, withoutRedis } from '../support/redis.ts'

const MAX_VALUE_BYTES = 4096

describe('the cache in Redis', { skip: withoutRedis }, () => {
  let server: RedisServer
  before(async () => {
    server = await RedisServer.start()
  })
  after(() => server.stop())

  let opened = 0
  async function open(prefix: string): Promise<RedisTier> {
    const options = resolveOptions({ url: server.url, commandTimeout: '2s', start: 'degraded' })
    const tier = new RedisTier(options, { prefix, maxValueBytes: MAX_VALUE_BYTES }, { warn: () => {} })
    await tier.open()
    if (!(await tier.reachableWithin(10_000))) throw new Error('the tier is not within reach')
    return tier
  }

  secondTierCases('the tier in Redis', async () => {
    const prefix = `case${++opened}`
    const [one, other] = await Promise.all([open(prefix), open(prefix)])
    return {
      one,
      other,
      maxValueBytes: MAX_VALUE_BYTES,
      close: async () => void (await Promise.all([one.close(), other.close()])),
    }
  })
})
