import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, test } from 'node:test'
import { App, dependency, fail, type Middleware, Router } from 'millrace'
import { requestId } from 'millrace/middleware'
import { serve } from 'millrace/server'
import { testClient } from 'millrace/testing'
import { onEachSeam, silent } from './support/seams.ts'

const text = (of: string, init?: ResponseInit) => new Response(of, init)

/** What the mounted side saw, as text. */
const echo = async (request: Request) => {
  const { pathname, search } = new URL(request.url)
  return text(`${request.method} ${pathname}${search} ${await request.text()}`.trim())
}

describe('a mounted fetch handler', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get('/old/own', () => 'own')
    app.mount('/old', echo)
    app.mount('/hono', { fetch: echo })
    return app
  }

  onEachSeam('sees what is behind the prefix, percent-encoded as it must be', make, async ask => {
    assert.equal(await (await ask('/old/a/b?x=1')).text(), 'GET /a/b?x=1')
    assert.equal(await (await ask('/old/caf%C3%A9/a%20b')).text(), 'GET /caf%C3%A9/a%20b')
    assert.equal(await (await ask('/hono/a')).text(), 'GET /a')
    assert.equal(await (await ask('/old/')).text(), 'GET /')
  })

  onEachSeam('takes any method; bodies go through, and HEAD has none', make, async ask => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])
      assert.equal(await (await ask('/old/x', { method, body: 'hello' })).text(), `${method} /x hello`)
    const head = await ask('/old/x', { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  })

  onEachSeam('is redirected to from the prefix alone, and leaves routes below it their own', make, async ask => {
    const bare = await ask('/old?a=1', { redirect: 'manual' })
    assert.equal(bare.status, 307)
    assert.equal(bare.headers.get('location'), '/old/?a=1')
    assert.equal(await (await ask('/old/own')).json(), 'own')
    assert.equal(await (await ask('/old/own', { method: 'POST' })).text(), 'POST /own')
    assert.equal((await ask('/older')).status, 404)
  })

  onEachSeam(
    'has dependencies, middleware and a limit around it, as a route has, and the prefix of its router',
    () => {
      const key = dependency(({ request }) => request.headers.get('x-key') ?? fail(401, 'no key'))
      const router = new Router({ prefix: '/legacy', use: [requestId()] })
      router.mount('/old', echo, { uses: { key }, limit: { concurrent: 1 } })
      return new App({ log: silent }).include(router, { prefix: '/v1' })
    },
    async ask => {
      assert.equal((await ask('/v1/legacy/old/a')).status, 401)
      const answer = await ask('/v1/legacy/old/a', { headers: { 'x-key': 'k' } })
      assert.equal(await answer.text(), 'GET /a')
      assert.ok(answer.headers.get('x-request-id'))
    },
  )

  onEachSeam(
    'mounted at the root takes what nothing else does',
    () => {
      const app = new App({ log: silent })
      app.get('/a', () => 'a')
      return app.mount('/', echo)
    },
    async ask => {
      assert.equal(await (await ask('/a')).json(), 'a')
      assert.equal(await (await ask('/')).text(), 'GET /')
      assert.equal(await (await ask('/b/c')).text(), 'GET /b/c')
      assert.equal((await ask('/openapi.json')).headers.get('content-type'), 'application/json')
    },
  )

  test('hears of a client that goes away', { timeout: 240_000 }, async () => {
    const asked = Promise.withResolvers<AbortSignal>()
    const app = new App({ log: silent })
    app.mount('/slow', ({ signal }) => {
      asked.resolve(signal)
      return new Promise<Response>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    })
    const server = await serve(app, { port: 0, host: '127.0.0.1' })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.write('GET /slow/a HTTP/1.1\r\nHost: a\r\n\r\n')
    const signal = await asked.promise
    socket.destroy()
    if (!signal.aborted) await once(signal, 'abort')
    await server.close()
  })
})

describe('a mounted listener of node:http', () => {
  const listener = async (req: IncomingMessage & { baseUrl?: string; originalUrl?: string }, res: ServerResponse) => {
    if (req.url === '/throws') throw new Error('no')
    if (req.url === '/early') return res.writeHead(413).end('too much')
    let body = ''
    for await (const piece of req.setEncoding('utf8')) body += piece as string
    res.setHeader('x-seen', `${req.method} ${req.url} ${req.baseUrl} ${req.originalUrl}`)
    res.setHeader('set-cookie', ['a=1', 'b=2'])
    res.writeHead(201, { 'content-type': 'text/plain' })
    res.write('got ')
    res.end(body)
  }
  const make = () => new App({ log: silent }).mount('/node', { node: listener })

  onEachSeam('gets a request of node:http and answers by its response', make, async ask => {
    const answer = await ask('/node/a%20b?x=1', { method: 'POST', body: 'hello' })
    assert.equal(answer.status, 201)
    assert.equal(await answer.text(), 'got hello')
    assert.equal(answer.headers.get('x-seen'), 'POST /a%20b?x=1 /node /node/a%20b?x=1')
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
    assert.equal(answer.headers.get('content-type'), 'text/plain')
    const head = await ask('/node/a', { method: 'HEAD' })
    assert.equal(head.status, 201)
    assert.equal(await head.text(), '')
  })

  onEachSeam('that throws is a 500, and one that answers before it has read is its answer', make, async ask => {
    assert.equal((await ask('/node/throws')).status, 500)
    const early = await ask('/node/early', { method: 'POST', body: 'x'.repeat(100_000) })
    assert.equal(early.status, 413)
    assert.equal(await early.text(), 'too much')
  })

  onEachSeam(
    'with next, as Express has it, is a 404 where nobody takes it',
    () =>
      new App({ log: silent }).mount('/x', {
        node: (_req: unknown, _res: unknown, next: (error?: unknown) => void) => next(),
      }),
    async ask => {
      const answer = await ask('/x/a')
      assert.equal(answer.status, 404)
      await answer.body?.cancel()
    },
  )

  test('has uploads streamed to it at its own pace, and answers streamed from it', { timeout: 240_000 }, async () => {
    const megabytes = 8
    let held = 0
    let received = 0
    const app = new App({ log: silent })
    app.mount(
      '/up',
      {
        node: async (req: IncomingMessage, res: ServerResponse) => {
          for await (const piece of req) {
            received += (piece as Buffer).length
            held = Math.max(held, req.readableLength)
            await new Promise(resolve => setImmediate(resolve))
          }
          res.writeHead(200)
          for (let n = 0; n < megabytes; n++) if (!res.write(Buffer.alloc(2 ** 20))) await once(res, 'drain')
          res.end()
        },
      },
      { maxBodyBytes: 64 * 2 ** 20 },
    )
    const client = testClient(app)
    const answer = await client.fetch('/up/file', { method: 'PUT', body: Buffer.alloc(megabytes * 2 ** 20) })
    let sent = 0
    for await (const piece of answer.body!) sent += piece.length
    assert.equal(received, megabytes * 2 ** 20)
    assert.equal(sent, megabytes * 2 ** 20)
    assert.ok(held < 2 ** 20, `${held} bytes held`)
    await client.close()
  })

  test('is ended when its client goes away', { timeout: 240_000 }, async () => {
    const asked = Promise.withResolvers<ServerResponse>()
    const app = new App({ log: silent })
    app.mount('/slow', { node: (_req: IncomingMessage, res: ServerResponse) => asked.resolve(res) })
    const server = createServer(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET /slow/a HTTP/1.1\r\nHost: a\r\n\r\n')
    const res = await asked.promise
    socket.destroy()
    if (!res.closed) await once(res, 'close')
    server.close()
    server.closeAllConnections()
    await app.close()
  })
})

describe('a mounted app', () => {
  const inner = (order: string[] = []) => {
    const app = new App({
      log: silent,
      title: 'Inner',
      async *lifespan() {
        order.push('up')
        yield
        order.push('down')
      },
    })
    app.get('/items/{id}', ({ params }) => params.id)
    app.post('/items', async ({ request }) => (await request.text()).length)
    app.get('/stream', () => new Response('a'.repeat(10)))
    app.get('/link', () => app.url('/items/{id}', { params: { id: 7 } }))
    return app
  }
  const make = () => new App({ log: silent }).mount('/inner', inner())

  onEachSeam('answers with its own routes, errors, redirects and docs', make, async ask => {
    assert.equal(await (await ask('/inner/items/7')).json(), '7')
    assert.equal(await (await ask('/inner/items', { method: 'POST', body: 'hello' })).json(), 5)
    assert.equal((await ask('/inner/items', { method: 'DELETE' })).headers.get('allow'), 'OPTIONS, POST')
    assert.equal((await ask('/inner/nope')).status, 404)
    const slash = await ask('/inner/items/7/?a=1', { redirect: 'manual' })
    assert.equal(slash.headers.get('location'), '/inner/items/7?a=1')
    assert.equal((await ask('/inner/docs')).status, 200)
    assert.equal((await ask('/inner', { redirect: 'manual' })).headers.get('location'), '/inner/')
    assert.equal(await (await ask('/inner/link')).json(), '/inner/items/7')
  })

  onEachSeam('has a document of its own whose server is the mount', make, async ask => {
    const own = await (await ask('/inner/openapi.json')).json()
    assert.deepEqual(own.servers, [{ url: '/inner' }])
    assert.deepEqual(Object.keys(own.paths), ['/items/{id}', '/items', '/stream', '/link'])
    const outer = await (await ask('/openapi.json')).json()
    assert.deepEqual(outer.servers, [{ url: '/' }])
    assert.deepEqual(outer.paths, {})
  })

  onEachSeam(
    'has the middleware of the app around it, whole answers and streams alike',
    () => {
      const marked: Middleware = async (_context, next) => {
        const answer = await next()
        answer.headers.set('x-outer', String(answer.status))
      }
      return new App({ log: silent, use: [marked] }).mount('/inner', inner())
    },
    async ask => {
      for (const [path, body, status] of [
        ['/inner/items/7', '"7"', '200'],
        ['/inner/stream', 'aaaaaaaaaa', '200'],
        ['/inner/nope', undefined, '404'],
      ] as const) {
        const answer = await ask(path)
        assert.equal(answer.headers.get('x-outer'), status, path)
        if (body !== undefined) assert.equal(await answer.text(), body)
      }
    },
  )

  test('is started once and stopped with the app around it, however often it is mounted', async () => {
    const order: string[] = []
    const app = new App({
      log: silent,
      async *lifespan() {
        order.push('outer up')
        yield
        order.push('outer down')
      },
    })
    const mounted = inner(order)
    app.mount('/a', mounted).mount('/b', mounted)
    const client = testClient(app)
    assert.equal((await client.fetch('/a/items/1')).status, 200)
    assert.equal((await client.fetch('/b/items/1')).status, 200)
    await client.close()
    assert.deepEqual(order, ['outer up', 'up', 'down', 'outer down'])
  })

  test('that cannot start stops the one around it from starting, which is undone', async () => {
    const order: string[] = []
    const app = new App({
      log: silent,
      async *lifespan() {
        try {
          yield
        } finally {
          order.push('outer down')
        }
      },
    })
    const broken = new App({
      log: silent,
      async *lifespan() {
        throw new Error('no database')
      },
    })
    app.mount('/a', inner(order)).mount('/b', broken)
    await assert.rejects(app.start(), /no database/)
    assert.deepEqual(order, ['up', 'down', 'outer down'])
  })

  test('is listed with its prefix, and its mistakes are told at the start', () => {
    const app = make()
    assert.deepEqual(
      app.manifest().routes.map(({ method, path }) => `${method} ${path}`),
      ['GET /inner/items/{id}', 'POST /inner/items', 'GET /inner/stream', 'GET /inner/link'],
    )
    const wrong = new App({ log: silent })
    wrong.get('/a/{x}', () => 1)
    wrong.get('/a/{y}', () => 1)
    assert.throws(() => new App({ log: silent }).mount('/in', wrong).manifest(), { code: 'APP_DUPLICATE_ROUTE' })
  })

  test('names its routes with the prefix to logs and metrics', async () => {
    const seen: string[] = []
    const note: Middleware = async ({ route }, next) => {
      await next()
      seen.push(route)
    }
    const mounted = new App({ log: silent, use: [note] })
    mounted.get('/items/{id}', () => 1)
    const client = testClient(new App({ log: silent }).mount('/inner', mounted))
    await client.fetch('/inner/items/7')
    assert.deepEqual(seen, ['/inner/items/{id}'])
    await client.close()
  })
})

describe('what cannot be mounted', () => {
  test('is refused while it is being declared, with the way out', () => {
    const mount = (what: unknown) => () => new App().mount('/x', what as never)
    assert.throws(
      mount((_req: unknown, _res: unknown) => {}),
      { code: 'APP_NOT_MOUNTABLE', message: /\{ node: listener \}/ },
    )
    assert.throws(mount(7), { code: 'APP_NOT_MOUNTABLE' })
    assert.throws(mount({}), { code: 'APP_NOT_MOUNTABLE' })
    assert.throws(() => new App().mount('/x/', echo), { code: 'APP_BAD_PREFIX' })
  })

  test('is an app in itself', async () => {
    const one = new App({ log: silent })
    const two = new App({ log: silent }).mount('/one', one)
    one.mount('/two', two)
    assert.throws(() => one.manifest(), { code: 'APP_INCLUDE_CYCLE' })
    await assert.rejects(one.start(), { code: 'APP_INCLUDE_CYCLE' })
  })
})
