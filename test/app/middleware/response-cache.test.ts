import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, cache, fail, stream } from 'millrace'
import { compress, responseCache, type ResponseCacheOptions } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import { type Ask, onEachSeam, silent } from '../support/seams.ts'

/** What handlers that know nothing of a cache answer. */
function make(options: ResponseCacheOptions = { ttl: '1m', xCache: true }): App {
  const app = new App({ log: silent, use: [responseCache(options)] })
  let runs = 0
  const says = (field: string, value: string) => () =>
    new Response(`run ${++runs}`, { headers: { [field]: value, 'content-type': 'text/plain' } })
  app.get('/plain', () => `run ${++runs}`)
  app.get('/short', says('cache-control', 'max-age=60'))
  app.get('/private', says('cache-control', 'private'))
  app.get('/no-cache', says('cache-control', 'no-cache'))
  app.get('/cookie', says('set-cookie', 'a=b'))
  app.get('/varies', says('vary', 'x-b'))
  app.get('/language', says('vary', 'Accept-Language'))
  app.get('/old', says('age', '30'))
  app.get('/stream', () => stream([`run `, String(++runs)].values()))
  app.get('/long', () => stream(Array.from({ length: 64 }, () => 'x'.repeat(1024)).values()))
  app.get('/missing', () => fail(404, `run ${++runs}`))
  app.get('/slow', async () => {
    await new Promise(resolve => setTimeout(resolve, 20))
    return `run ${++runs}`
  })
  app.post('/plain', () => `run ${++runs}`)
  app.mount('/mounted', () => new Response(`run ${++runs}`, { headers: { 'cache-control': 's-maxage=60' } }))
  return app
}

const ask2 = async (ask: Ask, path: `/${string}`, init?: RequestInit) => [
  await (await ask(path, init)).text(),
  await (await ask(path, init)).text(),
]

describe('responseCache()', () => {
  onEachSeam(
    'keeps what may be kept, streams and mounted handlers included',
    () => make(),
    async ask => {
      for (const path of ['/plain', '/short', '/stream', '/mounted/a?b=1'] as const) {
        const first = await ask(path)
        const body = await first.text()
        const second = await ask(path)
        assert.equal(await second.text(), body, path)
        assert.deepEqual([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT'], path)
        assert.deepEqual([first.headers.get('age'), second.headers.get('age')], [null, '0'], path)
        assert.equal(second.headers.get('content-type'), first.headers.get('content-type'))
      }
      assert.notEqual(await (await ask('/mounted/a?b=2')).text(), await (await ask('/mounted/a?b=1')).text())
    },
  )

  onEachSeam(
    'keeps nothing that is for one client alone, or says that it is not to be kept',
    () => make(),
    async ask => {
      for (const path of ['/private', '/no-cache', '/cookie', '/varies', '/missing'] as const) {
        const [first, second] = await ask2(ask, path)
        assert.notEqual(first, second, path)
      }
      for (const headers of [{ authorization: 'Bearer x' }, { cookie: 'session=x' }] as Record<string, string>[]) {
        const [first, second] = await ask2(ask, '/plain', { headers })
        assert.notEqual(first, second, JSON.stringify(headers))
      }
      const [posted, again] = await ask2(ask, '/plain', { method: 'POST' })
      assert.notEqual(posted, again)
    },
  )

  onEachSeam(
    'keeps an answer for each value of a field that is named in vary',
    () => make({ ttl: '1m', vary: ['Accept-Language'] }),
    async ask => {
      const of = async (language: string) =>
        (await ask('/language', { headers: { 'accept-language': language } })).text()
      const [german, english] = [await of('de'), await of('en')]
      assert.notEqual(german, english)
      assert.deepEqual([await of('de'), await of('en')], [german, english])
    },
  )

  onEachSeam(
    'gives what it keeps as 304, for HEAD and in parts, and adds to an age that was there',
    () => make(),
    async ask => {
      const first = await ask('/plain')
      const body = await first.text()
      const etag = first.headers.get('etag')!
      assert.equal((await ask('/plain', { headers: { 'if-none-match': etag } })).status, 304)
      const head = await ask('/plain', { method: 'HEAD' })
      assert.equal(head.headers.get('content-length'), String(body.length))
      const part = await ask('/plain', { headers: { range: 'bytes=1-3' } })
      assert.deepEqual([part.status, await part.text()], [206, 'run'])
      await ask('/old')
      assert.equal((await ask('/old')).headers.get('age'), '30')
    },
  )

  onEachSeam(
    'lets through whole what is longer than it keeps',
    () => make({ ttl: '1m', maxBodyBytes: 10_000, xCache: true }),
    async ask => {
      for (let n = 0; n < 2; n++) {
        const answer = await ask('/long')
        assert.equal((await answer.text()).length, 65_536)
        assert.equal(answer.headers.get('x-cache'), null)
      }
    },
  )

  onEachSeam(
    'runs what is inside once for those who ask at the same time',
    () => make(),
    async ask => {
      const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await ask('/slow')).text()))
      assert.equal(new Set(bodies).size, 1)
    },
  )

  onEachSeam(
    'obeys the Cache-Control of requests only if told to',
    () => make({ ttl: '1m', obeysRequests: true }),
    async ask => {
      const of = async (headers: Record<string, string> = {}) => (await ask('/plain', { headers })).text()
      assert.equal((await ask('/plain', { headers: { 'cache-control': 'only-if-cached' } })).status, 504)
      const kept = await of()
      assert.equal(await of({ 'cache-control': 'only-if-cached' }), kept)
      for (const headers of [
        { 'cache-control': 'no-cache' },
        { 'cache-control': 'no-store' },
        { 'cache-control': 'max-age=0' },
        { pragma: 'no-cache' },
      ])
        assert.notEqual(await of(headers), kept, JSON.stringify(headers))
      assert.equal(await of({ 'cache-control': 'max-age=60' }), kept)
    },
  )

  test('sends an older answer while one request fetches a new one, and where that fails', async () => {
    let runs = 0
    let isDown = false
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const app = new App({
      log: silent,
      use: [responseCache({ ttl: 1, staleFor: '1m', staleIfError: '1m', xCache: true })],
    })
    app.get('/a', async () => {
      if (++runs === 2) await gate
      if (isDown) throw new Error('down')
      return `run ${runs}`
    })
    const client = testClient(app)
    const ask = async () => {
      const answer = await client.fetch('/a')
      return [answer.status, answer.headers.get('x-cache'), await answer.text()]
    }
    const past = () => new Promise(resolve => setTimeout(resolve, 5))
    assert.deepEqual(await ask(), [200, 'MISS', '"run 1"'])
    await past()
    const second = ask()
    while (runs < 2) await past()
    assert.deepEqual(await ask(), [200, 'STALE', '"run 1"'])
    open()
    assert.deepEqual(await second, [200, 'MISS', '"run 2"'])
    await past()
    isDown = true
    assert.deepEqual(await ask(), [200, 'STALE', '"run 2"'])
    assert.equal(runs, 3)
    // Its source has just failed: it is left alone for a second.
    assert.deepEqual(await ask(), [200, 'STALE', '"run 2"'])
    assert.equal(runs, 3)
    await client.close()
  })

  test('tells a failure to who asked where there is nothing older', async () => {
    const app = new App({ log: silent, use: [responseCache({ ttl: '1m' })] })
    app.get('/a', () => fail(503, 'closed'))
    const client = testClient(app)
    for (let n = 0; n < 2; n++) {
      const answer = await client.fetch('/a')
      assert.deepEqual([answer.status, ((await answer.json()) as { detail: string }).detail], [503, 'closed'])
    }
    await client.close()
  })

  test('is invalidated by its tags, and compressed once for each coding inside compress()', async () => {
    const bodies: unknown[] = []
    const app = new App({ log: silent })
    app.use(
      async (_context, next) => {
        bodies.push((await next()).body)
      },
      compress(),
      responseCache({ ttl: '1m', tags: context => [`path:${context.path}`] }),
    )
    app.get('/page', () => 'x'.repeat(5_000))
    const client = testClient(app)
    const ask = () => client.fetch('/page', { headers: { 'accept-encoding': 'gzip' } })
    for (let n = 0; n < 3; n++) assert.equal((await ask()).headers.get('content-encoding'), 'gzip')
    assert.equal(bodies[1], bodies[2])
    await cache.invalidate('path:/page')
    await ask()
    assert.notEqual(bodies[3], bodies[2])
    await client.close()
  })
})
