// Our HttpArena entry on a database: async-db, crud and api are answered exactly, by one worker and by several, and whether or not there is a Redis.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { fillItems } from '../../bench/arena-items.ts'
import { DATABASE_PROFILES, type DatabaseProfileName, proveCrud } from '../../bench/database-profiles.ts'
import type { Running } from '../../bench/harness/contender.ts'
import { ask } from '../../bench/harness/load-request.ts'
import { requireAnswers } from '../../bench/harness/same-answer.ts'
import { DATASET } from '../../bench/profiles.ts'
import { startRedis } from '../../bench/redis.ts'
import { testServer } from '../data/support/server.ts'
import { ROOT, startServer } from '../system/running-server.ts'

const postgres = await testServer()
const redis = existsSync('/usr/bin/redis-server') || process.env['CI'] ? await startRedis() : undefined
after(() => redis?.stop())

const names = Object.keys(DATABASE_PROFILES) as DatabaseProfileName[]
const ways = [
  { as: 'one worker', workers: '1', env: {} },
  { as: 'three workers', workers: '3', env: {} },
  ...(redis ? [{ as: 'two workers beside the Redis of HttpArena', workers: '2', env: { REDIS_URL: redis.url } }] : []),
]

for (const { as, workers, env } of ways)
  describe(`our entry as ${as}`, () => {
    test('answers the profiles with a database exactly, on as many connections as it may have', async context => {
      await fillItems(postgres.server.url)
      const app = `${ROOT}/bench/httparena/app.ts`
      const args = ['serve', app, '--workers', workers, '--host', '127.0.0.1', '--port', '0']
      const server = await startServer(context, args, {
        environment: {
          DATASET_PATH: DATASET,
          DATABASE_URL: postgres.server.url,
          DATABASE_MAX_CONN: '6',
          ...env,
        },
      })
      const running: Running = {
        contender: { name: 'millrace', about: '', command: () => assert.fail() },
        origin: server.url,
        pid: 0,
        stop: async () => {},
      }
      for (const name of names) await requireAnswers([running], DATABASE_PROFILES[name]().expected)
      await proveCrud(running)
      // What a load asks for all at once, too: nobody is sent away, and what was asked for is what is answered.
      const { requests } = DATABASE_PROFILES.crud()
      const answers = await Promise.all(requests.slice(0, 400).map(request => ask(server.url, request)))
      for (const [n, { status, body }] of answers.entries()) {
        const { path, body: sent } = requests[n]!
        assert.equal(status, path === '/crud/items' && sent !== undefined ? 201 : 200, `${path} ${body}`)
        const id = /items\/(\d+)$/.exec(path)?.[1]
        if (id !== undefined) assert.equal((JSON.parse(body) as { id: number }).id, Number(id))
      }
    })
  })

test('crud is mixed as HttpArena mixes it, and closes a connection after 200 requests', () => {
  const { requests } = DATABASE_PROFILES.crud()
  const count = (is: (of: (typeof requests)[number]) => boolean) => requests.filter(is).length / requests.length
  assert.equal(
    count(({ path, method }) => /items\/\d/.test(path) && method === undefined),
    0.75,
  )
  assert.equal(
    count(({ method }) => method === 'PUT'),
    0.15,
  )
  assert.equal(
    count(({ path }) => path.includes('?')),
    0.05,
  )
  assert.equal(
    count(({ path, body }) => path === '/crud/items' && body !== undefined),
    0.05,
  )
  assert.equal(
    count(({ headers }) => headers?.['Connection'] === 'close'),
    1 / 200,
  )
})
