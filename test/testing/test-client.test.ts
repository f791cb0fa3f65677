import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, fail, Router, UsageError } from 'millrace'
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

describe('a test client, where it is asked to,', () => {
  const app = new App({ log: silent })
  const params = z.object({ id: z.int() })
  app.post('/log-in', ({ reply }) => reply(204, null, { cookies: { session: { value: 'ada', path: '/' }, once: 'x' } }))
  app.post('/log-out', ({ reply }) =>
    reply(204, null, { cookies: { session: { value: '', path: '/', maxAgeSeconds: 0 } } }),
  )
  const me = app.get('/me', { cookies: z.object({ session: z.string().optional() }) }, ({ cookies }) => cookies)
  app.get('/old/{id}', ({ params, reply }) => reply(301, null, { headers: { location: `/me?from=${params.id}` } }))
  app.post('/form', ({ reply }) => reply(303, null, { headers: { location: '/me' } }))
  app.post('/kept', ({ reply }) => reply(307, null, { headers: { location: '/echo' } }))
  app.post('/echo', { body: z.object({ n: z.int() }) }, ({ body }) => body)
  app.get('/away', ({ reply }) => reply(302, null, { headers: { location: 'https://elsewhere.example/' } }))
  app.get('/round', ({ reply }) => reply(302, null, { headers: { location: '/round' } }))
  const broken = app.get('/broken', () => {
    throw new RangeError('out of paper')
  })
  app.get('/refused', () => fail(403))
  const list = new Router({ prefix: '/items' })
  const one = list.get('/{id}', { params, returns: { 200: z.int(), 409: z.string() } }, ({ params, reply }) =>
    params.id === 9 ? reply(409, 'taken') : params.id === 8 ? fail(410, 'gone') : params.id,
  )
  app.include(list, { prefix: '/v1' })

  test('keeps cookies between requests, and lets go of them when the app says so', async () => {
    const api = testClient(app, { cookies: true })
    await api.fetch('/log-in', { method: 'POST' })
    assert.deepEqual((await api.call(me)).body, { session: 'ada' })
    assert.deepEqual(api.cookies.all, { session: 'ada', once: 'x' })
    assert.deepEqual((await api.call(me, { cookies: { session: 'bob' } })).body, { session: 'bob' })
    await api.fetch('/log-out', { method: 'POST' })
    assert.deepEqual((await api.call(me)).body, {})
    const plain = testClient(app)
    await plain.fetch('/log-in', { method: 'POST' })
    assert.deepEqual((await plain.call(me)).body, {})
    await Promise.all([api.close(), plain.close()])
  })

  test('follows redirects within the app as fetch does, and shows them otherwise', async () => {
    const api = testClient(app, { redirects: 'follow', headers: { cookie: 'session=eve' } })
    assert.deepEqual(await (await api.fetch('/old/1')).json(), { session: 'eve' })
    assert.deepEqual(await (await api.fetch('/form', { method: 'POST', body: 'a=b' })).json(), { session: 'eve' })
    const sent = { method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' } }
    assert.deepEqual(await (await api.fetch('/kept', sent)).json(), { n: 1 })
    assert.equal((await api.fetch('/away')).status, 302)
    await assert.rejects(api.fetch('/round'), /more than 20 redirects/)
    const plain = testClient(app)
    assert.equal((await plain.fetch('/old/1')).headers.get('location'), '/me?from=1')
    await Promise.all([api.close(), plain.close()])
  })

  test('throws what a handler threw, and answers with 500 otherwise', async () => {
    const api = testClient(app, { errors: 'throw' })
    await assert.rejects(api.call(broken), (error: unknown) => {
      assert.ok(error instanceof RangeError)
      assert.match(error.stack ?? '', /test-client\.test\.ts/)
      return true
    })
    assert.equal((await api.fetch('/refused')).status, 403)
    const plain = testClient(app)
    assert.equal((await plain.call(broken)).status, 500)
    await Promise.all([api.close(), plain.close()])
  })

  test('finds an endpoint wherever it is included, and by its own path behind a prefix', async () => {
    const api = testClient(app)
    assert.equal((await api.call(one, { params: { id: 7 } })).body, 7)
    const byPath = testClient<{ one: typeof one }>(app, { prefix: '/v1' })
    assert.equal((await byPath.get('/items/{id}', { params: { id: 7 } })).body, 7)
    const other = new App().get('/elsewhere', () => 1)
    await assert.rejects(api.call(other), { code: 'CALL_NOT_IN_APP', message: /^GET \/elsewhere is not in this app/ })
    await Promise.all([api.close(), byPath.close()])
  })

  test('throws a refusal that nobody has declared, saying how to declare it', async () => {
    const api = testClient(app)
    assert.equal((await api.call(one, { params: { id: 9 } })).status, 409)
    await assert.rejects(api.call(one, { params: { id: 8 } }), (error: unknown) => {
      assert.ok(error instanceof UsageError)
      assert.equal(error.code, 'CALL_UNDECLARED_STATUS')
      assert.match(
        error.message,
        /^GET \/v1\/items\/\{id\} answered 410 Gone, which it does not declare: add 410 to its `returns`/,
      )
      assert.match(error.message, /"detail":"gone"/)
      return true
    })
    assert.equal((await api.fetch('/v1/items/8')).status, 410)
    await api.close()
  })
})
