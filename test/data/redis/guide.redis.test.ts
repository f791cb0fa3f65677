// The app of the guide's page about Redis does what the page says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMetrics } from '../../../src/core/metrics.ts'
import { testClient } from '../../../src/testing/index.ts'
import { RedisServer, withoutRedis } from '../support/redis.ts'

test('examples/guide/redis.ts sells tickets, and caches what is left of them', { skip: withoutRedis }, async () => {
  const server = await RedisServer.start()
  process.env['REDIS_URL'] = server.url
  const { default: app } = await import('../../../examples/guide/redis.ts')
  const client = testClient(app)
  const ask = async (method: string, path: `/${string}`, content?: object): Promise<readonly [number, unknown]> => {
    const json = { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) }
    const answer = await client.fetch(path, content ? json : { method })
    const text = await answer.text()
    return [answer.status, text === '' ? undefined : JSON.parse(text)]
  }
  try {
    assert.equal((await ask('PUT', '/events/opera', { left: 3 }))[0], 200)
    assert.deepEqual(await ask('GET', '/events/opera'), [200, { left: 3 }])
    // Past the app, so nobody has invalidated it.
    await server.command('SET', 'left:opera', '2')
    assert.deepEqual(await ask('GET', '/events/opera'), [200, { left: 3 }])
    const claims = readMetrics().find(({ name }) => name === 'millrace_cache_tier_claims_total')!.samples
    assert.equal(claims.find(({ labels }) => labels!['found'] === 'missed')?.value, 1)
    assert.equal(await server.command('EXISTS', 'tickets-1:{0}:fence'), ':1')
    assert.deepEqual(await ask('POST', '/events/opera/tickets', { quantity: 2 }), [201, { left: 0 }])
    assert.deepEqual(await ask('GET', '/events/opera'), [200, { left: 0 }])
    assert.deepEqual(await ask('POST', '/events/opera/tickets', { quantity: 1 }), [409, { left: 0 }])
  } finally {
    await client.close()
    await server.stop()
  }
})
