import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, dependency, Router } from 'millrace'
import { testClient } from 'millrace/testing'
import { silent } from './support/seams.ts'

const request = (path: string) => new Request(`http://testserver${path}`)

describe('the life of an app', () => {
  test('a start that fails undoes what had begun, and tells it to stop', async () => {
    const order: string[] = []
    const first = dependency({ scope: 'worker' }, async function* ({ signal }) {
      signal.addEventListener('abort', () => order.push('signal'))
      try {
        yield 1
      } finally {
        order.push('first closed')
      }
    })
    const second = dependency({ scope: 'worker', uses: { first } }, () => {
      throw new Error('no database')
    })
    const app = new App({
      log: silent,
      async *lifespan() {
        try {
          yield
        } finally {
          order.push('lifespan closed')
        }
      },
    })
    app.get('/', { uses: { second } }, () => 1)
    await assert.rejects(app.start(), /no database/)
    assert.deepEqual(order, ['signal', 'first closed', 'lifespan closed'])
  })

  test('lifespans of routers run inside of the app’s, each once however often its router is included', async () => {
    const order: string[] = []
    const phase = (name: string) =>
      async function* () {
        order.push(`${name} up`)
        yield
        order.push(`${name} down`)
      }
    const inner = new Router({ lifespan: phase('inner') })
    inner.get('/', () => 1)
    const router = new Router({ lifespan: phase('router') }).include(inner)
    const app = new App({ log: silent, lifespan: phase('app') })
    app.include(router, { prefix: '/a' }).include(router, { prefix: '/b' })
    const client = testClient(app)
    assert.equal((await client.fetch('/b/')).status, 200)
    await client.close()
    assert.deepEqual(order, ['app up', 'router up', 'inner up', 'inner down', 'router down', 'app down'])
  })

  test('after a start that failed, the next request tries again', async () => {
    for (const open of [
      (app: App) => ({ ask: () => app.fetch(request('/')), close: async () => {} }),
      (app: App) => {
        const client = testClient(app)
        return { ask: () => client.fetch('/'), close: () => client.close() }
      },
    ]) {
      let tries = 0
      const app = new App({
        log: silent,
        async *lifespan() {
          if (++tries === 1) throw new Error('not yet')
          yield
        },
      })
      app.get('/', () => 'up')
      const { ask, close } = open(app)
      await assert.rejects(ask(), /not yet/)
      assert.equal(await (await ask()).json(), 'up')
      await close()
    }
  })

  test('a start that failed leaves nothing to close', async () => {
    const app = new App({
      log: silent,
      async *lifespan() {
        throw new Error('never')
      },
    })
    const client = testClient(app)
    const asked = client.fetch('/')
    await Promise.all([assert.rejects(asked, /never/), client.close()])
  })

  test('two starts have values of their own, and each stop closes its own', async () => {
    let open = 0
    const value = dependency({ scope: 'worker' }, async function* () {
      open++
      yield open
      open--
    })
    const app = new App({ log: silent })
    app.get('/a', { uses: { value } }, of => of.value)
    app.get('/b', { uses: { value } }, of => of.value)
    const [one, two] = [await app.start(), await app.start()]
    assert.equal(open, 2)
    await one.stop(100)
    await one.stop(100)
    assert.equal(open, 1)
    await two.stop(100)
    assert.equal(open, 0)
  })

  test('what comes too late to be served is refused, not left out in silence', async () => {
    const app = new App({ log: silent })
    app.get('/', () => 1)
    const started = await app.start()
    assert.throws(() => app.get('/late', () => 1), { code: 'APP_STARTED' })
    assert.throws(() => app.include(new Router()), { code: 'APP_STARTED' })
    assert.throws(() => app.use(() => {}), { code: 'APP_STARTED' })
    await started.stop(100)
  })

  test('an endpoint included where it was declared is surrounded once', async () => {
    const through: string[] = []
    const app = new App({
      log: silent,
      use: [
        async (_context, next) => {
          through.push('app')
          await next()
        },
      ],
    })
    const endpoint = app.get('/a', () => 1)
    app.include(endpoint, { prefix: '/v2' })
    assert.equal((await app.fetch(request('/v2/a'))).status, 200)
    assert.deepEqual(through, ['app'])
  })
})
