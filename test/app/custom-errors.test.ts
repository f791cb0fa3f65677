// Errors that an application answers in its own way, by class and by status: FEATURES 1.10, "Custom handlers" and "Validation exception".
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import * as z from 'zod'
import { App, fail, HttpError, type Middleware, ValidationError } from 'millrace'
import { json, onEachSeam, silent } from './support/seams.ts'

class OutOfStock extends Error {}
class SoldOut extends OutOfStock {}

const own: Middleware = async (_context, next) => {
  const { error, status } = await next()
  if (error instanceof ValidationError)
    return Response.json({ wrong: error.issues.map(({ loc, type }) => `${loc.join('.')}: ${type}`) }, { status: 400 })
  if (error instanceof OutOfStock) return Response.json({ sold: error.constructor.name }, { status: 409 })
  if (error instanceof HttpError && error.status === 403) return new Response('not here', { status: 403 })
  if (status === 404) return Response.json({ lost: true }, { status: 404 })
}

const make = (errorFormat: 'problem' | 'fastapi') => () => {
  const app = new App({ log: silent, errorFormat })
  app.use(own)
  app.post('/orders', { body: z.object({ lines: z.array(z.int()) }), query: z.object({ at: z.date() }) }, () => 1)
  app.get('/sold', () => {
    throw new SoldOut('gone')
  })
  app.get('/forbidden', () => fail(403, 'no'))
  app.get('/teapot', () => {
    throw new HttpError(418, 'short and stout', { headers: { 'x-lid': 'on' } })
  })
  app.get('/bug', () => {
    throw new Error('secret')
  })
  return app
}

describe('an application’s own answers to errors', () => {
  for (const format of ['problem', 'fastapi'] as const) {
    onEachSeam(`are made of the issues of a request that does not fit (${format})`, make(format), async ask => {
      const answer = await ask('/orders?at=x', json({ lines: ['y'] }))
      assert.equal(answer.status, 400)
      assert.deepEqual(
        ((await answer.json()) as { wrong: string[] }).wrong.map(text => text.split(':')[0]),
        ['query.at', 'body.lines.0'],
      )
    })

    onEachSeam(`are found by class, also a parent’s, and by status (${format})`, make(format), async ask => {
      const sold = await ask('/sold')
      assert.deepEqual([sold.status, await sold.json()], [409, { sold: 'SoldOut' }])
      const forbidden = await ask('/forbidden')
      assert.deepEqual([forbidden.status, await forbidden.text()], [403, 'not here'])
      const lost = await ask('/nowhere')
      assert.deepEqual([lost.status, await lost.json()], [404, { lost: true }])
    })

    onEachSeam(`leave the others as they are, fields included (${format})`, make(format), async ask => {
      const teapot = await ask('/teapot')
      assert.deepEqual([teapot.status, teapot.headers.get('x-lid')], [418, 'on'])
      const { detail } = (await teapot.json()) as { detail: string }
      assert.equal(detail, 'short and stout')
      const bug = await ask('/bug')
      assert.equal(bug.status, 500)
      assert.doesNotMatch(await bug.text(), /secret/)
    })
  }
})
