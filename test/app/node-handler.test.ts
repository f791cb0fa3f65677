import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { App, type NodeHandler, stream } from 'millrace'
import * as z from 'zod'
import type { Exchange, Peer } from '../../src/http/exchange.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { Embedded } from '../../src/app/embedded.ts'
import { nodeHandler } from '../../src/app/node-handler.ts'
import { ask } from '../../src/testing/ask.ts'
import { json, silent } from './support/seams.ts'

interface Served {
  readonly port: number
  ask(path: string, init?: RequestInit): Promise<Response>
  /** Bytes in; everything that comes back until the server closes. */
  raw(bytes: string): Promise<string>
}

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  opened.push(async () => {
    server.close()
    server.closeAllConnections()
    if (server.listening) await once(server, 'close')
  })
  return {
    port,
    ask: (path, init = {}) => ask(path, init, { host: '127.0.0.1', port }),
    async raw(bytes) {
      const socket = connect(port, '127.0.0.1')
      socket.setEncoding('latin1').write(bytes, 'latin1')
      let text = ''
      for await (const piece of socket) text += piece as string
      return text
    },
  }
}

/** What the seam does with an exchange that the app above would never ask for. */
function bare(handler: (exchange: Exchange) => void): NodeHandler {
  const started = { handler, bodyLimits: DEFAULT_LIMITS, takes: () => true, leave() {}, stop: async () => {} }
  return nodeHandler(new Embedded(async () => started), () => silent, {})
}

const empty = (method: string, target: string, fields = 'Host: a\r\n') =>
  `${method} ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`

describe('app.nodeHandler()', () => {
  test('starts the app with its first request, and close() ends it', async () => {
    const order: string[] = []
    const app = new App({
      log: silent,
      async *lifespan() {
        order.push('up')
        yield
        order.push('down')
      },
    })
    app.get('/', ({ defer }) => {
      defer(() => order.push('deferred'))
      return 1
    })
    const server = await serve(app.nodeHandler())
    assert.deepEqual(order, [])
    const both = await Promise.all([server.ask('/'), server.ask('/')])
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200],
    )
    await app.close()
    await app.close()
    assert.deepEqual(order, ['up', 'deferred', 'deferred', 'down'])
    assert.equal((await server.ask('/')).status, 503)
  })

  test('a start that fails is told to next(), or answered with a bare 500; the next request tries again', async () => {
    let tries = 0
    const logged: unknown[] = []
    const app = new App({
      log: { ...silent, error: (facts: unknown) => void logged.push(facts) },
      async *lifespan() {
        if (++tries < 3) throw new Error('password=hunter2')
        yield
      },
    })
    app.get('/', () => 'up')
    const handler = app.nodeHandler()
    let told: unknown
    const server = await serve((req, res) =>
      handler(
        req,
        res,
        tries > 0
          ? undefined
          : error => {
              told = error
              res.end()
            },
      ),
    )
    await server.ask('/')
    assert.match(String(told), /hunter2/)
    const failed = await server.ask('/')
    assert.equal(failed.status, 500)
    assert.doesNotMatch(await failed.text(), /hunter2/)
    assert.equal(logged.length, 1)
    assert.equal(await (await server.ask('/')).json(), 'up')
    await app.close()
  })

  test('a path that is malformed or smuggled, and a Host that is none, is refused with 400', async () => {
    const app = new App({ log: silent })
    app.get('/{path*}', ({ request }) => request.url)
    const server = await serve(app.nodeHandler())
    for (const target of ['/%zz', '/a%2Fb', '/%00', '/a%5Cb', '/\\a', 'http://a:b@c/', 'relative', '/a#b'])
      assert.match(await server.raw(empty('GET', target)), /^HTTP\/1\.1 400 /, target)
    for (const host of ['a/b', 'a@b', 'a b', 'a:99999'])
      assert.match(await server.raw(empty('GET', '/a', `Host: ${host}\r\n`)), /^HTTP\/1\.1 400 /, host)
    assert.match(await server.raw(empty('GET', '/a', 'Host: a\r\nHost: b\r\n')), /^HTTP\/1\.1 400 /)
    assert.match(await server.raw(empty('GET', 'http://b:81/x/../y?q')), /"http:\/\/b:81\/y\?q"/)
    await app.close()
  })

  test('fields keep their repeats, and the peer is the one on the socket', async () => {
    const told = Promise.withResolvers<{ exchange: Exchange; peer: Peer }>()
    const server = await serve(
      bare(exchange => {
        told.resolve({ exchange, peer: exchange.peer })
        exchange.send(prepareHead(204), null)
      }),
    )
    await server.raw(
      empty('GET', '/?a=1', 'Host: h:1\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\n__proto__: x\r\n'),
    )
    const { exchange, peer } = await told.promise
    const { fields, authority, search, scheme, target } = exchange
    assert.deepEqual(fields.all('x-a'), ['1', '2'])
    assert.equal(fields.get('x-a'), '1, 2')
    assert.equal(fields.get('cookie'), 'a=1; b=2')
    assert.equal(fields.get('__proto__'), 'x')
    assert.equal(fields.get('constructor'), undefined)
    assert.deepEqual([...fields.entries()].slice(0, 2), [
      ['host', 'h:1'],
      ['x-a', '1'],
    ])
    assert.equal(peer.address, '127.0.0.1')
    assert.ok(peer.port > 0)
    assert.deepEqual([authority, search, scheme, target], ['h:1', 'a=1', 'http', '/?a=1'])
  })

  test('HTTP/1.0 gets a body that the end of the connection delimits; HEAD, 204 and 304 get none', async () => {
    const app = new App({ log: silent })
    const stream = () => new Response(new Blob(['abc']).stream())
    app.get('/stream', stream)
    app.get('/text', () => 'x')
    app.get('/204', ({ reply }) => reply(204))
    app.get('/304', () => new Response(null, { status: 304, headers: { etag: '"a"' } }))
    const server = await serve(app.nodeHandler())
    const old = await server.raw('GET /stream HTTP/1.0\r\n\r\n')
    assert.match(old, /\r\n\r\nabc$/)
    assert.doesNotMatch(old, /transfer-encoding|content-length/i)
    assert.match(
      await server.raw(empty('GET', '/stream')),
      /transfer-encoding: chunked[^]*\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/i,
    )
    for (const [method, path, length] of [
      ['HEAD', '/text', '3'],
      ['GET', '/204', undefined],
      ['GET', '/304', undefined],
    ] as const) {
      const text = await server.raw(empty(method, path))
      assert.ok(text.endsWith('\r\n\r\n'), text)
      assert.equal(/content-length: (\d+)/i.exec(text)?.[1], length, path)
      assert.match(text, /^date: /im)
    }
    await app.close()
  })

  test('an answer that is not as long as declared ends the connection; a second answer is ignored', async () => {
    const answers: Record<string, (exchange: Exchange) => void> = {
      '/short': exchange => {
        const writer = exchange.start(prepareHead(200), undefined, 4)
        writer.write('abc')
        writer.end()
      },
      '/long': exchange => exchange.start(prepareHead(200), undefined, 2).write('abc'),
      '/twice': exchange => {
        exchange.send(prepareHead(200), 'one')
        exchange.send(prepareHead(200), 'two')
        exchange.start(prepareHead(200)).end()
      },
    }
    const server = await serve(bare(exchange => answers[exchange.path]!(exchange)))
    await assert.rejects(async () => (await server.ask('/short')).text())
    await assert.rejects(async () => (await server.ask('/long')).text())
    assert.equal(await (await server.ask('/twice')).text(), 'one')
  })

  test('early hints go out before the answer and trailers behind it; a field that would split them throws', async () => {
    const thrown: unknown[] = []
    const server = await serve(
      bare(exchange => {
        assert.throws(() => exchange.earlyHints(['link', '</a.css>\r\nx: y']), { code: 'HTTP_BAD_FIELD' })
        exchange.earlyHints(['link', '</a.css>; rel=preload; as=style'])
        const writer = exchange.start(prepareHead(200))
        exchange.earlyHints(['link', '</late.css>; rel=preload'])
        writer.write('abc')
        try {
          writer.end(['x-sum', 'a\r\nb'])
        } catch (error) {
          thrown.push(error)
        }
        writer.end(['x-sum', '900150983cd24fb0d6963f7d28e17f72', 'x-sum', 'two'])
      }),
    )
    const text = await server.raw(empty('GET', '/'))
    assert.match(
      text,
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/i,
    )
    assert.match(text, /0\r\nx-sum: 900150983cd24fb0d6963f7d28e17f72\r\nx-sum: two\r\n\r\n$/)
    assert.doesNotMatch(text, /late\.css/)
    assert.equal((thrown[0] as { code: string }).code, 'HTTP_BAD_FIELD')
    assert.doesNotMatch(await server.raw('GET / HTTP/1.0\r\n\r\n'), /103/)
  })

  test('a client that leaves aborts the signal, also when its body has been read', async () => {
    for (const bytes of [
      empty('GET', '/'),
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    ]) {
      const left = Promise.withResolvers<unknown>()
      const entered = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      const handler = ({ signal }: { signal: AbortSignal }) => {
        signal.addEventListener('abort', () => left.resolve(signal.reason))
        entered.resolve()
        return left.promise.then(() => 1)
      }
      app.get('/', handler)
      app.post('/', { body: z.object({}) }, handler)
      const server = await serve(app.nodeHandler())
      const socket = connect(server.port, '127.0.0.1')
      socket.write(bytes)
      await entered.promise
      socket.destroy()
      assert.equal(((await left.promise) as { code: string }).code, 'HTTP_CLIENT_GONE')
      await app.close()
    }
  })

  test('close() lets open requests finish, and cuts what takes longer than it gives', async () => {
    const entered = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    let open = 0
    const enter = () => void (++open === 2 && entered.resolve())
    const app = new App({ log: silent })
    app.get('/soon', async () => {
      enter()
      await go.promise
      return 'whole'
    })
    app.get('/never', () => {
      enter()
      return new Promise(() => {})
    })
    const server = await serve(app.nodeHandler())
    const soon = server.ask('/soon')
    const never = server.ask('/never')
    never.catch(() => {})
    await entered.promise
    const closed = app.close(500)
    go.resolve()
    assert.equal(await (await soon).json(), 'whole')
    await assert.rejects(never)
    await closed
  })

  test('a client that takes nothing of its answer is cut at once, not when it reads on', async () => {
    const app = new App({ log: silent })
    app.get('/', () =>
      stream(
        (async function* () {
          for (;;) yield Buffer.alloc(1_000_000)
        })(),
      ),
    )
    const server = createServer(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
    client.on('error', () => {})
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const [socket] = (await once(server, 'connection')) as [Socket]
    while (!socket.writableNeedDrain) await new Promise(resolve => setTimeout(resolve, 5))
    const closed = once(socket, 'close')
    await app.close(50)
    await closed
    client.destroy()
    server.close()
  })

  test('HTTP/2 through node’s compatibility API is the same app', async () => {
    const app = new App({ log: silent })
    app.post('/echo', { body: z.object({ a: z.int() }) }, ({ body, request }) => ({
      body,
      url: request.url,
      names: [...request.headers.keys()].filter(name => name.startsWith(':')),
    }))
    app.get('/stream', () => new Response(new Blob(['abc']).stream()))
    const server = createHttp2Server(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    const over = async (fields: Record<string, string>, body?: string) => {
      const stream = session.request(fields)
      stream.setEncoding('utf8').end(body)
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
      let text = ''
      for await (const piece of stream) text += piece as string
      return { status: head[':status'], text }
    }
    const echoed = await over({ ':method': 'POST', ':path': '/echo', 'content-type': 'application/json' }, '{"a":1}')
    assert.deepEqual(echoed, {
      status: 200,
      text: JSON.stringify({ body: { a: 1 }, url: `http://127.0.0.1:${port}/echo`, names: [] }),
    })
    assert.deepEqual(await over({ ':path': '/stream' }), { status: 200, text: 'abc' })
    assert.equal((await over({ ':path': '/none' })).status, 404)
    session.close()
    server.close()
    await app.close()
  })
})

/** What connect and Express do: the prefix is taken off `url`, and the whole is kept in `originalUrl`. */
function mount(prefix: string, handler: NodeHandler, then: (res: ServerResponse) => void): RequestListener {
  return (req, res) => {
    const { url = '/' } = req
    Object.assign(req, { originalUrl: url })
    req.url = url.slice(prefix.length) || '/'
    handler(req, res, () => {
      req.url = url
      then(res)
    })
  }
}

describe('app.nodeHandler() in an app of another framework', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get('/items', ({ request }) => request.url)
    app.post('/items', { body: z.object({ a: z.int() }) }, ({ body }) => body)
    app.use(async (_context, next) => {
      const answer = await next()
      answer.headers.set('x-ours', '1')
    })
    return app
  }

  test('paths begin behind the mount, and what goes back to the client has all of it', async () => {
    const app = make()
    const server = await serve(mount('/api', app.nodeHandler(), () => assert.fail('not asked to fall through')))
    assert.equal(await (await server.ask('/api/items?a=1')).json(), 'http://testserver/api/items?a=1')
    assert.equal((await server.ask('/api/items/?a=1')).headers.get('location'), '/api/items?a=1')
    assert.equal((await server.ask('/api/none')).status, 404)
    assert.equal((await server.ask('/api')).status, 404)
    assert.equal((await server.ask('/api/docs')).status, 200)
    await app.close()
  })

  test('with fallThrough, what no route takes goes on untouched', async () => {
    const app = make()
    const handler = app.nodeHandler({ fallThrough: true })
    const server = await serve(mount('/api', handler, res => void res.writeHead(299).end()))
    for (const [method, path, status] of [
      ['GET', '/api/items', 200],
      ['HEAD', '/api/items', 200],
      ['OPTIONS', '/api/items', 204],
      ['DELETE', '/api/items', 299],
      ['GET', '/api/items/', 299],
      ['GET', '/api/none', 299],
      ['GET', '/api/%zz', 299],
    ] as const) {
      const answer = await server.ask(path, { method })
      assert.equal(answer.status, status, `${method} ${path}`)
      assert.equal(answer.headers.get('x-ours'), status === 299 ? null : '1')
    }
    const alone = make()
    const without = await serve((req, res) => alone.nodeHandler({ fallThrough: true })(req, res))
    assert.equal((await without.ask('/none')).status, 404)
    await Promise.all([app.close(), alone.close()])
  })

  test('fields that others have set go out too; Vary and Set-Cookie are joined', async () => {
    const app = new App({ log: silent })
    app.get('/', ({ reply }) =>
      reply(200, 1, { headers: { vary: 'accept', 'x-a': 'ours' }, cookies: { b: '2', c: '3' } }),
    )
    const handler = app.nodeHandler()
    const server = await serve((req, res) => {
      res.setHeader('x-powered-by', 'somebody')
      res.setHeader('x-a', 'theirs')
      res.setHeader('vary', 'origin')
      res.setHeader('set-cookie', 'a=1')
      handler(req, res)
    })
    const { headers } = await server.ask('/')
    assert.equal(headers.get('x-powered-by'), 'somebody')
    assert.equal(headers.get('x-a'), 'ours')
    assert.equal(headers.get('vary'), 'origin, accept')
    assert.deepEqual(
      headers.getSetCookie().map(text => text.slice(0, 3)),
      ['a=1', 'b=2', 'c=3'],
    )
    await app.close()
  })

  test('an answer that somebody else has given stands', async () => {
    const go = Promise.withResolvers<void>()
    const app = new App({ log: silent })
    app.get('/', () => go.promise)
    const handler = app.nodeHandler()
    const server = await serve((req, res) => {
      handler(req, res)
      setImmediate(() => {
        res.writeHead(504).end('too late')
        go.resolve()
      })
    })
    const answer = await server.ask('/')
    assert.equal(answer.status, 504)
    assert.equal(await answer.text(), 'too late')
    await app.close()
  })

  test('a body that a parser took is one clear error, unless its bytes are still there', async () => {
    const errors: string[] = []
    const log = { ...silent, error: ({ err }: { err: { code: string } }) => void errors.push(err.code) }
    const app = new App({ log })
    app.get('/', () => 1)
    app.post('/', { body: z.object({ a: z.int() }), maxBodyBytes: 20 }, ({ body }) => body)
    const handler = app.nodeHandler()
    let keep: (bytes: Buffer) => object = () => ({})
    const server = await serve((req, res) => {
      const pieces: Buffer[] = []
      req.on('data', (piece: Buffer) => pieces.push(piece))
      req.on('end', () => {
        Object.assign(req, keep(Buffer.concat(pieces)))
        handler(req, res)
      })
    })
    const post = (body: unknown = { a: 1 }) => server.ask('/', json(body))
    keep = () => ({ body: { a: 1 } })
    assert.equal((await post()).status, 500)
    assert.deepEqual(errors, ['APP_BODY_TAKEN'])
    assert.equal((await server.ask('/', { method: 'HEAD' })).status, 200)
    for (const kept of [
      (bytes: Buffer) => ({ body: bytes }),
      (bytes: Buffer) => ({ body: bytes.toString() }),
      (bytes: Buffer) => ({ body: {}, rawBody: bytes }),
    ]) {
      keep = kept
      assert.deepEqual(await (await post()).json(), { a: 1 })
      assert.equal((await post({ a: 1, b: 'x'.repeat(20) })).status, 413)
    }
    await app.close()
  })

  test('what is left of a body that was refused is read, so that the client hears the answer', async () => {
    const app = new App({ log: silent })
    app.post('/', { body: z.string(), maxBodyBytes: 16 }, () => 1)
    app.post('/unread', () => 'early')
    const server = await serve(app.nodeHandler())
    for (const [path, status] of [
      ['/', 413],
      ['/unread', 200],
    ] as const)
      for (const connection of ['close', 'keep-alive']) {
        const socket = connect(server.port, '127.0.0.1')
        let text = ''
        socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
        const fields = `Host: a\r\nContent-Type: application/json\r\nConnection: ${connection}\r\n`
        socket.write(`POST ${path} HTTP/1.1\r\n${fields}Content-Length: ${8 << 20}\r\n\r\n`)
        for (let n = 0; n < 8; n++) if (!socket.write(Buffer.alloc(1 << 20, 0x20))) await once(socket, 'drain')
        if (!socket.readableEnded) await once(socket, 'end')
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
        assert.match(text, /^connection: close/im)
        socket.destroy()
      }
    await app.close()
  })
})
