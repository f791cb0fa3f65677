// The typed client over real sockets.
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { after, describe, test } from 'node:test'
import { AnswerError, CallError, client, type ClientOptions, unwrap } from 'millrace/client'
import { serve } from 'millrace/server'
import type * as routes from './support/app.ts'
import { app, gate, left } from './support/app.ts'
import { foreign } from './support/foreign.ts'

// The grace time is for connections that are kept when the tests are done.
const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, graceTimeout: 100 })
after(() => server.close())
const shop = client<typeof routes>(server.url)

const foreignClient = async (listener: RequestListener, options?: ClientOptions) =>
  client<typeof routes>(await foreign(listener), options)

describe('a call', () => {
  test('puts each input where it belongs, in its wire form', async () => {
    const { status, ok, body } = await shop.post('/echo/{id}/{rest*}', {
      params: { id: 'a b?', rest: 'x/y z' },
      query: { n: [1, 2], since: new Date(0), big: 2n ** 70n },
      headers: { 'x-a': 'b' },
      cookies: { c: 'd; e' },
      body: { text: 'é' },
    })
    assert.equal(status, 200)
    assert.equal(ok, true)
    assert.deepEqual(body, {
      params: { id: 'a b?', rest: 'x/y z' },
      query: { n: [1, 2], since: 0, big: String(2n ** 70n) },
      headers: { 'x-a': 'b' },
      cookies: { c: 'd; e' },
      body: { text: 'é' },
    })
  })

  test('sends dates, bigints and sets as the wire has them, and gives back what JSON holds', async () => {
    const at = new Date('2026-11-02T09:30:00Z')
    const answer = await shop.put('/events', {
      body: { at, views: 2n ** 60n, tags: new Set(['a', 'b']), price: '12.5' },
    })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, {
      at: at.toISOString(),
      views: String(2n ** 60n + 1n),
      tags: ['a', 'b'],
      price: '25',
    })
  })

  test('has a body of its own for each declared status', async () => {
    const found = await shop.get('/products/{id}', { params: { id: 7 } })
    assert.deepEqual([found.status, found.ok, found.body], [200, true, { id: 7, name: 'Lamp' }])
    const missing = await shop.get('/products/{id}', { params: { id: 8 } })
    assert.deepEqual([missing.status, missing.ok, missing.body], [404, false, { title: 'No such product' }])
    const gone = await shop.delete('/products/{id}', { params: { id: 7 } })
    assert.deepEqual([gone.status, gone.body], [204, null])
    const invalid = await shop.get('/products/{id}', { params: { id: 'x' as never } })
    assert.ok(invalid.status === 422)
    assert.deepEqual(invalid.body.errors[0]?.loc, ['path', 'id'])
  })

  test('asks with every method', async () => {
    const head = await shop.head('/products/{id}', { params: { id: 7 } })
    assert.deepEqual([head.status, head.body], [200, null])
    assert.equal(head.headers.get('content-length'), '22')
    assert.equal((await shop.options('/things')).status, 204)
    assert.deepEqual((await shop.get('/admin/reports')).body, ['daily'])
    assert.deepEqual((await shop.query('/found', { body: { words: 'a b' } })).body, ['a', 'b'])
  })

  test('sends text to a route that reads text, when its content type says so', async () => {
    const answer = await shop.post('/note', { body: 'é "x"', headers: { 'content-type': 'text/plain' } })
    assert.deepEqual(answer.body, { note: 'é "x"' })
  })

  test('sends forms and files as a browser does', async () => {
    const sent = await shop.post('/form', { form: { name: 'Ada & Bob', tags: ['a', 'b'] } })
    assert.deepEqual(sent.body, { name: 'Ada & Bob', tags: ['a', 'b'] })
    const stored = await shop.post('/upload', {
      form: { title: 'Häuser' },
      files: {
        one: new File(['inside'], 'one.txt', { type: 'text/plain' }),
        more: [new Blob(['12']), new File(['345'], 'b.bin')],
      },
    })
    assert.deepEqual(stored.body, {
      title: 'Häuser',
      one: ['one.txt', 'text/plain', 'inside'],
      more: [
        ['more', 2],
        ['b.bin', 3],
      ],
    })
  })

  test('gives text as a string, and what is neither text nor JSON as a Blob', async () => {
    assert.equal((await shop.get('/words')).body, 'words')
    const blob = (await shop.get('/self')).body as unknown
    assert.ok(blob instanceof Blob)
    assert.match(await blob.text(), /^\/\/ An app with one route/)
  })

  test('of fetch gives the Response unread, to be taken as a stream', async () => {
    const response = await shop.fetch('GET', '/self')
    assert.equal(response.status, 200)
    let bytes = 0
    for await (const piece of response.body!) bytes += piece.length
    assert.equal(bytes, Number(response.headers.get('content-length')))
    assert.equal((await shop.fetch('GET', '/products/{id}', { params: { id: 8 } })).status, 404)
  })

  test('works on an app in this process, without a socket', async () => {
    const api = client<typeof routes>('http://here', { fetch: app.fetch })
    assert.deepEqual(await unwrap(api.get('/products/{id}', { params: { id: 7 } })), { id: 7, name: 'Lamp' })
    await app.close()
  })

  test('goes below the prefix of the base URL', async () => {
    const urls: string[] = []
    const api = await foreignClient((request, response) => {
      urls.push(request.url!)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    await api.get('/words')
    const url = await foreign((request, response) => {
      urls.push(request.url!)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    for (const base of [`${url}/v1`, `${url}/v1/`]) await client<typeof routes>(base).get('/words')
    assert.deepEqual(urls, ['/words', '/v1/words', '/v1/words'])
  })

  test('with a value that no path can carry is refused before anything is sent', async () => {
    for (const [params, message] of [
      [{}, 'GET /products/{id}: params.id is missing'],
      [{ id: '' }, 'GET /products/{id}: params.id is empty: another path would be asked'],
      [{ id: '..' }, "GET /products/{id}: params.id is '.' or '..': no path can carry it"],
    ] as const)
      await assert.rejects(shop.get('/products/{id}', { params: params as never }), { code: 'CALL_BAD_INPUT', message })
  })

  test('to what is not a base URL is refused when the client is made', () => {
    for (const url of ['shop.example', 'ftp://shop.example', 'https://shop.example/?a=b', '//shop.example'])
      assert.throws(() => client(url), { code: 'CLIENT_BAD_URL' })
  })
})

describe('time', () => {
  test('that is up ends the call, and the handler with it', async () => {
    await assert.rejects(shop.get('/never', { timeout: 30 }), (error: unknown) => {
      assert.ok(error instanceof CallError)
      assert.equal(error.code, 'CLIENT_TIMED_OUT')
      assert.equal(error.message, 'GET /never gave no answer within 30 ms')
      assert.equal(error.status, 504)
      return true
    })
    await left.soon
  })

  test('is ended by the caller’s signal, with its reason', async () => {
    const leaving = new AbortController()
    const asked = shop.get('/never', { signal: leaving.signal })
    leaving.abort(new Error('enough'))
    await assert.rejects(asked, /^Error: enough$/)
    await assert.rejects(shop.get('/never', { signal: AbortSignal.abort(new Error('before')) }), /before/)
  })
})

describe('a limit of the server', () => {
  test('is waited for, as long as the server says', async () => {
    const answers: Response[] = []
    const patient = client<typeof routes>(server.url, {
      fetch: async request => {
        const answer = await fetch(request)
        if (answers.push(answer) === 1) gate.opened.resolve()
        return answer
      },
    })
    const inside = shop.post('/narrow')
    // Until it is inside, whoever asks would be let in instead: a question without patience of its own finds out.
    while ((await shop.post('/narrow', { timeout: 100, retry: false }).catch(() => ({ status: 0 }))).status !== 503);
    const startedMs = performance.now()
    const { status } = await patient.post('/narrow')
    assert.equal(status, 200)
    assert.deepEqual(answers.map(({ status }) => status).slice(0, 2), [503, 200])
    assert.ok(performance.now() - startedMs >= 1000 * Number(answers[0]!.headers.get('retry-after')))
    assert.equal((await inside).status, 200)
  })
})

describe('what no Millrace app answers', () => {
  test('is thrown, with call, status and the beginning of the page', async () => {
    const page = '<html><head><title>502 Bad Gateway</title></head></html>'
    const api = await foreignClient((_request, response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end(page)
    })
    await assert.rejects(api.get('/products/{id}', { params: { id: 7 } }), (error: unknown) => {
      assert.ok(error instanceof AnswerError)
      assert.equal(error.code, 'CLIENT_UNEXPECTED_ANSWER')
      assert.equal(error.message, `GET /products/{id} answered 502 Bad Gateway (text/html): ${page}`)
      assert.deepEqual([error.answer.status, error.answer.body, error.problem], [502, page, undefined])
      assert.match(error.url, /\/products\/7$/)
      return true
    })
  })

  test('is thrown when it says JSON and is none', async () => {
    const api = await foreignClient((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":')
    })
    await assert.rejects(api.get('/products/{id}', { params: { id: 7 } }), (error: unknown) => {
      assert.ok(error instanceof AnswerError && error.cause instanceof SyntaxError)
      assert.equal(error.message, 'GET /products/{id} answered 200 OK (application/json)')
      return true
    })
  })

  test('is told from no answer at all', async () => {
    const api = await foreignClient((request, response) => response.destroy(), { retry: false })
    await assert.rejects(api.get('/words'), (error: unknown) => {
      assert.ok(error instanceof CallError && !(error instanceof AnswerError))
      assert.equal(error.code, 'CLIENT_NO_ANSWER')
      assert.match(
        error.message,
        /^GET \/words got no answer from http:\/\/127\.0\.0\.1:\d+\/words: other side closed$/,
      )
      return true
    })
  })
})

describe('unwrap', () => {
  test('gives the body of a 2xx', async () => {
    const { name } = await unwrap(shop.get('/products/{id}', { params: { id: 7 } }))
    assert.equal(name, 'Lamp')
  })

  test('throws anything else, saying method, path, status and the problem', async () => {
    const throws = async (call: Promise<any>, message: string) =>
      assert.rejects(unwrap(call), (error: unknown) => {
        assert.ok(error instanceof AnswerError)
        assert.deepEqual([error.code, error.message], ['CLIENT_NOT_OK', message])
        return true
      })
    await throws(shop.get('/products/{id}', { params: { id: 8 } }), 'GET /products/{id} answered 404 No such product')
    await throws(
      shop.patch('/products/{id}', { params: { id: 3 } }),
      'PATCH /products/{id} answered 409 Conflict: Product 3 is not to be changed',
    )
    await throws(
      shop.get('/products/{id}', { params: { id: 1.5 } }),
      'GET /products/{id} answered 422 Unprocessable Content: One input is not valid',
    )
  })
})
