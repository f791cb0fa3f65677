// What an app says about requests holds whoever serves it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App } from 'millrace'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { ownLimits } from '../../src/app/own-limits.ts'
import { json, onEachSeam, silent } from './support/seams.ts'

const make = (server: Record<string, unknown>) => () => {
  const app = new App({ log: silent, server })
  app.post('/echo', { body: z.string() }, ({ body }) => body.length)
  app.post('/own', { body: z.string(), maxBodyBytes: 64 }, ({ body }) => body.length)
  app.get(
    '/slow',
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  )
  return app
}

describe('new App({ server })', () => {
  for (const maxBody of [16, '16', '16B'])
    onEachSeam(
      `maxBody ${JSON.stringify(maxBody)} bounds bodies, and a route may say otherwise`,
      make({ maxBody }),
      async ask => {
        assert.equal((await ask('/echo', json('x'.repeat(14)))).status, 200)
        assert.equal((await ask('/echo', json('x'.repeat(15)))).status, 413)
        assert.equal((await ask('/own', json('x'.repeat(62)))).status, 200)
        assert.equal((await ask('/own', json('x'.repeat(63)))).status, 413)
      },
    )

  onEachSeam('maxBody above the default lets more in', make({ maxBody: '3MiB' }), async ask => {
    assert.equal(await (await ask('/echo', json('x'.repeat(2 ** 21)))).json(), 2 ** 21)
  })

  onEachSeam('requestTimeout ends a request with 504', make({ requestTimeout: '20ms' }), async ask => {
    assert.equal((await ask('/slow')).status, 504)
  })

  test('what is no size or duration stops the start, naming the setting', async () => {
    await assert.rejects(make({ maxBody: '1 parsec' })().start(), {
      code: 'APP_BAD_SIZE',
      message: /server.*maxBody.*1 parsec/,
    })
    await assert.rejects(make({ requestTimeout: 'soon' })().start(), {
      code: 'CORE_BAD_DURATION',
      message: /requestTimeout/,
    })
  })

  test('settings for bodies are read in every form that the server reads', () => {
    assert.deepEqual(ownLimits({ minBodyRate: '1KiB', minRateGrace: '500', maxBody: 7 }).body, {
      maxBodyBytes: 7,
      bodyMinBytesPerSecond: 1024,
      minRateGraceMs: 500,
    })
    const { maxBodyBytes, bodyMinBytesPerSecond, minRateGraceMs } = DEFAULT_LIMITS
    assert.deepEqual(ownLimits({}), {
      requestTimeoutMs: 30_000,
      body: { maxBodyBytes, bodyMinBytesPerSecond, minRateGraceMs },
    })
  })
})
