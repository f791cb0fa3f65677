// What a route costs is decided before the first request: middleware is paid for by the routes that it is around, and by no other.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, dependency, Router } from 'millrace'
import {
  bodyLimit,
  compress,
  cors,
  httpsRedirect,
  requestId,
  secureHeaders,
  staticFiles,
  trustedHosts,
} from 'millrace/middleware'
import { Cache } from '../../src/cache/cache.ts'
import { LiveStreams } from '../../src/app/live-streams.ts'
import { CompiledRoute } from '../../src/app/compiled-route.ts'

/** Path to the route as the app compiles it. */
function compiled(app: App): ReadonlyMap<string, CompiledRoute> {
  const of = {
    overrides: new Map(),
    cache: new Cache({ name: 'test' }),
    format: 'problem',
    requestTimeoutMs: 30_000,
    maxBodyBytes: 2 ** 20,
    streams: new LiveStreams(),
  } as const
  return new Map(app['~mounted']().map(mounted => [mounted.path, new CompiledRoute(mounted, of)]))
}

const ALL = [
  compress(),
  cors(),
  httpsRedirect(),
  requestId(),
  secureHeaders(),
  trustedHosts({ hosts: ['shop.example'] }),
]

describe('a route without middleware', () => {
  test('is the plain one, whatever is around other routes of its app', () => {
    const app = new App()
    app.get('/plain', () => 1)
    app.get('/route', { use: ALL }, () => 1)
    const router = new Router({ prefix: '/router', use: ALL })
    router.get('/a', () => 1)
    app.include(router)
    const routes = compiled(app)
    assert.equal(routes.get('/plain')!.isPlain, true)
    assert.equal(routes.get('/plain')!.middleware.length, 0)
    assert.equal(routes.get('/plain')!.bodyPolicy, undefined)
    for (const path of ['/route', '/router/a']) {
      assert.equal(routes.get(path)!.isPlain, false)
      assert.deepEqual(routes.get(path)!.middleware, ALL)
    }
  })

  test('is the plain one too where all that is around it says how to compile it, or is for what no route takes', () => {
    const app = new App({ use: [bodyLimit(10), staticFiles({ directory: import.meta.dirname })] })
    app.post('/a', () => 1)
    const route = compiled(app).get('/a')!
    assert.equal(route.isPlain, true)
    assert.notEqual(route.bodyPolicy, undefined)
  })

  test('is not made slower by a worker’s dependencies', () => {
    const app = new App({ uses: { db: dependency({ scope: 'worker' }, () => 1) } })
    app.get('/a', ({ db }) => db)
    assert.equal(compiled(app as unknown as App).get('/a')!.isPlain, true)
  })
})
