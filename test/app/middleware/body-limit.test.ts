import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, Router, text } from 'millrace'
import { bodyLimit } from 'millrace/middleware'
import { type Ask, onEachSeam, silent } from '../support/seams.ts'

const spec = { body: { type: 'string' }, bodyType: 'text/plain' } as const

function make(): App {
  const app = new App({ log: silent, use: [bodyLimit(10)] })
  app.post('/app', spec, ({ body }) => text(body))
  app.post('/streamed', async ({ request }) => text(await request.text()))
  app.post('/route', { ...spec, maxBodyBytes: 30 }, ({ body }) => text(body))
  app.post('/own', { ...spec, use: [bodyLimit(5)] }, ({ body }) => text(body))
  app.post('/larger', { ...spec, use: [bodyLimit(2 * 2 ** 20)] }, ({ body }) => text(`${body.length}`))
  const router = new Router({ prefix: '/router', use: [bodyLimit(20)] })
  router.post('', spec, ({ body }) => text(body))
  return app.include(router)
}

async function statusOf(ask: Ask, path: `/${string}`, bytes: number, chunked: boolean): Promise<number> {
  const body = 'x'.repeat(bytes)
  const init: RequestInit & { duplex?: 'half' } = { method: 'POST', headers: { 'content-type': 'text/plain' }, body }
  if (chunked) Object.assign(init, { body: new Blob([body]).stream(), duplex: 'half' })
  return (await ask(path, init)).status
}

describe('bodyLimit()', () => {
  onEachSeam(
    'is a 413 over it, whether the length is declared or found, and a route’s own limit wins',
    make,
    async ask => {
      for (const chunked of [false, true])
        for (const [path, most] of [
          ['/app', 10],
          ['/streamed', 10],
          ['/router', 20],
          ['/route', 30],
          ['/own', 5],
        ] as const) {
          assert.equal(await statusOf(ask, path, most, chunked), 200, `${path}, ${most}`)
          assert.equal(await statusOf(ask, path, most + 1, chunked), 413, `${path}, ${most + 1}`)
        }
      assert.equal(await statusOf(ask, '/larger', 1.5 * 2 ** 20, false), 200, 'more than the setting')
    },
  )

  test('is in the document of routes that read bodies', () => {
    const app = make()
    app.get('/a', () => 1)
    const { paths } = app.openapi() as { paths: Record<string, Record<string, { responses: object }>> }
    assert.ok('413' in paths['/app']!['post']!.responses)
    assert.ok(!('413' in paths['/a']!['get']!.responses))
  })

  test('refuses what is no number of bytes', () => {
    for (const bytes of [-1, 1.5, Number.NaN, '1mb' as unknown as number])
      assert.throws(() => bodyLimit(bytes), { code: 'BODY_LIMIT_BAD_OPTIONS' })
  })
})
