import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, fail, UsageError } from 'millrace'
import { cors, type CorsOptions } from 'millrace/middleware'

const SHOP = 'https://shop.example'

function appWith(options?: CorsOptions): { app: App; calls: () => number } {
  let calls = 0
  const app = new App({ use: [cors(options)] })
  app.get('/a', () => ++calls)
  app.options('/own', ({ reply }) => reply(200, ++calls))
  app.get('/broken', () => {
    throw new Error('broken on purpose')
  })
  app.get('/refused', () => fail(403, 'no'))
  return { app, calls: () => calls }
}

function ask(app: App, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return app.fetch(new Request(`http://api.test${path}`, { method, headers }))
}

function preflight(app: App, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return ask(app, path, { origin: SHOP, 'access-control-request-method': 'GET', ...headers }, 'OPTIONS')
}

describe('CORS of an answer', () => {
  test("is '*' for everybody by default, and does not vary", async () => {
    const { app } = appWith()
    for (const headers of [{}, { origin: SHOP }] as Record<string, string>[]) {
      const answer = await ask(app, '/a', headers)
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      assert.equal(answer.headers.get('vary'), null)
      assert.equal(answer.headers.get('access-control-allow-credentials'), null)
    }
  })

  test('names a listed origin, says nothing to others, and always varies by origin', async () => {
    const { app } = appWith({ origins: [SHOP, 'http://localhost:3000'], credentials: true, exposeHeaders: ['x-total'] })
    const allowed = await ask(app, '/a', { origin: SHOP })
    assert.equal(allowed.headers.get('access-control-allow-origin'), SHOP)
    assert.equal(allowed.headers.get('access-control-allow-credentials'), 'true')
    assert.equal(allowed.headers.get('access-control-expose-headers'), 'x-total')
    assert.equal(allowed.headers.get('vary'), 'Origin')
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }] as Record<string, string>[]) {
      const other = await ask(app, '/a', headers)
      assert.equal(other.status, 200)
      assert.equal(other.headers.get('access-control-allow-origin'), null)
      assert.equal(other.headers.get('access-control-allow-credentials'), null)
      assert.equal(other.headers.get('vary'), 'Origin')
    }
  })

  test('matches a pattern against the whole origin, flags of position notwithstanding', async () => {
    const { app } = appWith({ origins: /https:\/\/[a-z]+\.shop\.example/g })
    for (let n = 0; n < 2; n++) {
      const inside = await ask(app, '/a', { origin: 'https://x.shop.example' })
      assert.equal(inside.headers.get('access-control-allow-origin'), 'https://x.shop.example')
    }
    for (const origin of ['https://x.shop.example.evil.test', 'https://evil.test?https://x.shop.example'])
      assert.equal((await ask(app, '/a', { origin })).headers.get('access-control-allow-origin'), null)
  })

  test('asks a function', async () => {
    const { app } = appWith({ origins: origin => origin.endsWith('.example') })
    assert.equal((await ask(app, '/a', { origin: SHOP })).headers.get('access-control-allow-origin'), SHOP)
    assert.equal((await ask(app, '/a', { origin: 'https://a.test' })).headers.get('access-control-allow-origin'), null)
  })

  test('is on errors and on paths that no route takes, so that a page can read them', async () => {
    const { app } = appWith()
    for (const [path, status] of [
      ['/refused', 403],
      ['/nowhere', 404],
    ] as const) {
      const answer = await ask(app, path, { origin: SHOP })
      assert.equal(answer.status, status)
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    }
  })
})

describe('a CORS preflight', () => {
  test('is answered with 204 and reaches no route, not even one for OPTIONS or one that is not there', async () => {
    const { app, calls } = appWith({ methods: ['GET', 'DELETE'], headers: ['X-Trace'], maxAge: '1h' })
    for (const path of ['/a', '/own', '/nowhere']) {
      const answer = await preflight(app, path, {
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'x-trace, Content-Type',
      })
      assert.equal(answer.status, 204, path)
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      assert.equal(answer.headers.get('access-control-allow-methods'), 'GET, DELETE')
      assert.match(answer.headers.get('access-control-allow-headers')!, /\bx-trace\b/)
      assert.equal(answer.headers.get('access-control-max-age'), '3600')
      assert.equal(await answer.text(), '')
    }
    assert.equal(calls(), 0)
  })

  test('is no preflight without an origin or without a method to ask for', async () => {
    const { app, calls } = appWith()
    await ask(app, '/own', { origin: SHOP }, 'OPTIONS')
    await ask(app, '/own', { 'access-control-request-method': 'GET' }, 'OPTIONS')
    assert.equal(calls(), 2)
  })

  test('is refused with 400, saying everything that is not allowed', async () => {
    const { app } = appWith({ origins: ['https://other.example'] })
    const answer = await preflight(app, '/a', {
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-nope',
      'access-control-request-private-network': 'true',
    })
    assert.equal(answer.status, 400)
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
    const problem = (await answer.json()) as { detail: string }
    assert.equal(problem.detail, 'Disallowed CORS origin, method, headers, private-network')
  })

  test('that is refused carries the fields that let the page read why', async () => {
    const { app } = appWith({ origins: [SHOP], credentials: true })
    const refused = await preflight(app, '/a', { 'access-control-request-method': 'DELETE' })
    assert.equal(refused.status, 400)
    assert.equal(refused.headers.get('access-control-allow-origin'), SHOP)
    assert.equal(refused.headers.get('access-control-allow-credentials'), 'true')
    assert.equal(refused.headers.get('vary'), 'Origin')
    const stranger = await preflight(app, '/a', { origin: 'https://evil.example' })
    assert.equal(stranger.headers.get('access-control-allow-origin'), null)
    assert.equal(stranger.headers.get('vary'), 'Origin')
  })

  test('mirrors the headers asked for where all are allowed, and names every method', async () => {
    const { app } = appWith({ headers: '*', methods: '*', privateNetwork: true })
    const answer = await preflight(app, '/a', {
      'access-control-request-headers': 'X-One, x-two',
      'access-control-request-private-network': 'true',
    })
    assert.equal(answer.headers.get('access-control-allow-headers'), 'x-one, x-two')
    assert.match(answer.headers.get('access-control-allow-methods')!, /PATCH/)
    assert.equal(answer.headers.get('access-control-allow-private-network'), 'true')
    assert.match(answer.headers.get('vary')!, /Access-Control-Request-Headers/)
  })
})

describe('cors() itself', () => {
  test("refuses credentials with '*': any site could act as the visitor", () => {
    for (const options of [
      { credentials: true },
      { credentials: true, origins: '*' },
      { credentials: true, origins: [SHOP], exposeHeaders: ['*'] },
    ] as CorsOptions[])
      assert.throws(() => cors(options), { code: 'CORS_BAD_OPTIONS' })
  })

  test('refuses origins that no browser sends', () => {
    for (const origin of [
      'https://shop.example/',
      'shop.example',
      'https://*.shop.example',
      'HTTPS://shop.example',
      '*',
    ])
      assert.throws(
        () => cors({ origins: [origin] }),
        (error: Error) => error instanceof UsageError && error.message.includes(origin),
        origin,
      )
    cors({ origins: ['null', SHOP] })
  })
})
