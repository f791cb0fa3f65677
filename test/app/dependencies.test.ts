import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, fail, HttpError, Router } from 'millrace'
import { testClient } from 'millrace/testing'
import { onEachSeam, silent } from './support/seams.ts'

describe('dependencies', () => {
  test('are made each after what it uses, shared within a request, and cleaned up in reverse before the head is out', async () => {
    const events: string[] = []
    const track = (name: string, of: object = {}) =>
      dependency(of as { scope?: 'request' }, async function* () {
        events.push(`open ${name}`)
        yield name
        events.push(`close ${name}`)
      })
    const a = track('a')
    const b = track('b', { uses: { a } })
    const call = track('call', { scope: 'call' })
    const app = new App({ log: silent })
    app.get('/', { uses: { a, b, one: call, two: call } }, ({ defer }) => {
      events.push('handler')
      defer(() => events.push('deferred'))
      return 1
    })
    const client = testClient(app)
    const answer = await client.fetch('/')
    events.push('head')
    assert.equal(answer.status, 200)
    await client.close()
    assert.deepEqual(events.slice(0, 10), [
      'open a',
      'open call',
      'open call',
      // It uses a, and waits for it; the others do not.
      'open b',
      'handler',
      'close b',
      'close call',
      'close call',
      'close a',
      events[9],
    ])
    assert.deepEqual(events.slice(9).sort(), ['deferred', 'head'])
  })

  test('a commit that fails is the answer, and nothing deferred runs', async () => {
    let deferred = 0
    const transaction = dependency({ scope: 'call' }, async function* () {
      yield 'tx'
      throw new HttpError(409, 'could not commit')
    })
    const app = new App({ log: silent })
    app.get('/', { uses: { transaction } }, ({ defer }) => {
      defer(() => deferred++)
      return 'done'
    })
    const client = testClient(app)
    const answer = await client.fetch('/')
    assert.equal(answer.status, 409)
    await client.close()
    assert.equal(deferred, 0)
  })

  test('an error of the handler arrives in the generators as a throw, from the inside out', async () => {
    const seen: string[] = []
    const guard = (name: string) =>
      dependency(async function* () {
        try {
          yield name
          seen.push(`${name} committed`)
        } catch (error) {
          seen.push(`${name} ${(error as Error).message}`)
          throw error
        } finally {
          seen.push(`${name} closed`)
        }
      })
    const app = new App({ log: silent })
    app.get('/', { uses: { outer: guard('outer'), inner: guard('inner') } }, () => fail(418, 'no'))
    const answer = await app.fetch(new Request('http://a/'))
    assert.equal(answer.status, 418)
    assert.deepEqual(seen, ['inner no', 'inner closed', 'outer no', 'outer closed'])
  })

  test('when one cannot be made, those before it are cleaned up and the handler never runs', async () => {
    const seen: string[] = []
    const first = dependency(async function* () {
      try {
        yield 1
      } finally {
        seen.push('closed')
      }
    })
    const second = dependency(() => fail(401, 'who are you'))
    const app = new App({ log: silent })
    app.get('/', { uses: { first, second } }, () => seen.push('handler'))
    assert.equal((await app.fetch(new Request('http://a/'))).status, 401)
    assert.deepEqual(seen, ['closed'])
  })

  test('scope worker is made once at start and closed at stop, after those that use it', async () => {
    const events: string[] = []
    const pool = dependency({ scope: 'worker', name: 'pool' }, async function* () {
      events.push('open pool')
      yield { n: 0 }
      events.push('close pool')
    })
    const repository = dependency({ scope: 'worker', uses: { pool } }, async function* ({ pool }) {
      events.push('open repository')
      yield { next: () => ++pool.n }
      events.push('close repository')
    })
    const app = new App({
      log: silent,
      lifespan: async function* () {
        events.push('start')
        yield
        events.push('stop')
      },
    })
    app.get('/', { uses: { repository } }, ({ repository }) => repository.next())
    const client = testClient(app)
    assert.equal(await (await client.fetch('/')).json(), 1)
    assert.equal(await (await client.fetch('/')).json(), 2)
    await client.close()
    assert.deepEqual(events, ['start', 'open pool', 'open repository', 'close repository', 'close pool', 'stop'])
  })

  test('a start that fails half-way undoes what was made', async () => {
    const events: string[] = []
    const good = dependency({ scope: 'worker' }, async function* () {
      try {
        yield 1
      } finally {
        events.push('closed')
      }
    })
    const bad = dependency({ scope: 'worker' }, () => {
      throw new Error('no disk')
    })
    const app = new App({ log: silent })
    app.get('/', { uses: { good, bad } }, () => 1)
    await assert.rejects(app.start(), /no disk/)
    assert.deepEqual(events, ['closed'])
  })

  onEachSeam(
    'declared inputs join the route’s validation, first in order',
    () => {
      const key = dependency(
        { headers: z.object({ 'x-api-key': z.string() }), query: z.object({ debug: z.boolean().default(false) }) },
        ({ headers, query }) => ({ key: headers['x-api-key'], debug: query.debug }),
      )
      const app = new App({ log: silent })
      app.get('/{id}', { params: z.object({ id: z.int() }), uses: { key } }, ({ key, params }) => ({
        ...key,
        ...params,
      }))
      return app
    },
    async ask => {
      assert.deepEqual(await (await ask('/7?debug=1', { headers: { 'x-api-key': 'k' } })).json(), {
        key: 'k',
        debug: true,
        id: 7,
      })
      const { errors } = (await (await ask('/x')).json()) as { errors: { loc: string[] }[] }
      assert.deepEqual(
        errors.map(({ loc }) => loc.join('.')),
        ['header.x-api-key', 'path.id'],
      )
    },
  )

  test('a router’s and an app’s run for every route in them, in order', async () => {
    const order: string[] = []
    const named = (name: string) => dependency(() => void order.push(name))
    const app = new App({ log: silent, uses: { app: named('app') } })
    const router = new Router({ prefix: '/r', uses: { router: named('router') } })
    router.get('/', { uses: { route: named('route') } }, () => 1)
    app.include(router, { uses: { include: named('include') } })
    await app.fetch(new Request('http://a/r/'))
    assert.deepEqual(order, ['app', 'include', 'router', 'route'])
  })

  test('override puts a fake in its place, also for those that use it', async () => {
    const user = dependency(() => ({ name: 'real' }))
    const greeting = dependency({ uses: { user } }, ({ user }) => `hello ${user.name}`)
    const app = new App({ log: silent })
    app.get('/', { uses: { greeting } }, ({ greeting }) => greeting)
    app.override(user, { name: 'fake' })
    assert.equal(await (await app.fetch(new Request('http://a/'))).json(), 'hello fake')
    assert.throws(() => app.override(user, { name: 'late' }), { code: 'APP_STARTED' })
  })

  test('mistakes are refused before any traffic', () => {
    const call = dependency({ scope: 'call' }, () => 1)
    assert.throws(() => dependency({ uses: { call } } as never, () => 1), { code: 'APP_SCOPE', message: /call/ })
    assert.throws(() => dependency({ scope: 'worker', query: z.object({}) } as never, () => 1), {
      code: 'APP_WORKER_INPUT',
    })
    assert.throws(() => new App().get('/', { uses: { params: call } } as never, () => 1), { code: 'APP_RESERVED_NAME' })
    assert.throws(() => new App().get('/', { uses: { a: 1 } } as never, () => 1), { code: 'APP_NOT_A_DEPENDENCY' })
  })

  test('a generator that never yields, or yields twice, is a 500 with a clear log', async () => {
    const logged: unknown[] = []
    const log = { ...silent, error: (...of: unknown[]) => void logged.push(of[0]) }

    const none = dependency(async function* (): AsyncGenerator<number> {})
    const two = dependency(async function* () {
      yield 1
      yield 2
    })
    const app = new App({ log })
    app.get('/none', { uses: { none } }, () => 1)
    app.get('/two', { uses: { two } }, () => 1)
    for (const [path, code] of [
      ['/none', 'APP_NO_YIELD'],
      ['/two', 'APP_TWO_YIELDS'],
    ] as const) {
      assert.equal((await app.fetch(new Request(`http://a${path}`))).status, 500)
      assert.equal((logged.pop() as { err: { code: string } }).err.code, code)
    }
  })
})
