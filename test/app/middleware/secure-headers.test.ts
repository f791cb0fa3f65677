import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, fail, Router } from 'millrace'
import { secureHeaders, type SecureHeadersOptions } from 'millrace/middleware'
import { silent } from '../support/seams.ts'

function appWith(options?: SecureHeadersOptions): App {
  const app = new App({ log: silent, use: [secureHeaders(options)] })
  app.get('/a', () => 1)
  app.get('/refused', () => fail(403))
  app.get('/page', ({ reply }) =>
    reply(200, 1, { headers: { 'content-security-policy': "default-src 'none'", 'x-frame-options': 'DENY' } }),
  )
  return app
}
async function headersOf(app: App, url = 'http://shop.example/a'): Promise<Record<string, string>> {
  const { headers } = await app.fetch(new Request(url))
  return Object.fromEntries([...headers].filter(([name]) => !/^(content-(type|length)|date)$/.test(name)))
}

const DEFAULTS = {
  'content-security-policy':
    "default-src 'self'; base-uri 'self'; font-src 'self' data:; form-action 'self'; frame-ancestors 'self'; " +
    "img-src 'self' data:; object-src 'none'; script-src-attr 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'SAMEORIGIN',
}

describe('secureHeaders()', () => {
  test('sends sane defaults, on errors and on what no route takes as well', async () => {
    for (const path of ['/a', '/a', '/refused', '/nowhere'])
      assert.deepEqual(await headersOf(appWith(), `http://shop.example${path}`), DEFAULTS)
  })

  test('sends HSTS over https alone', async () => {
    const app = appWith()
    for (let n = 0; n < 2; n++) {
      const headers = await headersOf(app, 'https://shop.example/a')
      assert.deepEqual(headers, { ...DEFAULTS, 'strict-transport-security': 'max-age=31536000' })
      assert.deepEqual(await headersOf(app), DEFAULTS)
    }
    const preloaded = appWith({ hsts: { maxAge: '730d', includeSubDomains: true, preload: true } })
    const sent = (await headersOf(preloaded, 'https://shop.example/a'))['strict-transport-security']
    assert.equal(sent, 'max-age=63072000; includeSubDomains; preload')
    const without = appWith({ hsts: false })
    assert.deepEqual(await headersOf(without, 'https://shop.example/a'), DEFAULTS)
  })

  test('leaves what an answer says itself', async () => {
    const headers = await headersOf(appWith(), 'http://shop.example/page')
    assert.equal(headers['content-security-policy'], "default-src 'none'")
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(headers['referrer-policy'], 'no-referrer')
  })

  test('takes directives beside and instead of the defaults, a whole policy, or none', async () => {
    const policy = async (options: SecureHeadersOptions) => {
      const headers = await headersOf(appWith(options))
      return headers['content-security-policy'] ?? headers['content-security-policy-report-only']
    }
    const directives = {
      'default-src': ["'none'"],
      'img-src': ["'self'", 'https://cdn.example'],
      'font-src': false,
      'upgrade-insecure-requests': [],
    } as const
    assert.equal(
      await policy({ contentSecurityPolicy: directives }),
      "default-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; img-src 'self' https://cdn.example; " +
        "object-src 'none'; script-src-attr 'none'; upgrade-insecure-requests",
    )
    assert.equal(await policy({ contentSecurityPolicy: "script-src 'self'", reportOnly: true }), "script-src 'self'")
    assert.equal(await policy({ contentSecurityPolicy: false }), undefined)
  })

  test('turns each off or to another value', async () => {
    const app = appWith({
      contentSecurityPolicy: false,
      frameOptions: false,
      referrerPolicy: 'strict-origin',
      openerPolicy: false,
      resourcePolicy: 'cross-origin',
      embedderPolicy: 'require-corp',
      permissionsPolicy: 'camera=()',
    })
    assert.deepEqual(await headersOf(app), {
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'cross-origin',
      'origin-agent-cluster': '?1',
      'permissions-policy': 'camera=()',
      'referrer-policy': 'strict-origin',
      'x-content-type-options': 'nosniff',
    })
  })

  test('around a router is for what is under its prefix, route or not', async () => {
    const app = new App({ log: silent })
    app.get('/a', () => 1)
    const router = new Router({ prefix: '/r', use: [secureHeaders()] })
    router.get('/a', () => 1)
    app.include(router)
    assert.deepEqual(await headersOf(app), {})
    assert.deepEqual(await headersOf(app, 'http://shop.example/r/a'), DEFAULTS)
    assert.deepEqual(await headersOf(app, 'http://shop.example/r/nowhere'), DEFAULTS)
  })

  test('refuses what would end a directive or a field, and a preload that no list takes', () => {
    for (const options of [
      { contentSecurityPolicy: { 'img-src': ["'self'; script-src *"] } },
      { contentSecurityPolicy: { 'img src': [] } },
      { referrerPolicy: 'a\r\nb' },
      { hsts: { preload: true } },
    ])
      assert.throws(() => secureHeaders(options), { code: 'SECURE_HEADERS_BAD_OPTIONS' })
  })
})
