import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, fail, type Middleware, Router } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

const mark =
  (name: string): Middleware =>
  async (context, next) => {
    const answer = await next()
    answer.headers.append('x-through', name)
  }

describe('middleware', () => {
  onEachSeam(
    'runs from the outside in at app, router and route level, and on what no route takes',
    () => {
      const app = new App({ log: silent, use: [mark('app')] })
      const router = new Router({ prefix: '/r', use: [mark('router')] })
      router.get('/x', { use: [mark('route')] }, () => 1)
      app.get('/plain', () => 1)
      return app.include(router, { use: [mark('include')] })
    },
    async ask => {
      assert.equal((await ask('/r/x')).headers.get('x-through'), 'route, router, include, app')
      assert.equal((await ask('/plain')).headers.get('x-through'), 'app')
      assert.equal((await ask('/nope')).headers.get('x-through'), 'app')
    },
  )

  onEachSeam(
    'sees errors as answers, those of validation and time included',
    () => {
      const app = new App({ log: silent, use: [mark('app')] })
      app.get('/fails', () => fail(403, 'no'))
      app.get('/throws', () => {
        throw new Error('x')
      })
      app.get('/slow', { timeout: 60 }, () => new Promise(() => {}))
      app.post('/body', { body: { type: 'object' } }, () => 1)
      return app
    },
    async ask => {
      for (const [path, status, init] of [
        ['/fails', 403, {}],
        ['/throws', 500, {}],
        ['/slow', 504, {}],
        ['/body', 422, { method: 'POST' }],
      ] as const) {
        const answer = await ask(path, init)
        assert.equal(answer.status, status)
        assert.equal(answer.headers.get('x-through'), 'app')
      }
    },
  )

  onEachSeam(
    'can answer itself, replace the answer, or throw',
    () => {
      const app = new App({ log: silent })
      app.get('/short', { use: [() => new Response('mine', { status: 202 })] }, () => assert.fail('never called'))
      app.get(
        '/changed',
        {
          use: [
            async (_context, next) => {
              const answer = await next()
              answer.status = 203
              answer.body = 'changed'
              return answer
            },
          ],
        },
        () => 1,
      )
      app.get('/thrown', { use: [mark('outer'), () => fail(429, 'slow down')] }, () => 1)
      app.get('/nothing', { use: [() => {}] }, () => 1)
      return app
    },
    async ask => {
      const short = await ask('/short')
      assert.equal(short.status, 202)
      assert.equal(await short.text(), 'mine')
      const changed = await ask('/changed')
      assert.equal(changed.status, 203)
      assert.equal(changed.headers.get('content-length'), '7')
      const thrown = await ask('/thrown')
      assert.equal(thrown.status, 429)
      assert.equal(thrown.headers.get('x-through'), 'outer')
      assert.equal((await ask('/nothing')).status, 500)
    },
  )

  onEachSeam(
    'one that hangs, before or after what is inside it, is a 504 at the route’s time',
    () => {
      const app = new App({ log: silent })
      const hang = () => new Promise<never>(() => {})
      app.get('/before', { timeout: 60, use: [mark('outer'), hang] }, () => 1)
      app.get(
        '/after',
        {
          timeout: 60,
          use: [
            async (_context, next) => {
              await next()
              return hang()
            },
          ],
        },
        () => 1,
      )
      app.get(
        '/both',
        {
          timeout: 60,
          use: [
            async (_context, next) => {
              await next()
              return hang()
            },
          ],
        },
        hang,
      )
      return app
    },
    async ask => {
      const answers = await Promise.all([ask('/before'), ask('/after'), ask('/both')])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [504, 504, 504],
      )
    },
  )

  test('what a handler over its time deferred still runs when it ends well', async () => {
    for (const use of [[], [mark('x')]]) {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const { promise: ran, resolve: run } = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      app.get('/slow', { timeout: 40, use }, async ({ defer }) => {
        defer(run)
        await gate
      })
      assert.equal((await app.fetch(new Request('http://a/slow'))).status, 504)
      open()
      await ran
    }
  })

  onEachSeam(
    'what a deferred task, or a stream under way, defers runs as well',
    () => {
      const ran: string[] = []
      const app = new App({ log: silent })
      app.get('/chain', ({ defer }) => {
        defer(() => defer(() => ran.push('chain')))
        return 1
      })
      app.get('/stream', ({ defer }) => {
        const pull = (to: ReadableStreamDefaultController) => {
          defer(() => ran.push('stream'))
          to.close()
        }
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
      })
      app.get('/failed', ({ defer }) => {
        defer(() => ran.push('failed'))
        fail(400)
      })
      app.get('/ran', () => ran.sort())
      return app
    },
    async ask => {
      for (const path of ['/failed', '/chain', '/stream'] as const) await (await ask(path)).text()
      let ran: unknown[] = []
      for (let turn = 0; turn < 20 && ran.length < 2; turn++) {
        await new Promise(resolve => setImmediate(resolve))
        ran = (await (await ask('/ran')).json()) as unknown[]
      }
      assert.deepEqual(ran, ['chain', 'stream'])
    },
  )

  test('a streamed answer that is not sent after all is cancelled', async () => {
    for (const replace of [
      () => new Response('other'),
      () => {
        throw new Error('x')
      },
    ]) {
      const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      app.get(
        '/',
        {
          use: [
            async (_context, next) => {
              await next()
              return replace()
            },
          ],
        },
        () => new Response(new ReadableStream({ cancel: () => cancel() })),
      )
      await (await app.fetch(new Request('http://a/'))).text()
      await cancelled
    }
  })

  test('a stream is passed on by who wraps it', async () => {
    const app = new App({ log: silent })
    app.get(
      '/',
      {
        use: [
          async (_context, next) => {
            const { body } = await next()
            await new Promise(resolve => setImmediate(resolve))
            return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, { status: 203 })
          },
        ],
      },
      () => new Response('whole'),
    )
    assert.equal(await (await app.fetch(new Request('http://a/'))).text(), 'whole')
  })

  onEachSeam(
    'a Response given a second time is a mistake that is told, not a cut connection',
    () => {
      const once = new Response('used up')
      const app = new App({ log: silent })
      app.get('/', () => once)
      return app
    },
    async ask => {
      assert.equal(await (await ask('/')).text(), 'used up')
      assert.equal((await ask('/')).status, 500)
    },
  )

  test('knows the route’s pattern, and calling next twice runs the inside once', async () => {
    let runs = 0
    const seen: string[] = []
    const app = new App({ log: silent })
    app.get(
      '/a/{x}',
      {
        use: [
          async ({ route, method, path, search }, next) => {
            seen.push(`${method} ${route} ${path} ${search}`)
            await next()
            return next()
          },
        ],
      },
      () => ++runs,
    )
    assert.equal(await (await app.fetch(new Request('http://a/a/1?b=2'))).json(), 1)
    assert.deepEqual(seen, ['GET /a/{x} /a/1 b=2'])
    assert.equal(runs, 1)
  })
})
