import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { App, cache, fail, type Middleware, stream } from 'millrace'
import { compress, responseCache, type ResponseCacheOptions } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import * as z from 'zod'
import { MemoryHub } from '../../../src/cache/memory-tier.ts'
import { provideSecondTier } from '../../../src/cache/second-tier.ts'
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

/** Counts requests as they come in, and tells when so many wait for what is behind it. */
function arrivals() {
  let arrived = 0
  const waiting: { readonly at: number; readonly go: () => void }[] = []
  const count: Middleware = (_context, next) => {
    arrived++
    const answer = next()
    for (const { at, go } of waiting) if (arrived >= at) setImmediate(go)
    return answer
  }
  const reached = (at: number) =>
    new Promise<void>(go => {
      if (arrived >= at) setImmediate(go)
      else waiting.push({ at, go })
    })
  return { count, reached }
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
      const beyond = ask('/slow', { headers: { range: 'bytes=100-' } })
      const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await ask('/slow')).text()))
      assert.equal(new Set(bodies).size, 1)
      assert.equal((await beyond).status, 416)
      const [first, second] = await Promise.all([
        ask('/slow?again'),
        ask('/slow?again', { headers: { range: 'bytes=100-' } }),
      ])
      assert.deepEqual([first.status, second.status], [200, 416])
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

  onEachSeam(
    'forgets what it keeps of an address when something is changed there, and not when that is refused',
    () => {
      const app = new App({ log: silent, use: [responseCache({ ttl: '1m', vary: ['accept-language'] })] })
      let runs = 0
      app.get('/a', () => `run ${++runs}`)
      const query = z.object({ refuses: z.string().optional() })
      const change = (of: { query: { refuses?: string | undefined } }) =>
        of.query.refuses === undefined ? { done: true } : fail(409)
      app.post('/a', { query }, change)
      app.put('/a', { query }, change)
      app.patch('/a', { query }, change)
      app.delete('/a', { query }, change)
      return app
    },
    async ask => {
      const of = async (path: `/${string}`, language: string) =>
        (await ask(path, { headers: { 'accept-language': language } })).text()
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const before = [await of('/a', 'de'), await of('/a', 'en'), await of('/a?b', 'en')]
        assert.equal((await ask('/a?refuses=1', { method })).status, 409)
        assert.equal(await of('/a', 'de'), before[0], method)
        assert.equal((await ask('/a', { method, headers: { authorization: 'Bearer x' } })).status, 200)
        assert.notEqual(await of('/a', 'de'), before[0], method)
        assert.notEqual(await of('/a', 'en'), before[1], method)
        assert.equal(await of('/a?b', 'en'), before[2], method)
      }
    },
  )

  test('keeps what a listener of node:http answers, and passes its trailers on', async () => {
    let runs = 0
    const listeners: ((request: http.IncomingMessage, response: http.ServerResponse) => void)[] = [
      (_request, response) => response.end(`run ${++runs}`),
      (_request, response) => {
        response.write('run ')
        response.end(String(++runs))
      },
    ]
    for (const node of listeners) {
      const app = new App({ log: silent })
      app.mount('/m', { node }, { use: [responseCache({ ttl: '1m' })] })
      const client = testClient(app)
      const [first, second] = await ask2((path, init) => client.fetch(path, init), '/m/a')
      assert.equal(first, second)
      await client.close()
    }
    const app = new App({ log: silent })
    const trailing = (_request: http.IncomingMessage, response: http.ServerResponse) => {
      response.writeHead(200, { trailer: 'x-sum' })
      response.addTrailers({ 'x-sum': String(++runs) })
      response.end('summed')
    }
    app.mount('/m', { node: trailing }, { use: [responseCache({ ttl: '1m' })] })
    const server = createServer(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sums = new Set<unknown>()
    for (let n = 0; n < 2; n++) {
      const request = http.get({ host: '127.0.0.1', port, path: '/m/a', agent: false, headers: { te: 'trailers' } })
      const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
      assert.equal((await answer.setEncoding('utf8').toArray()).join(''), 'summed')
      sums.add(answer.trailers['x-sum'])
    }
    assert.equal(sums.size, 2)
    assert.ok(!sums.has(undefined))
    server.close()
    await app.close()
  })

  test('keeps nothing of a GET with a body, which a handler may answer by', async () => {
    const app = new App({ log: silent, use: [responseCache({ ttl: '1m' })] })
    app.mount('/search', { node: (request, response) => void request.pipe(response) })
    const server = createServer(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const ask = async (body: string) => {
      const headers = { 'content-length': Buffer.byteLength(body) }
      const request = http.request({
        host: '127.0.0.1',
        port,
        path: '/search/all',
        method: 'GET',
        headers,
        agent: false,
      })
      request.end(body)
      const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
      return (await answer.setEncoding('utf8').toArray()).join('')
    }
    assert.deepEqual([await ask('one'), await ask('other')], ['one', 'other'])
    server.close()
    await app.close()
  })

  test('tells http from https: what sends from one to the other is no answer to both', async () => {
    const app = new App({ log: silent })
    app.use(responseCache({ ttl: '1m' }))
    app.mount('/m', ({ url }: Request) =>
      url.startsWith('https:')
        ? new Response('safe')
        : new Response(null, { status: 301, headers: { location: 'https://a/m/x', 'cache-control': 'max-age=60' } }),
    )
    const of = async (scheme: string) => (await app.fetch(new Request(`${scheme}://a/m/x`))).status
    assert.deepEqual([await of('http'), await of('https'), await of('http'), await of('https')], [301, 200, 301, 200])
    await app.close()
  })

  test('says Age and HIT of what another worker has loaded', async t => {
    const hub = new MemoryHub()
    provideSecondTier(hub.join())
    t.after(() => provideSecondTier(undefined))
    const options = { name: 'shared', ttl: '1m', xCache: true } as const
    const [one, other] = [testClient(make(options)), testClient(make(options))]
    const told = async (client: typeof one) => {
      const { headers } = await client.fetch('/old')
      return [headers.get('x-cache'), headers.get('age')]
    }
    assert.deepEqual(await told(one), ['MISS', null])
    assert.deepEqual(await told(other), ['HIT', '30'])
    await Promise.all([one.close(), other.close()])
  })

  test('lets through what takes long to end, as it comes; nobody waits for its end', async () => {
    let runs = 0
    const app = new App({ log: silent })
    app.use(responseCache({ ttl: '1m' }))
    const ends: (() => void)[] = []
    app.get('/slow', () =>
      stream(
        (async function* () {
          yield `run ${++runs}: `
          await new Promise<void>(resolve => ends.push(resolve))
          yield 'over'
        })(),
      ),
    )
    const client = testClient(app)
    const ask = async () => {
      const reader = (await client.fetch('/slow')).body!.getReader()
      const first = Buffer.from((await reader.read()).value!).toString()
      return { first, rest: async () => Buffer.from((await reader.read()).value!).toString() }
    }
    const [first, second] = await Promise.all([ask(), ask()])
    assert.deepEqual(new Set([first.first, second.first]), new Set(['run 1: ', 'run 2: ']))
    for (const end of ends) end()
    assert.deepEqual([await first.rest(), await second.rest()], ['over', 'over'])
    await client.close()
  })

  test('lets those who ask at once for what is not kept wait for one another once, and then no more', async () => {
    let runs = 0
    let isPublic = false
    const app = new App({ log: silent })
    app.use(responseCache({ ttl: '1m' }))
    const { promise: allAreIn, resolve } = Promise.withResolvers<void>()
    app.get('/mine', async ({ reply }) => {
      if (++runs === 6) resolve()
      if (isPublic) return `run ${runs}`
      if (runs > 1) await allAreIn
      return reply(200, 'mine', { headers: { 'cache-control': 'private' } })
    })
    const client = testClient(app)
    const askAtOnce = () => Promise.all(Array.from({ length: 5 }, async () => (await client.fetch('/mine')).text()))
    await client.fetch('/mine')
    await askAtOnce()
    assert.equal(runs, 6)
    // As soon as it may be kept, it is.
    isPublic = true
    await client.fetch('/mine')
    assert.deepEqual(new Set([...(await askAtOnce()), ...(await askAtOnce())]), new Set(['"run 8"']))
    await client.close()
  })

  test('sends no older answer any more once it has seen that there is nothing', async () => {
    let isThere = true
    const app = new App({ log: silent, use: [responseCache({ ttl: 1, staleFor: '1h', staleIfError: '1h' })] })
    app.get('/a', () => (isThere ? 'there' : fail(404)))
    const client = testClient(app)
    assert.equal((await client.fetch('/a')).status, 200)
    await new Promise(resolve => setTimeout(resolve, 5))
    isThere = false
    for (let n = 0; n < 3; n++) assert.equal((await client.fetch('/a')).status, 404)
    await client.close()
  })

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

  test('asks a failing source once for all who ask at the same time', async () => {
    let runs = 0
    const app = new App({ log: silent })
    const coming = arrivals()
    app.use(coming.count, responseCache({ ttl: '1m' }))
    app.get('/down', async () => {
      runs++
      await coming.reached(20)
      fail(503, 'down')
    })
    app.get('/mine', async ({ reply }) => {
      await coming.reached(40)
      return reply(503, `mine ${++runs}`, { headers: { 'set-cookie': 'a=b' } })
    })
    const client = testClient(app)
    const askAtOnce = (path: `/${string}`) =>
      Promise.all(
        Array.from({ length: 20 }, async () => {
          const answer = await client.fetch(path)
          return `${answer.status} ${await answer.text()}`
        }),
      )
    const told = await askAtOnce('/down')
    assert.deepEqual([runs, new Set(told).size], [1, 1])
    assert.match(told[0]!, /^503 .*down/)
    // One that is for one client alone is not told to others.
    assert.equal(new Set(await askAtOnce('/mine')).size, 20)
    await client.close()
  })

  test('has another of those who wait ask when the client that has asked for them all leaves', async () => {
    let runs = 0
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const app = new App({ log: silent })
    const coming = arrivals()
    app.use(coming.count, responseCache({ ttl: '1m' }))
    app.get('/a', async ({ signal }) => {
      const run = ++runs
      await (run === 1
        ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        : gate)
      return `run ${run}`
    })
    const client = testClient(app)
    const leaving = new AbortController()
    const first = client.fetch('/a', { signal: leaving.signal })
    while (runs === 0) await new Promise(resolve => setImmediate(resolve))
    const others = Array.from({ length: 20 }, async () => (await client.fetch('/a')).text())
    await coming.reached(21)
    leaving.abort()
    await assert.rejects(first)
    while (runs === 1) await new Promise(resolve => setImmediate(resolve))
    open()
    assert.deepEqual(new Set(await Promise.all(others)), new Set(['"run 2"']))
    assert.equal(runs, 2)
    assert.equal(await (await client.fetch('/a')).text(), '"run 2"')
    await client.close()
  })

  test('asks a failing source once for all workers, and for those that stay when the client of another leaves', async t => {
    const hub = new MemoryHub()
    provideSecondTier(hub.join())
    t.after(() => provideSecondTier(undefined))
    const coming = arrivals()
    let runs = 0
    const worker = () => {
      const app = new App({ log: silent })
      app.use(coming.count, responseCache({ name: 'of all', ttl: '1m' }))
      app.get('/down', async () => {
        runs++
        await coming.reached(20)
        fail(500, 'down')
      })
      app.get('/left', async ({ signal }) => {
        if (++runs > 1) return 'here'
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      })
      return testClient(app)
    }
    const [one, other] = [worker(), worker()]
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).fetch('/down')))
    assert.equal(runs, 1)
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([500, 503]))
    for (const answer of answers) if (answer.status === 503) assert.equal(answer.headers.get('retry-after'), '1')
    runs = 0
    const leaving = new AbortController()
    const first = one.fetch('/left', { signal: leaving.signal })
    while (runs === 0) await new Promise(resolve => setImmediate(resolve))
    const others = Array.from({ length: 10 }, async () => (await other.fetch('/left')).text())
    await coming.reached(31)
    leaving.abort()
    await assert.rejects(first)
    assert.deepEqual(new Set(await Promise.all(others)), new Set(['"here"']))
    assert.equal(runs, 2)
    await Promise.all([one.close(), other.close()])
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
