// What is around a request that no route takes.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { App, type Middleware, Router } from 'millrace'
import { cors } from 'millrace/middleware'
import { onEachSeam, silent } from './support/seams.ts'

const mark =
  (name: string): Middleware =>
  async (_context, next) => {
    const answer = await next()
    answer.headers.append('x-through', name)
  }

describe('a request that no route takes', () => {
  onEachSeam(
    'goes through the middleware of the router whose prefix it is under, the longest one',
    () => {
      const app = new App({ log: silent, use: [mark('app')] })
      const shop = new Router({ prefix: '/shops/{shop}', use: [mark('shop')] })
      const items = new Router({ prefix: '/items', use: [mark('items')] })
      const bare = new Router({ prefix: '/shops/{shop}/bare' })
      items.get('/{id}', () => 1)
      shop.include(items)
      app.get('/shops/x/bare/y', () => 1)
      return app.include(shop, { prefix: '/v1', use: [mark('v1')] }).include(bare)
    },
    async ask => {
      for (const [path, through] of [
        ['/nowhere', 'app'],
        ['/shops/a/nowhere', 'app'],
        ['/v1', 'v1, app'],
        ['/v1/nowhere', 'v1, app'],
        ['/v1/shops/', 'v1, app'],
        ['/v1/shops/a', 'shop, v1, app'],
        ['/v1/shopsa/a', 'v1, app'],
        ['/v1/shops/a/items', 'items, shop, v1, app'],
        ['/v1/shops/a/items/1/nowhere', 'items, shop, v1, app'],
        ['/shops/a/bare/nowhere', 'app'],
      ] as const) {
        const answer = await ask(path)
        assert.equal(answer.status, 404, path)
        assert.equal(answer.headers.get('x-through'), through, path)
      }
      const other = await ask('/v1/shops/a/items/1', { method: 'DELETE' })
      assert.equal(other.status, 405)
      assert.equal(other.headers.get('x-through'), 'items, shop, v1, app')
    },
  )

  onEachSeam(
    'goes, where two routers have one prefix, through what is around both',
    () => {
      const app = new App({ log: silent })
      const outer = new Router({ use: [mark('outer')] })
      const one = new Router({ prefix: '/r', use: [mark('one')] })
      const other = new Router({ prefix: '/r', use: [mark('other')] })
      one.get('/a', () => 1)
      other.get('/b', () => 1)
      return app.include(outer.include(one).include(other))
    },
    async ask => {
      assert.equal((await ask('/r/nowhere')).headers.get('x-through'), 'outer')
      assert.equal((await ask('/r/a')).headers.get('x-through'), 'one, outer')
      assert.equal((await ask('/nowhere')).headers.get('x-through'), null)
    },
  )

  onEachSeam(
    'and is a preflight is answered by the CORS of the route or router it asks about',
    () => {
      const app = new App({ log: silent })
      const open = cors({ origins: ['https://shop.example'], methods: ['PUT'] })
      app.put('/route', { use: [open] }, () => 1)
      app.get('/route', () => 1)
      const router = new Router({ prefix: '/router', use: [open] })
      router.put('/{id}', () => 1)
      return app.include(router)
    },
    async ask => {
      const preflight = async (path: `/${string}`, method: string) => {
        const headers = { origin: 'https://shop.example', 'access-control-request-method': method }
        const answer = await ask(path, { method: 'OPTIONS', headers })
        return [answer.status, answer.headers.get('access-control-allow-origin')]
      }
      assert.deepEqual(await preflight('/route', 'PUT'), [204, 'https://shop.example'])
      assert.deepEqual(await preflight('/router/1', 'PUT'), [204, 'https://shop.example'])
      assert.deepEqual(await preflight('/router/nowhere/at-all', 'PUT'), [204, 'https://shop.example'])
      assert.deepEqual(await preflight('/route', 'GET'), [204, null])
    },
  )
})
