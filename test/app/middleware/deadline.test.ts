import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App } from 'millrace'
import { client } from 'millrace/client'
import { deadline } from 'millrace/middleware'
import { serve } from 'millrace/server'
import type * as routes from '../../client/support/app.ts'
import { onEachSeam, silent } from '../support/seams.ts'

const LONG_MS = '3000000000'

function make(): App {
  const app = new App({ log: silent, use: [deadline()] })
  app.get(
    '/never',
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  app.get('/short', { timeout: '30ms' }, () => new Promise(() => {}))
  // A middleware in front that lets go of the turn: the route's time is running by then.
  app.get(
    '/late',
    { use: [async (_, next) => (await Promise.resolve(), next()), deadline()] },
    () => new Promise(() => {}),
  )
  app.get('/one', { limit: { concurrent: 1, queue: 10 } }, async () => {
    started++
    await gate.promise
    return 1
  })
  app.get('/fast', () => 1)
  return app
}
let started = 0
let gate = Promise.withResolvers<void>()

const within = (ms: string) => ({ headers: { 'request-timeout-ms': ms } })

describe('deadline()', () => {
  onEachSeam('ends a request when its client stops waiting, with 504', make, async ask => {
    for (const path of ['/never', '/late'] as const) {
      const answer = await ask(path, within('40'))
      assert.equal(answer.status, 504)
      assert.equal(((await answer.json()) as { title: string }).title, 'Gateway Timeout')
    }
  })

  onEachSeam('never gives a route more time than it has', make, async ask => {
    assert.equal((await ask('/short', within(LONG_MS))).status, 504)
  })

  onEachSeam('changes nothing for who does not say, and for what is answered in time', make, async ask => {
    assert.equal((await ask('/fast')).status, 200)
    assert.equal((await ask('/fast', within(LONG_MS))).status, 200)
    assert.equal((await ask('/short')).status, 504)
  })

  onEachSeam('refuses what is no number of milliseconds', make, async ask => {
    for (const told of ['soon', '-1', '1.5', '1e3', '12345678901', '']) {
      const answer = await ask('/fast', within(told))
      assert.equal(answer.status, 400, told)
      assert.match(((await answer.json()) as { detail: string }).detail, /whole number of milliseconds/)
    }
  })

  onEachSeam('never starts what has waited past it: 503', make, async ask => {
    started = 0
    gate = Promise.withResolvers()
    const first = ask('/one')
    while (started === 0) await new Promise(setImmediate)
    assert.equal((await ask('/one', within('40'))).status, 503)
    gate.resolve()
    assert.equal((await first).status, 200)
    assert.equal(started, 1)
  })

  test('is what the typed client asks for', async context => {
    const server = await serve(make(), { port: 0, host: '127.0.0.1', signals: false })
    context.after(() => server.close())
    // The client gives up first; the handler's signal tells that the server has stopped too.
    const api = client<typeof routes>(server.url, { retry: false })
    await assert.rejects(api.get('/never', { timeout: 60 }), { code: 'CLIENT_TIMED_OUT' })
    const answer = await api.fetch('GET', '/never', { headers: { 'request-timeout-ms': '40', connection: 'close' } })
    assert.equal(answer.status, 504)
  })

  test('is in the document', () => {
    const { paths } = make().openapi() as {
      paths: Record<string, Record<string, { parameters: { name: string }[]; responses: object }>>
    }
    const { parameters, responses } = paths['/fast']!['get']!
    assert.deepEqual(
      parameters.map(({ name }) => name),
      ['Request-Timeout-Ms'],
    )
    assert.ok('504' in responses && '503' in responses && '400' in responses)
  })
})
