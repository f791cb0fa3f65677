import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, HttpError, MillraceError } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

function streamOf(pieces: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let n = 0
  return new ReadableStream({ pull: to => (n < pieces.length ? to.enqueue(pieces[n++]!) : to.close()) })
}

const Product = z.object({ id: z.int(), name: z.string() })

const make = () => {
  const app = new App({ log: silent })
  app.get('/filtered', { returns: Product }, () => ({ id: 1, name: 'x', secret: 'never' }))
  app.get('/list', { returns: z.array(Product) }, async () => [{ id: 1, name: 'x', secret: 'never' }])
  app.post('/made', { returns: { 201: Product, 404: z.object({ title: z.string() }) } }, () => ({ id: 1, name: 'x' }))
  app.get('/other', { returns: { 200: Product, 404: z.object({ title: z.string() }) } }, ({ reply }) =>
    reply(404, { title: 'none', hidden: 1 } as never, {
      headers: { 'x-why': 'gone' },
      cookies: { a: 'b c', d: { value: '', maxAgeSeconds: 0 } },
    }),
  )
  app.delete('/none', { returns: { 204: null } }, async () => {})
  app.get('/undefined', () => {})
  app.get(
    '/response',
    () => new Response('<p>hi</p>', { status: 202, headers: { 'content-type': 'text/html', 'x-a': '1' } }),
  )
  app.get('/bytes', () => new Uint8Array([1, 2, 3]))
  app.get('/stream', () => new Response(streamOf(['a', 'b', 'c'].map(text => new TextEncoder().encode(text)))))
  app.get(
    '/codec',
    {
      returns: z.object({
        at: z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() }),
      }),
    },
    () => ({ at: new Date(0) }),
  )
  app.get('/http-error', () => {
    throw new HttpError(418, 'short and stout', { headers: { 'x-pot': 'tea' } })
  })
  app.get('/own-error', () => {
    throw new MillraceError('SHOP_BUSY', 'internal words', { status: 503, detail: 'Busy', retryAfterMs: 1500 })
  })
  app.get('/throws', () => {
    throw new Error('password=hunter2')
  })
  app.get('/rejects', async () => {
    throw new Error('password=hunter2')
  })
  app.get('/misfit', { returns: Product }, () => ({ id: 1 }) as never)
  app.get('/injected', ({ reply }) => reply(200, 1, { headers: { 'x-a': 'b\r\nset-cookie: evil=1' } }))
  app.get('/undeclared', { returns: { 200: Product } }, ({ reply }) =>
    (reply as unknown as (status: number, body: unknown) => never)(404, {}),
  )
  app.get('/iterator', async function* () {
    yield 1
  })
  return app
}

describe('answers', () => {
  onEachSeam('undeclared keys never leave, at any depth', make, async ask => {
    assert.equal(await (await ask('/filtered')).text(), '{"id":1,"name":"x"}')
    assert.equal(await (await ask('/list')).text(), '[{"id":1,"name":"x"}]')
  })

  onEachSeam('a bare value goes out with the lowest 2xx declared', make, async ask => {
    assert.equal((await ask('/made', { method: 'POST' })).status, 201)
    const none = await ask('/none', { method: 'DELETE' })
    assert.equal(none.status, 204)
    assert.equal(none.headers.get('content-length'), null)
    assert.equal(await (await ask('/undefined')).text(), 'null')
  })

  onEachSeam('reply gives status, fields and cookies, filtered by that status’s schema', make, async ask => {
    const answer = await ask('/other')
    assert.equal(answer.status, 404)
    assert.equal(await answer.text(), '{"title":"none"}')
    assert.equal(answer.headers.get('x-why'), 'gone')
    assert.deepEqual(answer.headers.getSetCookie(), [
      'a=b%20c; Path=/; SameSite=Lax',
      'd=; Path=/; Max-Age=0; SameSite=Lax',
    ])
  })

  onEachSeam('a Response passes through, streams included', make, async ask => {
    const answer = await ask('/response')
    assert.equal(answer.status, 202)
    assert.equal(answer.headers.get('content-type'), 'text/html')
    assert.equal(await answer.text(), '<p>hi</p>')
    assert.equal(await (await ask('/stream')).text(), 'abc')
    assert.deepEqual([...new Uint8Array(await (await ask('/bytes')).arrayBuffer())], [1, 2, 3])
  })

  onEachSeam('handlers hold a schema’s output, the wire carries its input', make, async ask => {
    assert.deepEqual(await (await ask('/codec')).json(), { at: '1970-01-01T00:00:00.000Z' })
  })

  onEachSeam('HttpError and errors with a status become problems with their fields', make, async ask => {
    const pot = await ask('/http-error')
    assert.equal(pot.status, 418)
    assert.equal(pot.headers.get('x-pot'), 'tea')
    assert.deepEqual(await pot.json(), {
      type: 'about:blank',
      title: "I'm a teapot",
      status: 418,
      detail: 'short and stout',
    })
    const busy = await ask('/own-error')
    assert.equal(busy.headers.get('retry-after'), '2')
    assert.deepEqual(await busy.json(), {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'Busy',
    })
  })

  onEachSeam('anything else thrown is a bare 500: nothing of it reaches the client', make, async ask => {
    for (const path of ['/throws', '/rejects', '/misfit', '/injected', '/undeclared', '/iterator'] as const) {
      const answer = await ask(path)
      assert.equal(answer.status, 500, path)
      assert.equal(answer.headers.get('set-cookie'), null)
      assert.doesNotMatch(await answer.text(), /hunter2/)
    }
  })
})

describe('what may be left out of an answer', () => {
  const Stored = z.object({
    id: z.int(),
    name: z.string(),
    note: z.string().nullable(),
    stars: z.int(),
    secret: z.string(),
  })
  const note = z.codec(z.string().optional(), z.string().nullable(), {
    decode: value => value ?? null,
    encode: value => value ?? undefined,
  })
  const stars = z.codec(z.int().optional(), z.int(), {
    decode: value => value ?? 3,
    encode: n => (n === 3 ? undefined : n),
  })
  const stored = { id: 1, name: 'Lamp', note: null, stars: 3, secret: 'x' }
  const make = () => {
    const app = new App({ log: silent })
    app.get('/picked', { returns: Stored.pick({ id: true, name: true }) }, () => stored)
    app.get('/omitted', { returns: Stored.omit({ secret: true }) }, () => stored)
    app.get('/lean', { returns: Stored.omit({ secret: true }).extend({ note, stars }) }, () => stored)
    app.get('/full', { returns: Stored.omit({ secret: true }).extend({ note, stars }) }, () => ({
      ...stored,
      note: 'n',
      stars: 4,
    }))
    app.get('/unset', { returns: Stored.partial() }, () => ({ id: 1, name: undefined }))
    return app
  }

  onEachSeam(
    'is the schema’s to say: keys picked or omitted, and absent for undefined, null or a default',
    make,
    async ask => {
      const body = async (path: `/${string}`) => (await ask(path)).text()
      assert.equal(await body('/picked'), '{"id":1,"name":"Lamp"}')
      assert.equal(await body('/omitted'), '{"id":1,"name":"Lamp","note":null,"stars":3}')
      assert.equal(await body('/lean'), '{"id":1,"name":"Lamp"}')
      assert.equal(await body('/full'), '{"id":1,"name":"Lamp","note":"n","stars":4}')
      assert.equal(await body('/unset'), '{"id":1}')
    },
  )

  test('is optional in the document', () => {
    const { get } = make().openapi().paths['/lean'] as { get: { responses: { 200: { content: object } } } }
    const { schema } = (get.responses[200].content as { 'application/json': { schema: { required: string[] } } })[
      'application/json'
    ]
    assert.deepEqual(schema.required, ['id', 'name'])
  })
})

test('a status that has no body cannot be declared with one', () => {
  for (const status of [204, 205, 304])
    assert.throws(() => new App().include(bodyless(status)).manifest(), { code: 'APP_BODYLESS_STATUS' })

  function bodyless(status: number) {
    return new App().get('/', { returns: { [status]: z.string() } as never }, () => 'x' as never)
  }
})

describe('time', () => {
  onEachSeam(
    'a handler over its timeout is a 504, and its signal aborts',
    () => {
      let reason: unknown
      const app = new App({ log: silent })
      app.get(
        '/slow',
        { timeout: 60 },
        ({ signal }) =>
          new Promise(resolve => signal.addEventListener('abort', () => resolve((reason = signal.reason)))),
      )
      app.get('/reason', () => (reason as { code: string }).code)
      return app
    },
    async ask => {
      assert.equal((await ask('/slow')).status, 504)
      assert.equal(await (await ask('/reason')).json(), 'DEADLINE_PASSED')
    },
  )

  let gone = Promise.withResolvers<unknown>()
  let entered = Promise.withResolvers<void>()
  onEachSeam(
    'a client that leaves aborts the signal',
    () => {
      gone = Promise.withResolvers<unknown>()
      entered = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      app.get('/slow', ({ signal }) => {
        signal.addEventListener('abort', () => gone.resolve(signal.reason))
        entered.resolve()
        return gone.promise.then(() => 1)
      })
      return app
    },
    async ask => {
      const leaving = new AbortController()
      const answer = ask('/slow', { signal: leaving.signal })
      answer.catch(() => {})
      await entered.promise
      leaving.abort()
      assert.equal(((await gone.promise) as { code: string }).code, 'HTTP_CLIENT_GONE')
    },
  )

  let free = Promise.withResolvers<void>()
  onEachSeam(
    'a limit refuses what comes on top of its queue with 503 and Retry-After',
    () => {
      free = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      app.get('/narrow', { limit: { concurrent: 1, queue: 1 } }, () => free.promise)
      return app
    },
    async ask => {
      const asked = [ask('/narrow'), ask('/narrow'), ask('/narrow')]
      const refused = await Promise.race(asked)
      assert.equal(refused.status, 503)
      assert.ok(Number(refused.headers.get('retry-after')) >= 1)
      free.resolve()
      assert.deepEqual((await Promise.all(asked)).map(({ status }) => status).sort(), [200, 200, 503])
    },
  )
})
