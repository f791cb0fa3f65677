import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, Router } from 'millrace'
import { json, onEachSeam, silent } from './support/seams.ts'

const make = () => {
  const app = new App({ log: silent })
  app.get('/', () => ({ message: 'hello' }))
  app.get('/items/{id}', ({ params }) => ({ id: params.id }))
  app.post('/items/{id}', ({ params }) => ({ posted: params.id }))
  app.get('/items/special', () => 'special')
  app.get('/files/{path*}', ({ params }) => params.path)
  app.get('/slashed/', () => 1)
  app.options('/own', ({ reply }) => reply(200, 'mine'))
  app.get('/own', () => 1)
  return app
}

describe('routing', () => {
  onEachSeam('a returned value goes out as JSON with its length and a date', make, async ask => {
    const answer = await ask('/')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.equal(answer.headers.get('content-length'), '19')
    assert.equal(await answer.text(), '{"message":"hello"}')
  })

  onEachSeam('text is found before a name, and path values are decoded', make, async ask => {
    assert.equal(await (await ask('/items/special')).text(), '"special"')
    assert.deepEqual(await (await ask('/items/a%20b')).json(), { id: 'a b' })
    assert.deepEqual(await (await ask('/items/caf%C3%A9')).json(), { id: 'café' })
    assert.equal(await (await ask('/files/a/b%20c/d.txt')).json(), 'a/b c/d.txt')
  })

  onEachSeam('HEAD answers for every GET, with its fields and without its body', make, async ask => {
    const answer = await ask('/', { method: 'HEAD' })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-length'), '19')
    assert.equal(await answer.text(), '')
  })

  onEachSeam(
    'HEAD finds the GET that would answer, whatever else is on the path',
    () => {
      const app = new App({ log: silent })
      app.post('/items/special', () => 1)
      app.get('/items/{id}', () => 'one')
      app.put('/shop/{id}', () => 1)
      app.get('/shop/{rest*}', () => 'rest')
      return app
    },
    async ask => {
      for (const path of ['/items/special', '/shop/7'] as const) {
        assert.equal((await ask(path)).status, 200)
        assert.equal((await ask(path, { method: 'HEAD' })).status, 200, path)
      }
    },
  )

  onEachSeam(
    'HEAD on a streamed answer declares no length that the GET would not have',
    () => {
      const app = new App({ log: silent })
      app.get('/unknown', () => new Response('hello'))
      app.get('/known', () => new Response('hello', { headers: { 'content-length': '5' } }))
      return app
    },
    async ask => {
      const unknown = await ask('/unknown', { method: 'HEAD' })
      assert.equal(unknown.headers.get('content-length'), null)
      assert.equal(await unknown.text(), '')
      const known = await ask('/known', { method: 'HEAD' })
      assert.equal(known.headers.get('content-length'), '5')
      assert.equal(await known.text(), '')
    },
  )

  onEachSeam('405 names the union of methods over all routes of the path', make, async ask => {
    const answer = await ask('/items/special', { method: 'DELETE' })
    assert.equal(answer.status, 405)
    assert.equal(answer.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  })

  onEachSeam('OPTIONS is answered with Allow, unless the app has its own', make, async ask => {
    const answer = await ask('/items/7', { method: 'OPTIONS' })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
    assert.equal(await (await ask('/own', { method: 'OPTIONS' })).json(), 'mine')
  })

  onEachSeam('an unknown path is a 404 problem', make, async ask => {
    const answer = await ask('/nope')
    assert.equal(answer.status, 404)
    assert.deepEqual(await answer.json(), {
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'Nothing is at /nope',
    })
  })

  onEachSeam('the other slash is a redirect that keeps method and query', make, async ask => {
    const there = await ask('/items/7/?a=1', { method: 'POST', redirect: 'manual' })
    assert.equal(there.status, 307)
    assert.equal(there.headers.get('location'), '/items/7?a=1')
    assert.equal((await ask('/slashed', { redirect: 'manual' })).headers.get('location'), '/slashed/')
  })

  onEachSeam(
    'the other slash is a 404 where an app wants no redirects',
    () => new App({ log: silent, redirectSlashes: false }).include(make()),
    async ask => {
      assert.equal((await ask('/items/7/', { redirect: 'manual' })).status, 404)
      assert.equal((await ask('/slashed', { redirect: 'manual' })).status, 404)
      assert.equal((await ask('/slashed/')).status, 200)
    },
  )

  onEachSeam('a path that begins with two slashes is never redirected: it would name another host', make, async ask => {
    for (const path of ['//items/7/', '//evil.example/', '/%5Cevil.example/'] as const) {
      const answer = await ask(path, { redirect: 'manual' })
      assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`)
      assert.equal(answer.headers.get('location'), null)
    }
  })

  onEachSeam('a malformed or smuggled path segment is a 400', make, async ask => {
    for (const path of ['/items/%zz', '/items/%00', '/items/a%2Fb', '/items/a%5Cb', '/items/%ff'] as const)
      assert.equal((await ask(path)).status, 400, path)
  })
})

describe('routers', () => {
  const make = () => {
    const inner = new Router({ prefix: '/inner/{a}', tags: ['inner'] })
    inner.get('/x/{b}', ({ params }) => params)
    const outer = new Router({ prefix: '/outer' })
    outer.include(inner)
    const app = new App({ log: silent }).include(outer).include(inner, { prefix: '/v2' })
    inner.get('/late', () => 'late')
    return app
  }
  onEachSeam('prefixes add up, a router can be included twice, late routes are seen', make, async ask => {
    assert.deepEqual(await (await ask('/outer/inner/1/x/2')).json(), { a: '1', b: '2' })
    assert.deepEqual(await (await ask('/v2/inner/1/x/2')).json(), { a: '1', b: '2' })
    assert.equal(await (await ask('/v2/inner/1/late')).json(), 'late')
    assert.equal((await ask('/inner/1/late')).status, 404)
  })

  onEachSeam(
    'a prefix can be an answer itself',
    () => {
      const router = new Router({ prefix: '/things' })
      router.get('', () => 'all')
      router.get('/{id}', ({ params }) => params.id)
      return new App({ log: silent }).include(router)
    },
    async ask => {
      assert.equal(await (await ask('/things')).json(), 'all')
      assert.equal(await (await ask('/things/1')).json(), '1')
      assert.equal((await ask('/things/', { redirect: 'manual' })).headers.get('location'), '/things')
    },
  )

  test('an endpoint is a value that another app can include, with its router’s prefix', async () => {
    const router = new Router({ prefix: '/r' })
    const endpoint = router.get('/x', () => 'here')
    assert.equal(endpoint.path, '/r/x')
    const app = new App({ log: silent }).include(endpoint, { prefix: '/p' })
    assert.equal(await (await app.fetch(new Request('http://a/p/r/x'))).json(), 'here')
  })

  test('what cannot be routed is refused while it is being declared', () => {
    const app = new App()
    const handler = () => 1
    assert.throws(() => app.get('/a/{id', handler), { code: 'APP_BAD_PATTERN', message: /whole segment/ })
    assert.throws(() => app.get('/a/{x*}/b', handler), { code: 'APP_BAD_PATTERN', message: /last/ })
    assert.throws(() => app.get('/a/{x}/{x}', handler), { code: 'APP_BAD_PATTERN', message: /twice/ })
    assert.throws(() => app.get('/a', {} as never, undefined as never), { code: 'APP_NO_HANDLER' })
    assert.throws(() => app.get('' as '/', handler), { code: 'APP_BAD_PATTERN' })
    assert.throws(() => new Router({ prefix: '/a/' }), { code: 'APP_BAD_PREFIX' })
    assert.throws(() => app.include({} as never), { code: 'APP_NOT_ROUTES' })
    const one = new Router()
    const two = new Router().include(one)
    assert.throws(() => one.include(two), { code: 'APP_INCLUDE_CYCLE' })
    assert.throws(() => one.include(one), { code: 'APP_INCLUDE_CYCLE' })
  })

  test('a circle of includes is refused, naming the way round', () => {
    const carts = new Router({ prefix: '/carts' })
    const lines = new Router({ prefix: '/lines' })
    const notes = new Router()
    carts.include(lines.include(notes))
    assert.throws(() => notes.include(carts), {
      code: 'APP_INCLUDE_CYCLE',
      message: /: a router without a prefix -> \/carts -> \/lines -> a router without a prefix$/,
    })
  })

  onEachSeam(
    'QUERY is declared by route(), and its body is the question',
    () => {
      const app = new App({ log: silent })
      const body = z.object({ q: z.string() })
      app.route({ method: 'QUERY', path: '/search', body, handler: ({ body }) => ({ asked: body.q }) })
      return app
    },
    async ask => {
      const answer = await ask('/search', json({ q: 'lamp' }, { method: 'QUERY' }))
      assert.deepEqual(await answer.json(), { asked: 'lamp' })
      assert.equal((await ask('/search')).headers.get('allow'), 'OPTIONS, QUERY')
    },
  )

  test('a method that the server does not take is refused while it is being declared', () => {
    const declare = (method: string) => () => new App().route({ method, path: '/a', handler: () => 1 } as never)
    assert.throws(declare('TRACE'), { code: 'APP_BAD_METHOD', message: /TRACE \/a: it is never answered/ })
    assert.throws(declare('get'), { code: 'APP_BAD_METHOD', message: /one of GET, POST/ })
  })

  test('the same route twice is refused at start-up, by name', async () => {
    const app = new App({ log: silent })
    app.get('/a/{x}', () => 1)
    app.get('/a/{y}', () => 2)
    await assert.rejects(app.start(), { code: 'APP_DUPLICATE_ROUTE', message: /GET \/a\/\{y\}/ })
  })
})
