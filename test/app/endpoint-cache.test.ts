import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { inspect } from 'node:util'
import * as z from 'zod'
import { App, cache, dependency, fail } from 'millrace'
import { compress } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import { MemoryHub } from '../../src/cache/memory-tier.ts'
import { provideSecondTier } from '../../src/cache/second-tier.ts'
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

  onEachSeam(
    'errors are told to all who waited and never kept',
    () => {
      let arrived = 0
      let runs = 0
      const { promise: both, resolve } = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      app.use((_context, next) => {
        if (++arrived === 2) setImmediate(resolve)
        return next()
      })
      app.get('/', { cache: { ttl: '1m' } }, async () => {
        runs++
        await both
        return fail(404, String(runs))
      })
      return app
    },
    async ask => {
      const told = async () => {
        const answer = await ask('/')
        return [answer.status, ((await answer.json()) as { detail: string }).detail]
      }
      const both = [404, '1']
      assert.deepEqual(await Promise.all([told(), told()]), [both, both])
      assert.deepEqual(await told(), [404, '2'])
    },
  )

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

  onEachSeam(
    'a path that holds an escaped question mark is not taken for a path with a query',
    () => {
      const app = new App({ log: silent })
      app.get('/find/{what}', { query: z.object({ x: z.string().default('-') }), cache: { ttl: '1m' } }, of => ({
        what: of.params.what,
        x: of.query.x,
      }))
      return app
    },
    async ask => {
      assert.deepEqual(await (await ask('/find/a%3Fx=1')).json(), { what: 'a?x=1', x: '-' })
      assert.deepEqual(await (await ask('/find/a?x=1')).json(), { what: 'a', x: '1' })
    },
  )

  onEachSeam(
    'those who wait for one load do not share an answer that is personal',
    () => {
      let runs = 0
      const app = new App({ log: silent })
      const next = () => new Promise(resolve => setImmediate(resolve))
      app.get('/cookie', { cache: { ttl: '1m' } }, async ({ reply }) => {
        await next()
        return reply(200, ++runs, { cookies: { session: String(runs) } })
      })
      app.get('/private', { cache: { ttl: '1m' } }, async ({ reply }) => {
        await next()
        return reply(200, ++runs, { headers: { 'cache-control': 'private' } })
      })
      return app
    },
    async ask => {
      for (const path of ['/cookie', '/private'] as const) {
        const answers = await Promise.all([ask(path), ask(path), ask(path)])
        const bodies = await Promise.all(answers.map(answer => answer.text()))
        assert.equal(new Set(bodies).size, 3, path)
      }
    },
  )

  onEachSeam(
    'an answer that differs by something undeclared (Vary) is not kept',
    () => {
      let runs = 0
      const app = new App({ log: silent })
      app.get('/lang', { cache: { ttl: '1m' } }, ({ reply }) =>
        reply(200, ++runs, { headers: { vary: 'Accept-Language' } }),
      )
      app.get('/any', { headers: z.object({ 'x-a': z.string().optional() }), cache: { ttl: '1m' } }, ({ reply }) =>
        reply(200, ++runs, { headers: { vary: '*' } }),
      )
      app.get(
        '/declared',
        { headers: z.object({ 'accept-language': z.string().optional() }), cache: { ttl: '1m' } },
        ({ reply }) => reply(200, ++runs, { headers: { vary: 'Accept-Language' } }),
      )
      return app
    },
    async ask => {
      for (const expected of [1, 2]) assert.equal(await (await ask('/lang')).json(), expected)
      for (const expected of [3, 4]) assert.equal(await (await ask('/any')).json(), expected)
      for (const expected of [5, 5]) assert.equal(await (await ask('/declared')).json(), expected)
      assert.equal(await (await ask('/declared', { headers: { 'accept-language': 'de' } })).json(), 6)
    },
  )

  onEachSeam(
    'a part of a resource is not kept as the whole',
    () => {
      let runs = 0
      const app = new App({ log: silent })
      app.get('/part', { cache: { ttl: '1m' } }, ({ reply }) => reply(206, ++runs))
      return app
    },
    async ask => {
      for (const expected of [1, 2]) assert.equal(await (await ask('/part')).json(), expected)
    },
  )

  onEachSeam(
    'an input that cannot be told from another by its fields is a mistake, never the other’s answer',
    () => {
      class Money {
        readonly #cents: number
        constructor(cents: number) {
          this.#cents = cents
        }
        get cents() {
          return this.#cents
        }
      }
      const app = new App({ log: silent })
      const price = z.codec(z.string(), z.instanceof(Money), {
        decode: text => new Money(Number(text)),
        encode: money => String(money.cents),
      })
      app.get('/priced', { query: z.object({ price }), cache: { ttl: '1m' } }, ({ query }) => query.price.cents)
      return app
    },
    async ask => {
      for (const cents of [100, 250]) assert.equal((await ask(`/priced?price=${cents}`)).status, 500)
    },
  )

  onEachSeam(
    'inputs that JSON writes alike have answers of their own',
    () => {
      const decoded: Readonly<Record<string, unknown>> = {
        nothing: null,
        infinity: Infinity,
        nan: NaN,
        big: 7n,
        text: '7n',
        number: 7,
        digit: '7',
        set: new Set([7]),
        map: new Map([[7, 7]]),
        object: { set: [7] },
      }
      const app = new App({ log: silent })
      const query = z.object({ as: z.string().transform(name => decoded[name]) })
      app.get('/in', { query, cache: { ttl: '1m' } }, ({ query }) => inspect(query.as))
      return app
    },
    async ask => {
      const names = ['nothing', 'infinity', 'nan', 'big', 'text', 'number', 'digit', 'set', 'map', 'object']
      const told = new Set<string>()
      for (const name of names) told.add(await (await ask(`/in?as=${name}`)).text())
      assert.equal(told.size, names.length)
    },
  )

  const page = (body: string) => {
    let runs = 0
    const app = new App({ log: silent })
    app.get('/page', { cache: { ttl: '1m', xCache: true } }, ({ reply }) => reply(200, { body, runs: ++runs }))
    return app
  }

  onEachSeam(
    'a client that has a kept answer gets 304, by the tag that it was given',
    () => page('x'),
    async ask => {
      const first = await ask('/page')
      const etag = first.headers.get('etag')!
      assert.match(etag, /^"[\w-]{27}"$/)
      for (const asked of [etag, `"other", W/${etag}`, '*']) {
        const again = await ask('/page', { headers: { 'if-none-match': asked } })
        assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, ''])
        assert.equal(again.headers.get('content-type'), null)
      }
      const other = await ask('/page', { headers: { 'if-none-match': '"other"' } })
      assert.deepEqual([other.status, await other.text()], [200, '{"body":"x","runs":1}'])
      assert.equal((await ask('/page', { headers: { 'if-match': '"other"' } })).status, 412)
    },
  )

  onEachSeam(
    'HEAD and parts of an answer come from the kept one',
    () => page('x'),
    async ask => {
      await ask('/page')
      const head = await ask('/page', { method: 'HEAD' })
      assert.deepEqual([head.headers.get('content-length'), await head.text()], ['21', ''])
      const part = await ask('/page', { headers: { range: 'bytes=2-5' } })
      assert.deepEqual([part.status, await part.text()], [206, 'body'])
      assert.equal(part.headers.get('content-range'), 'bytes 2-5/21')
      const last = await ask('/page', { headers: { range: 'bytes=-2' } })
      assert.equal(await last.text(), '1}')
      const beyond = await ask('/page', { headers: { range: 'bytes=21-' } })
      assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */21'])
      const outdated = await ask('/page', { headers: { range: 'bytes=2-5', 'if-range': '"other"' } })
      assert.deepEqual([outdated.status, await outdated.text()], [200, '{"body":"x","runs":1}'])
    },
  )

  onEachSeam(
    'X-Cache says where an answer is from, if asked to',
    () => page('x'),
    async ask => {
      const told: unknown[] = []
      for (let n = 0; n < 3; n++) told.push((await ask('/page')).headers.get('x-cache'))
      assert.deepEqual(told, ['MISS', 'HIT', 'HIT'])
    },
  )

  test('X-Cache says of an answer past its ttl that it is stale', async () => {
    let runs = 0
    const app = new App({ log: silent })
    app.get('/a', { cache: { ttl: 1, staleFor: '1m', xCache: true } }, () => ++runs)
    const client = testClient(app)
    await client.fetch('/a')
    await new Promise(resolve => setTimeout(resolve, 5))
    const stale = await client.fetch('/a')
    assert.deepEqual([stale.headers.get('x-cache'), await stale.json()], ['STALE', 1])
    await client.close()
  })

  for (const how of ['thrown', 'returned'] as const)
    test(`an older answer is given where the new one is a 5xx, ${how}, and not where it is a 404`, async () => {
      let status: 200 | 404 | 503 = 200
      const app = new App({ log: silent })
      app.get('/a', { cache: { ttl: 1, staleIfError: '1m', xCache: true } }, ({ reply }) =>
        status !== 200 && how === 'thrown' ? fail(status) : reply(status, { status }),
      )
      const client = testClient(app)
      const ask = async () => {
        const answer = await client.fetch('/a')
        return [answer.status, answer.headers.get('x-cache')]
      }
      const past = () => new Promise(resolve => setTimeout(resolve, 5))
      assert.deepEqual(await ask(), [200, 'MISS'])
      await past()
      status = 503
      assert.deepEqual(await ask(), [200, 'STALE'])
      await new Promise(resolve => setTimeout(resolve, 1_050)) // its source is left alone for a second
      status = 404
      assert.equal((await ask())[0], 404)
      status = 503
      assert.equal((await ask())[0], 503)
      await client.close()
    })

  test('X-Cache says HIT, and not MISS, of what somebody else has loaded', async t => {
    const hub = new MemoryHub()
    provideSecondTier(hub.join())
    t.after(() => provideSecondTier(undefined))
    const [one, other] = [testClient(page('x')), testClient(page('x'))]
    assert.equal((await one.fetch('/page')).headers.get('x-cache'), 'MISS')
    assert.equal((await other.fetch('/page')).headers.get('x-cache'), 'HIT')
    await Promise.all([one.close(), other.close()])
  })

  onEachSeam(
    'that there is nothing is kept where the policy says so, however the handler says it',
    () => {
      let runs = 0
      const app = new App({ log: silent })
      app.get('/thrown', { cache: { ttl: '1h', negativeTtl: '1m' } }, () => fail(404, `run ${++runs}`))
      app.get('/said', { cache: { ttl: '1h', negativeTtl: '1m' } }, ({ reply }) => reply(410, { runs: ++runs }))
      app.get('/unkept', { cache: { ttl: '1h' } }, () => fail(404, `run ${++runs}`))
      app.get('/refused', { cache: { ttl: '1h', negativeTtl: '1m' } }, () => fail(409, `run ${++runs}`))
      return app
    },
    async ask => {
      const bodies = async (path: `/${string}`) => [await (await ask(path)).text(), await (await ask(path)).text()]
      for (const path of ['/thrown', '/said'] as const) {
        const [first, second] = await bodies(path)
        assert.equal(first, second, path)
        assert.match((await ask(path)).headers.get('content-type')!, path === '/thrown' ? /problem/ : /json/)
      }
      for (const path of ['/unkept', '/refused'] as const) {
        const [first, second] = await bodies(path)
        assert.notEqual(first, second, path)
      }
    },
  )

  test('what compress() makes of a kept answer is made once for each coding', async () => {
    const bodies: unknown[] = []
    const app = new App({ log: silent })
    app.use(async (_context, next) => {
      bodies.push((await next()).body)
    }, compress())
    app.get('/page', { cache: { ttl: '1m' } }, () => 'x'.repeat(5_000))
    const client = testClient(app)
    for (const coding of ['gzip', 'br', 'gzip', 'br', 'identity']) {
      const answer = await client.fetch('/page', { headers: { 'accept-encoding': coding } })
      assert.equal(answer.headers.get('vary'), 'Accept-Encoding')
      const etag = answer.headers.get('etag')!
      assert.equal(etag.startsWith('W/'), coding !== 'identity')
      const again = await client.fetch('/page', { headers: { 'accept-encoding': coding, 'if-none-match': etag } })
      assert.equal(again.status, 304)
      bodies.pop()
    }
    const [gzip, br, gzipAgain, brAgain] = bodies
    assert.ok(gzip instanceof Uint8Array && br instanceof Uint8Array && gzip !== br)
    assert.equal(gzip, gzipAgain)
    assert.equal(br, brAgain)
    await client.close()
  })

  test('a document says of cached routes that they answer with tags, and with 304', () => {
    const { paths } = page('x').openapi() as unknown as {
      paths: Record<
        string,
        { get: { responses: Record<string, { headers?: object }>; parameters: { name: string }[] } }
      >
    }
    const { responses, parameters } = paths['/page']!.get
    assert.ok('304' in responses)
    assert.ok('ETag' in responses['200']!.headers!)
    assert.deepEqual(
      parameters.map(({ name }) => name),
      ['If-None-Match'],
    )
  })

  test('what a handler defers runs though nobody waits for its answer any more', async () => {
    const { promise: ran, resolve: run } = Promise.withResolvers<void>()
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    let runs = 0
    const app = new App({ log: silent })
    app.get('/a', { cache: { ttl: 1, staleFor: '1m' } }, async ({ defer }) => {
      if (++runs === 2) {
        enter()
        await gate
        defer(run)
      }
      return runs
    })
    const client = testClient(app)
    assert.equal(await (await client.fetch('/a')).json(), 1)
    await new Promise(resolve => setTimeout(resolve, 5))
    assert.equal(await (await client.fetch('/a')).json(), 1) // stale, with a reload behind it
    await entered
    open()
    await ran
    await client.close()
  })

  test('is loaded anew before its end, behind an answer that is still fresh', async () => {
    let loads: Promise<void>[] = []
    const app = new App({ log: silent })
    app.get('/{id}', { params: z.object({ id: z.int() }), cache: { ttl: '1s', xCache: true } }, async () => {
      const slow = new Promise<void>(resolve => setTimeout(resolve, 100))
      loads.push(slow)
      await slow
      return {}
    })
    const client = testClient(app)
    // A machine that stands still for half a second reads nothing near the end of an answer's life; the next has the same chance.
    for (let id = 1; ; id++) {
      loads = []
      const how: (string | null)[] = []
      while (loads.length < 2) how.push((await client.fetch(`/${id}`)).headers.get('x-cache'))
      await loads[1]
      if (how.at(-1) === 'MISS' && id < 5) continue
      assert.deepEqual([how[0], new Set(how.slice(1))], ['MISS', new Set(['HIT'])])
      break
    }
    await client.close()
  })

  onEachSeam('an answer is sent again for as long as it is kept, and as each asks for it', counted, async ask => {
    const runs = async (init?: RequestInit) => (await ask('/things/8', init)).headers.get('x-run')
    for (let n = 0; n < 4; n++) assert.equal(await runs(), '1')
    const tag = (await ask('/things/8')).headers.get('etag')!
    assert.equal((await ask('/things/8', { headers: { 'if-none-match': tag } })).status, 304)
    assert.equal((await ask('/things/8', { headers: { range: 'bytes=0-3' } })).status, 206)
    const head = await ask('/things/8', { method: 'HEAD' })
    assert.deepEqual([head.headers.get('x-run'), await head.text()], ['1', ''])
    assert.equal(await (await ask('/things/8?utm=1')).text(), await (await ask('/things/8?utm=1')).text())
    await cache.invalidate('thing:8')
    for (let n = 0; n < 4; n++) assert.equal(await runs(), '2')
    // Who says who they are is answered for themselves.
    assert.equal(await runs({ headers: { authorization: 'Bearer a' } }), '3')
    assert.equal(await runs(), '2')
  })

  test('what is dropped leaves no bytes behind, though its request is remembered', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const app = new App({ log: silent })
    app.get('/{id}', { params: z.object({ id: z.int() }), cache: { ttl: '1m', tags: ['large'] } }, async ({ params }) =>
      new Uint8Array(2 ** 20).fill(params.id),
    )
    const client = testClient(app)
    const ask = async (id: number) => (await client.fetch(`/${id}`)).arrayBuffer()
    await ask(0)
    collect()
    const before = process.memoryUsage().arrayBuffers
    for (let id = 1; id <= 32; id++) for (let n = 0; n < 4; n++) await ask(id)
    await cache.invalidate('large')
    for (let n = 0, left = Infinity; left >= 8 * 2 ** 20; n++) {
      assert.ok(n < 100, `${left} bytes are left`)
      await new Promise(resolve => setImmediate(resolve))
      collect()
      left = process.memoryUsage().arrayBuffers - before
    }
    await client.close()
  })

  test('a reload that hangs is given up at the route’s timeout, and another tried', async () => {
    let runs = 0
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>()
    const app = new App({ log: silent })
    app.get('/a', { timeout: 100, cache: { ttl: 1, staleFor: '1h' } }, async ({ signal }) => {
      if (++runs === 1) return runs
      signal.addEventListener('abort', () => abort())
      return new Promise<number>(() => {})
    })
    const client = testClient(app)
    assert.equal(await (await client.fetch('/a')).json(), 1)
    await new Promise(resolve => setTimeout(resolve, 5))
    assert.equal(await (await client.fetch('/a')).json(), 1)
    // Nothing else of this process waits for the reload behind that answer.
    const awake = setInterval(() => {}, 1000)
    await aborted
    clearInterval(awake)
    await client.close()
  })

  test('a GET with a body is refused: its answers depend on more than the key', async () => {
    const app = new App({ log: silent })
    app.get('/a', { body: z.object({}), cache: { ttl: '1s' } }, () => 1)
    await assert.rejects(app.start(), { code: 'APP_CACHE', message: /body/ })
  })

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
