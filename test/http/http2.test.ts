// HTTP/2 makes the same exchanges as HTTP/1: the same rules for what comes in, the same answers going out.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants } from 'node:http2'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { RequestRecord } from '../../src/core/request-record.ts'
import { Engine, type EngineOptions } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import type { Handler } from '../../src/http/handler.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { ask, answerOf, connect, type Connected, FRAME, frame, FrameClient, request } from './support/http2-client.ts'

const OK = prepareHead(200, ['content-type', 'text/plain'])
const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL } = constants

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

interface Told {
  readonly engine: Engine
  readonly client: Connected
  readonly records: RequestRecord[]
  readonly errors: unknown[]
  readonly refused: string[]
}

async function serving(handler: Handler, options: EngineOptions = {}): Promise<Told> {
  const [records, errors, refused]: [RequestRecord[], unknown[], string[]] = [[], [], []]
  const engine = new Engine(handler, {
    onFinished: record => records.push(record),
    onError: error => errors.push(error),
    onRefused: error => refused.push(error.code),
    ...options,
  })
  const client = await connect(engine)
  cleanups.push(() => (client.close(), engine.close()))
  return { engine, client, records, errors, refused }
}

const codeOf = (error: unknown): string => (error as { code: string }).code

describe('a request over HTTP/2', () => {
  test('is the exchange it would be over HTTP/1', async () => {
    let seen: Exchange | undefined
    const { client, records } = await serving(exchange => {
      seen = exchange
      exchange.record.route = '/r'
      exchange.send(OK, 'hello')
    })
    const answer = await ask(client, {
      ':path': '/a/%62/../c?q=1',
      ':authority': 'shop.example:8443',
      'x-a': 'é',
      cookie: ['a=1', 'b=2'],
    })
    assert.equal(answer.status, 200)
    assert.equal(answer.body, 'hello')
    assert.equal(answer.fields['content-length'], '5')
    assert.equal(answer.fields['content-type'], 'text/plain')
    assert.ok(answer.fields.date)
    assert.equal(answer.fields.connection, undefined)
    assert.equal(answer.code, NGHTTP2_NO_ERROR)
    assert.equal(seen!.method, 'GET')
    assert.equal(seen!.target, '/a/%62/../c?q=1')
    assert.equal(seen!.path, '/a/c')
    assert.equal(seen!.search, 'q=1')
    assert.equal(seen!.authority, 'shop.example:8443')
    assert.equal(seen!.scheme, 'http')
    assert.equal(seen!.fields.get('host'), 'shop.example:8443')
    assert.equal(seen!.fields.get('cookie'), 'a=1; b=2')
    assert.equal(seen!.fields.has(':path'), false)
    assert.equal(seen!.peer.address, '127.0.0.1')
    assert.equal(seen!.body.kind, 'none')
    assert.deepEqual(
      records.map(({ method, route, status, bytesOut }) => ({ method, route, status, bytesOut })),
      [{ method: 'GET', route: '/r', status: 200, bytesOut: 5 }],
    )
  })

  test('many at once are served at once, and counted', async () => {
    const held = Promise.withResolvers<void>()
    const { engine, client } = await serving(async exchange => {
      await held.promise
      exchange.send(OK, exchange.path)
    })
    const answers = Promise.all(Array.from({ length: 50 }, (_, n) => ask(client, { ':path': `/${n}` })))
    while (engine.inflight < 50) await turn()
    assert.equal(engine.connections, 1)
    held.resolve()
    assert.deepEqual(
      (await answers).map(({ body }) => body),
      Array.from({ length: 50 }, (_, n) => `/${n}`),
    )
    assert.equal(engine.inflight, 0)
  })

  test('its body is whole when the handler runs if it is small, and of the length it declares', async () => {
    const kinds: unknown[] = []
    const { client, records } = await serving(exchange => {
      kinds.push([exchange.body.kind, exchange.body.length])
      const bytes = exchange.body.bytes()
      assert.ok(!(bytes instanceof Promise))
      exchange.send(OK, bytes)
    })
    const text = 'x'.repeat(20_000)
    assert.equal((await ask(client, { ':method': 'POST' }, text)).body, text)
    assert.equal((await ask(client, { ':method': 'POST', 'content-length': 5 }, 'hello')).body, 'hello')
    assert.equal((await ask(client, { ':method': 'POST' }, '')).body, '')
    assert.deepEqual(kinds, [
      ['chunked', undefined],
      ['length', 5],
      ['chunked', undefined],
    ])
    assert.deepEqual(
      records.map(({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
      [
        [20_000, 20_000],
        [5, 5],
        [0, 0],
      ],
    )
  })

  test('nothing of a body is read ahead of a handler that does not take it', async () => {
    const release = Promise.withResolvers<void>()
    const { client } = await serving(
      async exchange => {
        if (exchange.method === 'GET') return exchange.send(OK, null)
        await release.promise
        let size = 0
        for await (const piece of exchange.body) size += piece.length
        exchange.send(OK, String(size))
      },
      { limits: { maxBodyBytes: 10_000_000 } },
    )
    const stream = client.session.request({ ':method': 'POST', ':path': '/', 'content-length': 5_000_000 })
    let taken = 0
    for (let n = 0; n < 50; n++) stream.write(Buffer.alloc(100_000), () => (taken += 100_000))
    stream.end()
    // Answers on other streams show that time has passed and the connection is not held up.
    for (let n = 0; n < 20; n++) await ask(client)
    release.resolve()
    assert.ok(taken <= 300_000, `${taken} bytes were taken`)
    assert.equal((await answerOf(stream)).body, '5000000')
  })

  test('a body over the limit is a 413 by its declared length, or when the limit is passed', async () => {
    const failures: string[] = []
    const { client } = await serving(
      async exchange => {
        try {
          exchange.send(OK, await exchange.body.bytes())
        } catch (error) {
          failures.push(codeOf(error))
          exchange.send(prepareHead(413), null)
        }
      },
      { limits: { maxBodyBytes: 1000 } },
    )
    assert.equal((await ask(client, { ':method': 'POST', 'content-length': 2000 }, 'x'.repeat(2000))).status, 413)
    assert.equal((await ask(client, { ':method': 'POST' }, 'x'.repeat(2000))).status, 413)
    assert.deepEqual(failures, ['HTTP_BODY_TOO_LARGE', 'HTTP_BODY_TOO_LARGE'])
  })

  test('answered before its body has come ends with the answer, whole', async () => {
    const { client } = await serving(exchange => exchange.send(OK, 'no, thanks'))
    const stream = client.session.request({ ':method': 'POST', ':path': '/', 'content-length': 1_000_000 })
    stream.write(Buffer.alloc(100))
    const answer = await answerOf(stream)
    assert.equal(answer.status, 200)
    assert.equal(answer.body, 'no, thanks')
    assert.equal(answer.code, NGHTTP2_NO_ERROR)
  })

  test('reset in the middle of its body does not look whole to its reader, whatever code it is reset with', async () => {
    for (const code of [NGHTTP2_CANCEL, NGHTTP2_NO_ERROR]) {
      const whole = Promise.withResolvers<unknown>()
      const reading = Promise.withResolvers<void>()
      const engine = new Engine(
        async exchange => {
          try {
            for await (const piece of exchange.body) if (piece.length > 0) reading.resolve()
            whole.resolve('whole')
          } catch (error) {
            whole.resolve(codeOf(error))
          }
        },
        { limits: { gatherMs: 0 } },
      )
      const client = await FrameClient.open(engine)
      cleanups.push(() => (client.destroy(), engine.close()))
      client.send(request(1, 0), frame(FRAME.data, 0, 1, Buffer.from('half')))
      await reading.promise
      client.send(frame(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, code])))
      assert.equal(await whole.promise, 'HTTP_BODY_ABORTED')
      while (engine.inflight > 0) await turn()
    }
  })

  test('says 100 when the body is first read, and not before', async () => {
    const { client } = await serving(async exchange => {
      if (exchange.path === '/read') exchange.send(OK, await exchange.body.bytes())
      else exchange.send(OK, 'unread')
    })
    const expecting = { ':method': 'POST', expect: '100-continue', 'content-length': 4 }
    const read = client.session.request({ ...expecting, ':path': '/read' })
    read.on('continue', () => read.end('data'))
    assert.equal((await answerOf(read)).body, 'data')
    const unread = client.session.request({ ...expecting, ':path': '/' })
    let isTold = false
    unread.on('continue', () => (isTold = true))
    assert.equal((await answerOf(unread)).body, 'unread')
    assert.equal(isTold, false)
  })
})

describe('a refused request over HTTP/2', () => {
  const cases: readonly (readonly [
    name: string,
    fields: Record<string, string | string[]>,
    status: number,
    code: string,
  ])[] = [
    ['an unknown method', { ':method': 'BREW' }, 501, 'HTTP_UNKNOWN_METHOD'],
    ['TRACE', { ':method': 'TRACE' }, 405, 'HTTP_NO_TRACE'],
    ['a method over 32 characters', { ':method': 'M'.repeat(33) }, 400, 'HTTP_BAD_METHOD'],
    ['a fragment', { ':path': '/a#b' }, 400, 'HTTP_BAD_TARGET'],
    ['a byte over 0x7f in the target', { ':path': '/é' }, 400, 'HTTP_BAD_TARGET'],
    ['a long target', { ':path': '/' + 'x'.repeat(8192) }, 414, 'HTTP_TARGET_TOO_LONG'],
    ['an escaped slash', { ':path': '/a%2fb' }, 400, 'HTTP_BAD_PATH'],
    ['another scheme', { ':scheme': 'ftp' }, 400, 'HTTP_BAD_TARGET'],
    ['Host and authority that differ', { host: 'b' }, 400, 'HTTP_BAD_HOST'],
    ['an expectation we do not know', { expect: 'more' }, 417, 'HTTP_UNKNOWN_EXPECTATION'],
    ['the twin of a framing field', { transfer_encoding: 'chunked' }, 400, 'HTTP_FIELD_TWIN'],
    ['a padded length', { ':method': 'POST', 'content-length': '05' }, 400, 'HTTP_BAD_CONTENT_LENGTH'],
    ['a head that is a little too large', { 'x-a': 'a'.repeat(16_400) }, 431, 'HTTP_HEAD_TOO_LARGE'],
    [
      'a field too many',
      Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`x-${n}`, '1'])),
      431,
      'HTTP_TOO_MANY_FIELDS',
    ],
  ]
  for (const [name, fields, status, code] of cases)
    test(`${name}: ${status}, and the next one is served`, async () => {
      const { client, refused, records } = await serving(exchange => exchange.send(OK, 'served'))
      const answer = await ask(client, fields, 'content-length' in fields ? 'hello' : undefined)
      assert.equal(answer.status, status)
      assert.equal(answer.fields['content-type'], 'application/problem+json')
      assert.deepEqual(refused, [code])
      assert.equal((await ask(client)).body, 'served')
      assert.equal(records.length, 1)
    })

  for (const [name, fields] of [
    ['a target that is no path', { ':path': 'http://a/' }],
    ['* with GET', { ':path': '*' }],
    ['userinfo in the authority', { ':authority': 'me@a' }],
  ] as const)
    test(`${name}: its stream is reset, and the next one is served`, async () => {
      const { client, records } = await serving(exchange => exchange.send(OK, 'served'))
      const answer = await ask(client, fields)
      assert.deepEqual([answer.status, answer.code], [0, constants.NGHTTP2_PROTOCOL_ERROR])
      assert.equal((await ask(client)).body, 'served')
      assert.equal(records.length, 1)
    })

  test('CONNECT opens no tunnel', async () => {
    const { client, refused } = await serving(exchange => exchange.send(OK, 'served'))
    const stream = client.session.request({ ':method': 'CONNECT', ':authority': 'a:1' })
    assert.equal((await answerOf(stream)).status, 501)
    assert.deepEqual(refused, ['HTTP_NO_TUNNEL'])
    assert.equal((await ask(client)).body, 'served')
  })
})

describe('an answer over HTTP/2', () => {
  test('to HEAD, and by 204, 205 and 304, has no body', async () => {
    const { client, errors } = await serving(exchange =>
      exchange.send(exchange.path === '/' ? OK : prepareHead(Number(exchange.path.slice(1))), 'body'),
    )
    const head = await ask(client, { ':method': 'HEAD' })
    assert.deepEqual([head.status, head.fields['content-length'], head.body], [200, '4', ''])
    for (const status of [204, 205, 304]) {
      const answer = await ask(client, { ':path': `/${status}` })
      assert.deepEqual([answer.status, answer.fields['content-length'], answer.body], [status, undefined, ''])
    }
    assert.deepEqual(errors, [])
  })

  test('takes text, bytes and nothing, small and large', async () => {
    const large = 'é'.repeat(200_000)
    const { client } = await serving(exchange => {
      if (exchange.path === '/text') exchange.send(OK, large)
      else if (exchange.path === '/bytes') exchange.send(OK, Buffer.from(large))
      else exchange.send(OK, null)
    })
    const bytes = Buffer.from(large).toString('latin1')
    for (const path of ['/text', '/bytes']) {
      const answer = await ask(client, { ':path': path })
      assert.equal(answer.fields['content-length'], '400000')
      assert.equal(answer.body, bytes)
    }
    assert.equal((await ask(client)).fields['content-length'], '0')
  })

  test('keeps repeated fields and its own date, and leaves out what speaks of an HTTP/1 connection', async () => {
    const head = prepareHead(200, ['Set-Cookie', 'a=1', 'Proxy-Connection', 'keep-alive'])
    const { client } = await serving(exchange =>
      exchange.send(head, 'x', ['Set-Cookie', 'b=2', 'Date', 'then', 'Content-Type', 'a/b', 'content-type', 'c/d']),
    )
    for (let n = 0; n < 2; n++) {
      const { fields } = await ask(client)
      assert.deepEqual(fields['set-cookie'], ['a=1', 'b=2'])
      assert.equal(fields.date, 'then')
      assert.equal(fields['proxy-connection'], undefined)
    }
  })

  test('sends nothing of an answer with a field that may not be sent, and can answer otherwise', async () => {
    const { client } = await serving(exchange => {
      assert.throws(() => exchange.send(OK, 'x', ['x-a', 'a\r\nb: c']), { code: 'HTTP_BAD_FIELD' })
      assert.throws(() => exchange.start(OK, ['connection', 'close']), { code: 'HTTP_BAD_FIELD' })
      exchange.send(OK, 'fine')
    })
    assert.equal((await ask(client)).body, 'fine')
  })

  test('early hints come before it, and trailers behind it', async () => {
    const { client } = await serving(exchange => {
      exchange.earlyHints(['link', '</a.css>; rel=preload'])
      const writer = exchange.start(OK)
      writer.write('body')
      writer.end(['x-sum', '42'])
      exchange.earlyHints(['link', 'too late'])
    })
    const answer = await ask(client)
    assert.deepEqual(
      answer.interim.map(fields => [fields[':status'], fields['link']]),
      [[103, '</a.css>; rel=preload']],
    )
    assert.equal(answer.body, 'body')
    assert.equal(answer.trailers!['x-sum'], '42')
  })

  test('in pieces waits for a client that is slower, and has the length it declares', async () => {
    let waits = 0
    const { client, records } = await serving(async exchange => {
      const writer = exchange.start(OK, undefined, 3_000_000)
      for (let n = 0; n < 30; n++)
        if (!writer.write(Buffer.alloc(100_000, 97))) {
          waits++
          await writer.drained()
        }
      writer.end()
    })
    const answer = await ask(client)
    assert.equal(answer.body.length, 3_000_000)
    assert.equal(answer.code, NGHTTP2_NO_ERROR)
    assert.ok(waits > 5)
    assert.equal(records[0]!.bytesOut, 3_000_000)
  })

  test('that is not as long as declared is reset, and so is one whose handler fails in the middle', async () => {
    const { client, errors, records } = await serving(async exchange => {
      const writer = exchange.start(OK, undefined, exchange.path === '/fails' ? undefined : 10)
      writer.write('short')
      await turn()
      if (exchange.path === '/fails') throw new Error('in the middle')
      if (exchange.path === '/long') writer.write('and much too long')
      writer.end()
    })
    for (const path of ['/short', '/long', '/fails'])
      assert.equal((await ask(client, { ':path': path })).code, NGHTTP2_INTERNAL_ERROR)
    assert.equal(codeOf(errors[0]), 'HTTP_WRONG_LENGTH')
    assert.equal(codeOf(errors[1]), 'HTTP_WRONG_LENGTH')
    assert.match(String(errors[2]), /in the middle/)
    assert.equal(records.length, 3)
    assert.equal((await ask(client, { ':path': '/short' })).status, 200)
  })

  test('a handler that throws, rejects, or answers twice is reported, and the client has one answer', async () => {
    const { client, errors } = await serving(exchange => {
      if (exchange.path === '/throws') throw new Error('thrown')
      if (exchange.path === '/rejects') return Promise.reject(new Error('rejected'))
      exchange.send(OK, 'first')
      exchange.send(OK, 'second')
      return undefined
    })
    assert.equal((await ask(client, { ':path': '/throws' })).status, 500)
    assert.equal((await ask(client, { ':path': '/rejects' })).status, 500)
    assert.equal((await ask(client)).body, 'first')
    assert.match(String(errors[0]), /thrown/)
    assert.match(String(errors[1]), /rejected/)
    assert.equal(codeOf(errors[2]), 'HTTP_ANSWERED_TWICE')
  })
})

describe('a client that leaves over HTTP/2', () => {
  test('aborts the signal of the stream it resets, and of no other', async () => {
    const reasons = new Map<string, unknown>()
    const held = Promise.withResolvers<void>()
    const { engine, client, records, errors } = await serving(async exchange => {
      const { path, signal } = exchange
      signal.addEventListener('abort', () => reasons.set(path, signal.reason))
      if (path === '/gone') {
        await once(signal, 'abort')
        exchange.send(OK, 'nobody reads this')
        throw signal.reason as Error
      }
      await held.promise
      exchange.send(OK, 'kept')
    })
    const kept = ask(client, { ':path': '/kept' })
    const gone = client.session.request({ ':path': '/gone' })
    while (engine.inflight < 2) await turn()
    gone.close(NGHTTP2_CANCEL)
    while (reasons.size === 0) await turn()
    assert.equal(codeOf(reasons.get('/gone')), 'HTTP_CLIENT_GONE')
    held.resolve()
    assert.equal((await kept).body, 'kept')
    assert.deepEqual([...reasons.keys()], ['/gone'])
    assert.deepEqual(errors, [])
    assert.equal(records.length, 2)
    assert.equal(codeOf(records[0]!.error), 'HTTP_CLIENT_GONE')
  })

  test('with its connection ends all of them, and whoever waits for room is told', async () => {
    let waiting: unknown
    const { engine, client } = await serving(async exchange => {
      const writer = exchange.start(OK)
      try {
        for (;;) if (!writer.write(Buffer.alloc(100_000))) await writer.drained()
      } catch (error) {
        waiting = error
      }
    })
    const stream = client.session.request({ ':path': '/' })
    stream.on('error', () => {})
    stream.pause()
    await once(stream, 'response')
    client.session.destroy()
    while (engine.connections > 0) await turn()
    await turn()
    assert.equal(codeOf(waiting), 'HTTP_CLIENT_GONE')
    assert.equal(engine.inflight, 0)
  })
})
