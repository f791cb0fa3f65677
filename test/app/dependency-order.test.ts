// When dependencies are made and cleaned up, and what their generators may do with an error.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, fail, HttpError, Router, stream } from 'millrace'
import { testClient } from 'millrace/testing'
import { silent } from './support/seams.ts'

const gate = () => Promise.withResolvers<void>()
const ask = (app: App<any, any>, path = '/') => app.fetch(new Request(`http://a${path}`))

describe('dependencies beside each other', () => {
  test('are made at the same time; one that uses others waits for them alone', async () => {
    const [slow, fast] = [gate(), gate()]
    const begun: string[] = []
    const waits = (name: string, until: Promise<void>) =>
      dependency(async () => {
        begun.push(name)
        await until
        return name
      })
    const a = waits('a', slow.promise)
    const b = waits('b', fast.promise)
    const ofA = dependency({ uses: { a } }, ({ a }) => (begun.push('of a'), `of ${a}`))
    const ofB = dependency({ uses: { b } }, ({ b }) => {
      begun.push('of b')
      // Only now may a go on: were they made one after the other, nothing would ever come of it.
      slow.resolve()
      return `of ${b}`
    })
    const app = new App({ log: silent })
    app.get('/', { uses: { a, ofA, b, ofB } }, ({ a, b, ofA, ofB }) => [a, b, ofA, ofB])
    const answer = ask(app)
    await turn()
    assert.deepEqual(begun, ['a', 'b'])
    fast.resolve()
    assert.deepEqual(await (await answer).json(), ['a', 'b', 'of a', 'of b'])
    assert.deepEqual(begun, ['a', 'b', 'of b', 'of a'])
  })

  test('that are shared are made once, whoever asks first', async () => {
    let made = 0
    const shared = dependency(async () => {
      await turn()
      return ++made
    })
    const one = dependency({ uses: { shared } }, async ({ shared }) => shared)
    const other = dependency({ uses: { shared } }, ({ shared }) => shared)
    const app = new App({ log: silent })
    app.get('/', { uses: { one, other, shared } }, ({ one, other, shared }) => [one, other, shared])
    assert.deepEqual(await (await ask(app)).json(), [1, 1, 1])
  })

  test('of a router are there before anything of a route begins', async () => {
    const events: string[] = []
    const slow = (name: string) =>
      dependency(async () => {
        events.push(`${name} begins`)
        await turn()
        events.push(`${name} is there`)
      })
    const app = new App({ log: silent, uses: { app: slow('app') } })
    const router = new Router({ prefix: '/r', uses: { router: slow('router') } })
    router.get('/', { uses: { one: slow('one'), two: slow('two') } }, () => 1)
    app.include(router)
    assert.equal((await ask(app, '/r/')).status, 200)
    assert.deepEqual(events, [
      'app begins',
      'app is there',
      'router begins',
      'router is there',
      'one begins',
      'two begins',
      'one is there',
      'two is there',
    ])
  })

  test('when one fails the others under way are waited for and cleaned up, and the first in order is the answer', async () => {
    const events: string[] = []
    const opened = gate()
    const late = dependency(async function* () {
      await opened.promise
      events.push('late opened')
      try {
        yield 1
      } finally {
        events.push('late closed')
      }
    })
    const first = dependency(async () => {
      await turn()
      opened.resolve()
      return fail(401, 'first')
    })
    const second = dependency(() => fail(409, 'second'))
    const after = dependency({ uses: { first } }, () => void events.push('never'))
    const app = new App({ log: silent })
    app.get('/', { uses: { late, first, after, second } }, () => void events.push('handler'))
    const answer = await ask(app)
    assert.equal(answer.status, 401)
    assert.deepEqual(events, ['late opened', 'late closed'])
  })

  test('one that throws at once keeps those behind it from beginning', async () => {
    const begun: string[] = []
    const app = new App({ log: silent })
    const bad = dependency(() => fail(403))
    const behind = dependency(() => void begun.push('behind'))
    app.get('/', { uses: { bad, behind } }, () => 1)
    assert.equal((await ask(app)).status, 403)
    assert.deepEqual(begun, [])
  })
})

describe('an error that reaches a generator', () => {
  const withGenerators = (...generators: (() => AsyncGenerator<number>)[]) => {
    const logged: { err?: unknown }[] = []
    const app = new App({ log: { ...silent, error: fact => void logged.push(fact as { err?: unknown }) } })
    const uses = Object.fromEntries(generators.map((one, n) => [`d${n}`, dependency({ scope: 'call' }, one)]))
    app.get('/', { uses }, () => {
      throw new Error('of the handler')
    })
    return { app, logged }
  }

  test('may be changed into another, which the generators outside of it get', async () => {
    const seen: string[] = []
    const { app, logged } = withGenerators(
      async function* () {
        try {
          yield 1
        } catch (error) {
          seen.push((error as Error).message)
          throw error
        }
      },
      async function* () {
        try {
          yield 2
        } catch (error) {
          throw new HttpError(409, 'taken', { cause: error })
        }
      },
    )
    const answer = await ask(app)
    assert.equal(answer.status, 409)
    assert.deepEqual(seen, ['taken'])
    assert.deepEqual(logged, [])
  })

  test('is not answered by being swallowed: the request still ends with it, and it is logged once', async () => {
    const { app, logged } = withGenerators(async function* () {
      try {
        yield 1
      } catch {
        // as if nothing had been
      }
    })
    assert.equal((await ask(app)).status, 500)
    assert.deepEqual(
      logged.map(({ err }) => (err as Error).message),
      ['of the handler'],
    )
  })

  test('of a clean-up after a good answer was made is the answer instead, and is logged once', async () => {
    const logged: string[] = []
    const app = new App({ log: { ...silent, error: fact => void logged.push((fact as { err: Error }).err.message) } })
    const bad = dependency(async function* () {
      yield 1
      throw new Error('could not be closed')
    })
    app.get('/', { uses: { bad } }, () => 'fine')
    assert.equal((await ask(app)).status, 500)
    assert.deepEqual(logged, ['could not be closed'])
  })

  test('of a clean-up after a time-out was answered is logged once, and changes nothing', async () => {
    const logged: string[] = []
    const note = (fact: unknown) => void logged.push((fact as { err: Error }).err.message)
    const app = new App({ log: { ...silent, debug: note, error: note } })
    const closed = gate()
    const bad = dependency(async function* ({ signal }) {
      try {
        yield signal
      } finally {
        setImmediate(closed.resolve)

        throw new Error('could not be closed')
      }
    })
    app.get('/', { uses: { signal2: bad }, timeout: '20ms' }, ({ signal2 }) => {
      const { promise, reject } = Promise.withResolvers<void>()
      signal2.addEventListener('abort', () => reject(signal2.reason as Error))
      return promise
    })
    const api = testClient(app)
    assert.equal((await api.fetch('/')).status, 504)
    await closed.promise
    await turn()
    assert.deepEqual(logged, ['could not be closed'])
    await api.close()
  })
})

describe('clean-up', () => {
  test('is over before the first byte of a stream is asked for', async () => {
    const events: string[] = []
    const db = dependency(async function* () {
      yield 'db'
      events.push('released')
    })
    const app = new App({ log: silent })
    async function* pieces() {
      events.push('first piece')
      yield 'x'
    }
    app.get('/', { uses: { db } }, () => stream(pieces()))
    const api = testClient(app)
    assert.equal(await (await api.fetch('/')).text(), 'x')
    await api.close()
    assert.deepEqual(events, ['released', 'first piece'])
  })
})

describe('a dependency', () => {
  test('gets the signal of its request: it aborts when time is up', async () => {
    const reasons: string[] = []
    const slow = dependency(async ({ signal }) => {
      const { promise, reject } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => {
        reasons.push((signal.reason as Error).name)
        reject(signal.reason as Error)
      })
      return promise
    })
    const app = new App({ log: silent })
    app.get('/', { uses: { slow }, timeout: '20ms' }, () => 1)
    assert.equal((await ask(app)).status, 504)
    assert.deepEqual(reasons, ['DeadlineError'])
  })

  test('that goes round in a circle is refused at the start, which names the ring', async () => {
    const uses: Record<string, any> = {}
    const first = dependency({ name: 'first', uses }, () => 1)
    const second = dependency({ name: 'second', uses: { first } }, () => 2)
    uses['second'] = second
    const app = new App({ log: silent })
    app.get('/ring', { uses: { first } }, () => 1)
    await assert.rejects(app.start(), {
      code: 'APP_DEPENDENCY_CYCLE',
      message: /first -> second -> first/,
    })
  })

  test('declares headers, query and cookies for every route that uses it: validated, merged into the document', async () => {
    const page = dependency(
      { query: z.object({ page: z.int().min(1).default(1), size: z.int().max(100) }) },
      ({ query }) => query,
    )
    const tenant = dependency(
      {
        headers: z.object({ xTenant: z.string() }),
        cookies: z.object({ theme: z.enum(['light', 'dark']).optional() }),
      },
      ({ headers, cookies }) => ({ tenant: headers.xTenant, theme: cookies.theme }),
    )
    const app = new App({ log: silent, uses: { tenant } })
    const list = app.get(
      '/',
      { query: z.object({ size: z.int().optional(), q: z.string() }), uses: { page } },
      ({ page, tenant, query }) => ({ page, tenant, q: query.q }),
    )
    void list
    const good = await app.fetch(
      new Request('http://a/?size=5&q=x', { headers: { 'x-tenant': 't', cookie: 'theme=dark' } }),
    )
    assert.deepEqual(await good.json(), {
      page: { page: 1, size: 5 },
      tenant: { tenant: 't', theme: 'dark' },
      q: 'x',
    })
    const { errors } = (await (await ask(app)).json()) as { errors: { loc: string[] }[] }
    assert.deepEqual(
      errors.map(({ loc }) => loc.join('.')),
      ['header.x-tenant', 'query.size', 'query.q'],
    )
    const { get } = app.openapi().paths['/'] as {
      get: { parameters: { name: string; in: string; required: boolean }[] }
    }
    assert.deepEqual(
      get.parameters.map(one => `${one.in} ${one.name}${one.required ? ' required' : ''}`),
      ['query size required', 'query q required', 'query page', 'header x-tenant required', 'cookie theme'],
    )
  })
})
