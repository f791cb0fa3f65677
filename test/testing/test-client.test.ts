import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, Router } from 'millrace'
import { testClient } from 'millrace/testing'
import { silent } from '../app/support/seams.ts'

describe('a test client', () => {
  const make = () => {
    const app = new App({ log: silent })
    const echo = app.post(
      '/echo/{id}/{rest*}',
      {
        query: z.object({ n: z.array(z.int()).default([]), at: z.string().optional() }),
        headers: z.object({ 'x-a': z.string().optional() }),
        cookies: z.object({ c: z.string().optional() }),
        body: z.object({ text: z.string() }),
      },
      ({ params, query, headers, cookies, body }) => ({ params, query, headers, cookies, body }),
    )
    const none = app.delete('/none', { returns: { 204: null } }, () => {})
    const plain = app.get('/plain', () => new Response('words', { headers: { 'content-type': 'text/plain' } }))
    const slow = app.get('/slow', () => new Promise<number>(() => {}))
    return { app, echo, none, plain, slow }
  }

  test('puts each input where it belongs, encoded', async () => {
    const { app, echo } = make()
    const api = testClient(app)
    const { status, ok, body } = await api.call(echo, {
      params: { id: 'a b?', rest: 'x/y z' },
      query: { n: [1, 2], at: 'ä&=' },
      headers: { 'x-a': 'b' },
      cookies: { c: 'd; e' },
      body: { text: 'é' },
    })
    assert.equal(status, 200)
    assert.equal(ok, true)
    assert.deepEqual(body, {
      params: { id: 'a b?', rest: 'x/y z' },
      query: { n: [1, 2], at: 'ä&=' },
      headers: { 'x-a': 'b' },
      cookies: { c: 'd; e' },
      body: { text: 'é' },
    })
    await api.close()
  })

  test('sends text to a route that reads text', async () => {
    const app = new App({ log: silent })
    const note = app.post('/note', { body: z.string(), bodyType: 'text/plain' }, ({ body }) => ({ note: body }))
    const api = testClient(app)
    assert.deepEqual((await api.call(note, { body: 'é "x"' })).body, { note: 'é "x"' })
    await api.close()
  })

  test('gives null for no body, text for what is no JSON, and problems as they are', async () => {
    const { app, none, plain, echo } = make()
    const api = testClient(app)
    assert.deepEqual(await api.call(none).then(({ status, body }) => ({ status, body })), { status: 204, body: null })
    assert.equal((await api.call(plain)).body, 'words')
    const refused = await api.call(echo, { params: { id: 1, rest: 'x' }, body: {} as never })
    assert.equal(refused.status, 422)
    assert.equal(refused.ok, false)
    await api.close()
  })

  test('ends a call at its timeout, and when its signal says so', async () => {
    const { app, slow } = make()
    const api = testClient(app)
    await assert.rejects(api.call(slow, { timeout: 20 }), { name: 'TimeoutError' })
    const leaving = new AbortController()
    const asked = api.call(slow, { signal: leaving.signal })
    leaving.abort(new Error('enough'))
    await assert.rejects(asked, /enough/)
    await api.close()
  })

  test('starts the app once for many calls, on the first of them, and stops it', async () => {
    const events: string[] = []
    const value = dependency({ scope: 'worker' }, async function* () {
      events.push('open')
      yield 1
      events.push('closed')
    })
    const router = new Router({ prefix: '/r', uses: { value } })
    const endpoint = router.get('/x', async ({ value, defer }) => {
      defer(() => events.push('deferred'))
      return value
    })
    const api = testClient(router)
    assert.deepEqual(events, [])
    await Promise.all([api.call(endpoint), api.fetch('/r/x')])
    assert.equal(events.filter(event => event === 'open').length, 1)
    await api.close()
    await api.close()
    assert.deepEqual(events, ['open', 'deferred', 'deferred', 'closed'])
  })

  test('calls one endpoint alone, with its router around it', async () => {
    const user = dependency(() => 'me')
    const router = new Router({ prefix: '/r/{a}', uses: { user } })
    const call = testClient(router.get('/x', ({ user, params }) => `${user} ${params.a}`))
    assert.equal((await call({ params: { a: 7 } })).body, 'me 7')
    await call.close()
  })
})
