import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, fail } from 'millrace'
import { requestId, type RequestIdOptions } from 'millrace/middleware'

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
})
