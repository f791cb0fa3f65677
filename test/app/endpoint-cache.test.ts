import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, cache, dependency, fail } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

describe('cache on an endpoint', () => {
  const counted = () => {
    let runs = 0
    const app = new App({ log: silent })
    app.get(
      '/things/{id}',
      {
        params: z.object({ id: z.int() }),
        query: z.object({ lang: z.string().default('en') }),
        cache: { ttl: '1m', tags: ({ params }) => [`thing:${params.id}`] },
      },
      async ({ params, query, reply }) => {
        runs++
        await new Promise(resolve => setImmediate(resolve))
        if (params.id === 404) fail(404)
        return reply(200, { ...params, ...query, runs }, { headers: { 'x-run': String(runs) } })
      },
    )
    return app
  }

  onEachSeam('a hit is the same answer, fields included, without running the handler', counted, async ask => {
    const first = await ask('/things/1')
    const second = await ask('/things/1')
    assert.equal(await first.text(), '{"id":1,"lang":"en","runs":1}')
    assert.equal(await second.text(), '{"id":1,"lang":"en","runs":1}')
    assert.equal(second.headers.get('x-run'), '1')
    assert.equal(second.headers.get('content-type'), 'application/json')
  })

  onEachSeam('a thousand first requests run the handler once', counted, async ask => {
    const bodies = await Promise.all(Array.from({ length: 1000 }, async () => (await ask('/things/2')).text()))
    assert.deepEqual(new Set(bodies), new Set(['{"id":2,"lang":"en","runs":1}']))
  })

  onEachSeam('declared inputs make the key; unknown parameters do not', counted, async ask => {
    const runs = async (path: `/${string}`) => ((await (await ask(path)).json()) as { runs: number }).runs
    assert.equal(await runs('/things/3?lang=de'), 1)
    assert.equal(await runs('/things/3'), 2)
    assert.equal(await runs('/things/3?utm=1'), 2)
    assert.equal(await runs('/things/3?lang=en&x'), 2)
    assert.equal(await runs('/things/03?lang=de'), 1)
  })

  onEachSeam('after an invalidation the next request runs the handler', counted, async ask => {
    await ask('/things/5')
    await cache.invalidate('thing:5')
    assert.equal(((await (await ask('/things/5')).json()) as { runs: number }).runs, 2)
  })

  onEachSeam('errors are told to all who waited and never kept', counted, async ask => {
    const answers = await Promise.all([ask('/things/404'), ask('/things/404')])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404],
    )
    assert.equal((await ask('/things/404')).status, 404)
    assert.equal(((await (await ask('/things/6')).json()) as { runs: number }).runs, 3)
  })

  onEachSeam('a request with Authorization neither reads nor fills it', counted, async ask => {
    const runs = async (headers: Record<string, string>) =>
      ((await (await ask('/things/7', { headers })).json()) as { runs: number }).runs
    assert.equal(await runs({}), 1)
    assert.equal(await runs({ authorization: 'Bearer x' }), 2)
    assert.equal(await runs({}), 1)
  })

  onEachSeam(
    'an answer that says private, no-store or Set-Cookie is not kept',
    () => {
      let runs = 0
      const app = new App({ log: silent })
      app.get('/a', { cache: { ttl: '1m' } }, ({ reply }) =>
        reply(200, ++runs, { headers: { 'cache-control': 'private' } }),
      )
      app.get('/b', { cache: { ttl: '1m' } }, ({ reply }) => reply(200, ++runs, { cookies: { a: 'b' } }))
      return app
    },
    async ask => {
      for (const expected of [1, 2]) assert.equal(await (await ask('/a')).json(), expected)
      for (const expected of [3, 4]) assert.equal(await (await ask('/b')).json(), expected)
    },
  )

  test('is refused where answers are not the same for everybody', async () => {
    const user = dependency(() => 'me')
    const app = new App({ log: silent })
    app.get('/mine', { uses: { user }, cache: { ttl: '1s' } }, ({ user }) => user)
    await assert.rejects(app.start(), { code: 'APP_CACHE', message: /GET \/mine.*user/ })
    const other = new App({ log: silent })
    other.post('/post', { cache: { ttl: '1s' } }, () => 1)
    await assert.rejects(other.start(), { code: 'APP_CACHE', message: /only a GET/ })
  })
})
