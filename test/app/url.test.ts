import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, Router, urlFor } from 'millrace'
import { silent } from './support/seams.ts'

describe('a URL from a pattern', () => {
  test('has values in their places and a query behind them; lists repeat their name', () => {
    assert.equal(urlFor('/products'), '/products')
    assert.equal(urlFor('/products/{id}', { params: { id: 7 } }), '/products/7')
    assert.equal(
      urlFor('/products/{id}', {
        params: { id: 7n },
        query: { tag: ['a', 'b'], page: 2, none: undefined },
        hash: 'top',
      }),
      '/products/7?tag=a&tag=b&page=2#top',
    )
  })

  test('is percent-encoded, and keeps the slashes of the rest of a path', () => {
    assert.equal(urlFor('/a/{x}', { params: { x: 'é b?#%' } }), '/a/%C3%A9%20b%3F%23%25')
    assert.equal(urlFor('/a/{x}', { params: { x: "it's@:a,b;c=d&e+f$(g)*h!" } }), "/a/it's@:a,b;c=d&e+f$(g)*h!")
    assert.equal(urlFor('/f/{path*}', { params: { path: 'a/b c/d.txt' } }), '/f/a/b%20c/d.txt')
  })

  test('brings back what went into it', async () => {
    const app = new App({ log: silent })
    app.get('/a/{x}/{rest*}', ({ params }) => params)
    for (const x of ['é b?#%', "'@:,;=&+$()*!~", '%2F', '日本', '...'])
      for (const rest of ['a/b', 'x y/é', '%/?']) {
        const url = app.url('/a/{x}/{rest*}', { params: { x, rest } })
        assert.deepEqual(await (await app.fetch(new Request(`http://a${url}`))).json(), { x, rest })
      }
    await app.close()
  })

  test('is made absolute by a request or a URL', () => {
    const request = new Request('https://shop.test:8443/deep/down?x=1')
    assert.equal(urlFor('/a', { base: request }), 'https://shop.test:8443/a')
    assert.equal(urlFor('/a', { base: 'http://b.test' }), 'http://b.test/a')
    assert.equal(urlFor('//{t}.test/a', { params: { t: 'acme' }, base: request }), 'https://acme.test/a')
  })

  test('is refused for a value that no request could bring back', () => {
    for (const x of ['', 'a/b', 'a\\b', '\0', '.', '..', '\ud800'])
      assert.throws(() => urlFor('/a/{x}', { params: { x } }), { code: 'APP_BAD_URL' }, JSON.stringify(x))
    assert.throws(() => urlFor('/f/{p*}', { params: { p: 'a/../b' } }), { code: 'APP_BAD_URL' })
    assert.throws(() => urlFor('/a/{id}', { params: { idd: 1 } } as never), {
      code: 'APP_BAD_URL',
      message: /no value for id/,
    })
    assert.throws(() => urlFor('/a/{id}', { params: { id: 1, idd: 1 } } as never), {
      code: 'APP_BAD_URL',
      message: /no \{idd\}; did you mean id\?/,
    })
  })
})

describe('a URL of an app', () => {
  const router = new Router({ prefix: '/orders' })
  const read = router.get('/{id}', () => 1)
  const app = new App({ log: silent }).include(router, { prefix: '/v1' })
  app.mount('/old', () => new Response('old'))

  test('is that of a route it has, by the path or by the route itself', () => {
    assert.equal(app.url('/v1/orders/{id}', { params: { id: 7 } }), '/v1/orders/7')
    assert.equal(app.url(read, { params: { id: 7 } }), '/v1/orders/7')
    assert.equal(app.url('/old/reports'), '/old/reports')
  })

  test('is refused for a path that no route has', () => {
    assert.throws(() => app.url('/v1/order/{id}', { params: { id: 7 } }), {
      code: 'APP_NO_ROUTE',
      message: /did you mean \/v1\/orders\/\{id\}\?/,
    })
    const elsewhere = new Router().get('/x', () => 1)
    assert.throws(() => app.url(elsewhere), {
      code: 'APP_NO_ROUTE',
      message: /GET \/x is no route of this app; include it/,
    })
  })
})
