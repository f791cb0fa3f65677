import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, fail } from 'millrace'
import { requestId, requestIdOf, type RequestIdOptions } from 'millrace/middleware'

function idOf(options: RequestIdOptions, headers: Record<string, string> = {}, path = '/'): Promise<string | null> {
  const app = new App({ use: [requestId(options)] })
  app.get('/', () => 1)
  app.get('/refused', () => fail(403))
  return app
    .fetch(new Request(`http://api.test${path}`, { headers }))
    .then(answer => answer.headers.get(options.header ?? 'x-request-id'))
}
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

describe('requestId()', () => {
  test('gives each answer a UUID of its own, errors and unknown paths included', async () => {
    const ids = await Promise.all(['/', '/', '/refused', '/nowhere'].map(path => idOf({}, {}, path)))
    for (const id of ids) assert.match(id!, UUID)
    assert.equal(new Set(ids).size, ids.length)
  })

  test('keeps an id that came along only when told to trust it', async () => {
    assert.match((await idOf({}, { 'x-request-id': 'from-proxy' }))!, UUID)
    assert.equal(await idOf({ trustIncoming: true }, { 'x-request-id': 'from-proxy:1' }), 'from-proxy:1')
  })

  test('replaces an id that could do harm in a log or a page', async () => {
    for (const id of ['a b', '<script>', 'x'.repeat(129), 'one, two', '"quoted"', 'é'])
      assert.match((await idOf({ trustIncoming: true }, { 'x-request-id': id }))!, UUID, id)
  })

  test('takes another header and another maker', async () => {
    assert.equal(await idOf({ header: 'X-Trace', make: () => 'n1' }), 'n1')
    assert.throws(() => requestId({ header: 'no header' }), { code: 'REQUEST_ID_BAD_HEADER' })
  })
  test('is on every line that is logged for its request, and is there for the handler', async () => {
    const lines: unknown[][] = []
    const note = (...of: unknown[]) => void lines.push(of)
    const app = new App({
      log: { debug: note, info: note, warn: note, error: note },
      use: [requestId({ make: () => 'n1' })],
    })
    app.get('/', context => {
      context.log.info('text')
      context.log.warn({ a: 1 }, 'fields')
      context.log.error(new Error('of its own'))
      context.log.debug({ requestId: 'its own' })
      return requestIdOf(context)
    })
    app.get('/throws', () => {
      throw new Error('on purpose')
    })
    assert.equal(await (await app.fetch(new Request('http://api.test/'))).json(), 'n1')
    assert.equal((await app.fetch(new Request('http://api.test/throws'))).status, 500)
    assert.deepEqual(lines[0], [{ requestId: 'n1' }, 'text'])
    assert.deepEqual(lines[1], [{ requestId: 'n1', a: 1 }, 'fields'])
    assert.deepEqual(lines[2], [{ requestId: 'n1', err: new Error('of its own') }])
    assert.deepEqual(lines[3], [{ requestId: 'its own' }])
    const [failed, message] = lines[4] as [Record<string, unknown>, string]
    assert.deepEqual([failed['requestId'], failed['route'], message], ['n1', '/throws', 'request failed'])
  })

  test('is nothing to a handler without it, and a field in the document of those with it', () => {
    const app = new App()
    app.get('/', { use: [requestId()] }, () => 1)
    app.get('/without', context => requestIdOf(context) === undefined)
    const { paths } = app.openapi() as any
    assert.deepEqual(Object.keys(paths['/'].get.responses['200'].headers), ['x-request-id'])
    assert.equal(paths['/without'].get.responses['200'].headers, undefined)
  })
})
