import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, redirect } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

const make = () => {
  const app = new App({ log: silent })
  app.get('/plain', { returns: { 307: null } }, () => redirect('/there?a=b#c'))
  app.post('/see-other', () =>
    redirect(new URL('https://shop.test/x'), 303, { cookies: { a: 'b' }, headers: { 'x-a': '1' } }),
  )
  app.get('/odd', () => redirect('/ü b/%20\r\nset-cookie: evil=1\ud800'))
  app.get('/bad', () => redirect('/', 200 as never))
  return app
}

describe('redirect', () => {
  onEachSeam('is a 307 with Location and no body, another status where one is said', make, async ask => {
    const plain = await ask('/plain', { redirect: 'manual' })
    assert.equal(plain.status, 307)
    assert.equal(plain.headers.get('location'), '/there?a=b#c')
    assert.equal(await plain.text(), '')
    const other = await ask('/see-other', { method: 'POST', redirect: 'manual' })
    assert.equal(other.status, 303)
    assert.equal(other.headers.get('location'), 'https://shop.test/x')
    assert.equal(other.headers.get('x-a'), '1')
    assert.match(other.headers.get('set-cookie')!, /^a=b/)
  })

  onEachSeam('percent-encodes what no URL may hold, line ends among it', make, async ask => {
    const odd = await ask('/odd', { redirect: 'manual' })
    assert.equal(odd.headers.get('location'), '/%C3%BC%20b/%20%0D%0Aset-cookie:%20evil=1%EF%BF%BD')
    assert.equal(odd.headers.get('set-cookie'), null)
  })

  onEachSeam('to a status that is none is a 500', make, async ask => {
    assert.equal((await ask('/bad')).status, 500)
  })

  test('is described with its Location', () => {
    const { paths } = make().openapi() as unknown as { paths: { [path: string]: { get: { responses: object } } } }
    assert.deepEqual((paths['/plain']!.get.responses as Record<string, unknown>)['307'], {
      description: 'Temporary Redirect',
      headers: { Location: { description: 'Where to', required: true, schema: { type: 'string' } } },
    })
  })
})
