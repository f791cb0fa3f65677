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
