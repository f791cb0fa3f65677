// The shop on two hosts with one Redis: what one has changed the other does not give out any more, and without Redis both go on.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { join } from 'node:path'
import { RedisServer, withoutRedis } from '../data/support/redis.ts'
import { eventually, temporaryFolder, testServer } from '../data/support/server.ts'
import { ROOT, startServer } from '../system/running-server.ts'

test('two hosts of the shop share what they cache, and each change of it', { skip: withoutRedis }, async context => {
  const redis = await RedisServer.start()
  after(() => redis.stop())
  const postgres = await testServer()
  const db = await postgres.open()
  const folder = await temporaryFolder()
  const environment = {
    DATABASE_URL: postgres.server.url,
    REDIS_URL: redis.url,
    SHOP_SEED_PRODUCTS: '50',
    SHOP_ADMIN_KEY: 'mine',
    SHOP_TOKEN_SECRET: 'a secret for tests of 32 bytes!!',
    SHOP_OUTBOX: join(folder, 'outbox'),
  }
  const args = ['serve', join(ROOT, 'examples/shop/app.ts'), '--workers', '1', '--host', '127.0.0.1', '--port', '0']
  const hosts = []
  for (let n = 0; n < 2; n++) hosts.push(await startServer(context, args, { directory: folder, environment }))
  const [here, there] = hosts.map(({ url }) => url) as [string, string]
  const send = async (method: string, url: string, body?: object) => {
    const headers = { 'content-type': 'application/json', 'x-api-key': 'mine' }
    const answer = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    return { status: answer.status, body: await answer.json() }
  }
  const stock = async (url: string) => (await send('GET', `${url}/products/1`)).body.stock as number

  await context.test('a product that one has read is read by the other without the database', async () => {
    const before = await stock(here)
    // Behind the shop's back, so that only what is kept can be what it was.
    await db.sql`update products set stock = stock + 1 where id = 1`
    assert.equal(await stock(there), before)
  })

  await context.test('a change, and a review, are seen by the other as soon as they are answered', async () => {
    for (let round = 1; round <= 20; round++) {
      const [writer, reader] = round % 2 === 0 ? [here, there] : [there, here]
      assert.equal((await send('PATCH', `${writer}/products/1`, { stock: round })).status, 200)
      assert.equal(await stock(reader), round)
      const review = { rating: 5, author: 'Ada', text: `${round}` }
      assert.equal((await send('POST', `${writer}/products/1/reviews`, review)).status, 201)
      assert.equal((await send('GET', `${reader}/products/1/reviews`)).body.count, round)
    }
  })

  await context.test('without Redis nobody is refused, and each host sees its own changes', async () => {
    await redis.kill()
    for (const url of [here, there]) {
      assert.equal((await send('PATCH', `${url}/products/2`, { stock: 7 })).status, 200)
      assert.equal((await send('GET', `${url}/products/2`)).body.stock, 7)
      assert.equal((await send('GET', `${url}/products/search?q=a`)).status, 200)
    }
    await redis.start()
    await eventually(async () => {
      await send('PATCH', `${here}/products/3`, { stock: 11 })
      return (await send('GET', `${there}/products/3`)).body.stock === 11 || undefined
    })
  })
})
