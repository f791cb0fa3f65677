// What becomes a WebSocket, byte by byte, and how everything else is refused: by an ordinary answer, before anything is switched.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, dependency, fail, type Middleware } from 'millrace'
import * as z from 'zod'
import { silent } from '../support/seams.ts'
import { ACCEPT, closeFrame, closingOf, frame, framesOf, handshake, serving, textsOf, ways } from './support.ts'

const stamp: Middleware = async (_context, next) => {
  const answer = await next()
  answer.headers.set('x-stamp', String(answer.status))
}

const user = dependency({ headers: z.object({ 'x-user': z.string().optional() }) }, ({ headers }) => {
  if (headers['x-user'] === undefined) fail(401, 'Who are you?')
  if (headers['x-user'] === 'eve') fail(403, 'Not you')
  return headers['x-user']
})

function make(): App {
  const app = new App({ log: silent })
  app.ws('/echo', { messages: 'text', use: [stamp] }, async ({ socket }) => {
    for await (const text of socket) await socket.send(text)
  })
  app.ws('/rooms/{id}', { params: z.object({ id: z.int() }), uses: { user } }, () => {})
  app.ws('/v', { subprotocols: ['v2', 'v1'], messages: 'text' }, ({ socket }) => socket.send(socket.protocol))
  app.ws('/open', { origins: 'any' }, () => {})
  app.ws('/listed', { origins: ['https://shop.example'] }, () => {})
  app.get('/plain', () => 'plain')
  return app
}

for (const way of ways)
  describe(`a WebSocket handshake, ${way.name}`, () => {
    test('is answered with 101, the right key and what middleware adds', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/echo') + frame('one'))
      await client.until(({ text }) => textsOf(text).length === 1)
      const head = client.text.slice(0, client.text.indexOf('\r\n\r\n')).split('\r\n')
      assert.deepEqual(head, [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${ACCEPT}`,
        'x-stamp: 101',
      ])
      assert.deepEqual(textsOf(client.text), ['one'])
    })

    test('may come with the first frames in one packet, or byte by byte, or behind a request that is answered first', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      const whole = `GET /plain HTTP/1.1\r\nHost: a\r\n\r\n${handshake('/echo')}${frame('one')}${frame('twö')}${frame('x'.repeat(300))}`
      for (const pieces of [[whole], [...whole]]) {
        const client = await server.open()
        for (const piece of pieces) {
          client.write(piece)
          if (pieces.length > 1) await new Promise(resolve => setImmediate(resolve))
        }
        const behind = () => client.text.slice(Math.max(0, client.text.indexOf('HTTP/1.1 101')))
        await client.until(() => client.text.includes('HTTP/1.1 101') && textsOf(behind()).length === 3)
        assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*"plain"HTTP\/1\.1 101 /)
        assert.deepEqual(textsOf(behind()), ['one', 'twö', 'x'.repeat(300)])
      }
    })

    const refusals: readonly [
      what: string,
      request: string,
      status: number,
      fields?: Readonly<Record<string, string>>,
    ][] = [
      [
        'without Upgrade, a plain GET',
        handshake('/echo', { Upgrade: undefined }),
        426,
        { upgrade: 'websocket', connection: 'Upgrade' },
      ],
      ['for another protocol', handshake('/echo', { Upgrade: 'h2c' }), 426],
      ['for a list of protocols', handshake('/echo', { Upgrade: 'h2c, websocket' }), 426],
      ['whose Connection does not name Upgrade', handshake('/echo', { Connection: 'keep-alive' }), 426],
      ['whose Connection names something like it', handshake('/echo', { Connection: 'upgrades, not-upgrade' }), 426],
      ['whose Connection is no list of tokens', handshake('/echo', { Connection: 'keep alive, "upgrade"' }), 426],
      ['in HTTP/1.0', handshake('/echo', {}, '1.0'), 426],
      ['by HEAD', handshake('/echo').replace('GET', 'HEAD'), 426],
      ['of version 8', handshake('/echo', { 'Sec-WebSocket-Version': '8' }), 426, { 'sec-websocket-version': '13' }],
      ['without a version', handshake('/echo', { 'Sec-WebSocket-Version': undefined }), 426],
      ['without a key', handshake('/echo', { 'Sec-WebSocket-Key': undefined }), 400],
      ['with a short key', handshake('/echo', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400],
      [
        'with two keys',
        handshake('/echo').replace('\r\n\r\n', `\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`),
        400,
      ],
      ['with malformed extensions', handshake('/echo', { 'Sec-WebSocket-Extensions': 'a;;b' }), 400],
      ['with malformed subprotocols', handshake('/v', { 'Sec-WebSocket-Protocol': 'v1,,v2' }), 400],
      ['with a subprotocol twice', handshake('/v', { 'Sec-WebSocket-Protocol': 'v1, v1' }), 400],
      ['with subprotocols that are none of ours', handshake('/v', { 'Sec-WebSocket-Protocol': 'v3' }), 400],
      ['with subprotocols where there are none', handshake('/echo', { 'Sec-WebSocket-Protocol': 'v1' }), 400],
      ['by POST', handshake('/echo').replace('GET', 'POST'), 405],
      ['to nowhere', handshake('/nowhere'), 404],
      ['without credentials', handshake('/rooms/1'), 401],
      ['of somebody who may not', handshake('/rooms/1', { 'x-user': 'eve' }), 403],
      ['with an input that is not valid', handshake('/rooms/one', { 'x-user': 'ada' }), 422],
      ['of another site', handshake('/echo', { Origin: 'https://evil.example' }), 403],
      ['of another port of the host', handshake('/echo', { Host: 'a:8000', Origin: 'http://a:8001' }), 403],
      ['of a page without an origin', handshake('/echo', { Origin: 'null' }), 403],
      [
        'of two origins',
        handshake('/echo', { Origin: 'http://a' }).replace('\r\n\r\n', '\r\nOrigin: http://a\r\n\r\n'),
        403,
      ],
      ['of a site that is not listed', handshake('/listed', { Origin: 'https://a' }), 403],
    ]
    for (const [what, request, status, fields = {}] of refusals)
      test(`${what} is ${status}`, async t => {
        const server = await serving(make(), way)
        t.after(() => server.stop())
        const client = await server.open()
        client.write(request.replace('\r\n\r\n', '\r\nX-Head: 1\r\n\r\n'))
        await client.until(({ text }) => text.includes('\r\n\r\n'))
        assert.match(client.text, new RegExp(`^HTTP/1.1 ${status} `))
        assert.match(client.text, /content-type: application\/problem\+json\r\n/)
        for (const [name, value] of Object.entries(fields))
          assert.match(client.text.toLowerCase(), new RegExp(`\r\n${name}: ${value.toLowerCase()}\r\n`))
      })

    test('with a body is refused, whatever frames it', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      for (const [fields, body] of [
        [{ 'Content-Length': '5' }, 'hello'],
        [{ 'Transfer-Encoding': 'chunked' }, '5\r\nhello\r\n0\r\n\r\n'],
      ] as const) {
        const client = await server.open()
        client.write(`${handshake('/echo', fields)}${body}GET /plain HTTP/1.1\r\nHost: a\r\n\r\n`)
        const answers = await client.ended()
        assert.deepEqual(
          answers.map(({ status }) => status),
          [400],
        )
      }
    })

    test('that is refused ends the connection: what a proxy lets through behind it is never read as a request', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      for (const request of [
        handshake('/echo', { 'Sec-WebSocket-Version': '777' }),
        handshake('/echo', { 'Sec-WebSocket-Key': 'x' }),
        handshake('/rooms/1'),
        handshake('/echo', { Connection: 'keep-alive' }),
      ]) {
        const client = await server.open()
        client.write(`${request}GET /plain HTTP/1.1\r\nHost: a\r\n\r\n`)
        const answers = await client.ended()
        assert.equal(answers.length, 1)
        assert.equal(answers[0]!.fields.get('connection')?.includes('close'), true)
      }
    })

    test('is nothing to a route that is none: Upgrade is ignored and the connection kept', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/plain') + handshake('/plain'))
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(({ status, fields }) => [status, fields.get('connection')]),
        [
          [200, undefined],
          [200, undefined],
        ],
      )
    })

    test('of a page of the same host is accepted, whatever the usual port is called, and of who is no browser', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      for (const change of [
        {},
        { Origin: 'http://a' },
        { Origin: 'https://A' },
        { Host: 'a:443', Origin: 'https://a' },
        { Host: 'a:8000', Origin: 'http://a:8000' },
      ]) {
        const client = await server.open()
        client.write(handshake('/echo', change) + frame('x'))
        await client.until(({ text }) => text.startsWith('HTTP/1.1 101') && textsOf(text).length === 1)
      }
      for (const [path, Origin] of [
        ['/open', 'https://elsewhere.example'],
        ['/open', 'null'],
        ['/listed', 'https://shop.example'],
      ] as const) {
        const client = await server.open()
        client.write(handshake(path, { Origin }))
        await client.until(({ text }) => text.startsWith('HTTP/1.1 101'))
      }
    })

    test('agrees on the subprotocol that we like best', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      for (const [offered, chosen] of [
        ['v1, v2', 'v2'],
        ['v1', 'v1'],
        ['other,v1', 'v1'],
        [undefined, ''],
      ] as const) {
        const client = await server.open()
        client.write(handshake('/v', { 'Sec-WebSocket-Protocol': offered }))
        await client.until(({ text }) => closingOf(text) !== undefined)
        assert.equal(/Sec-WebSocket-Protocol: (.*)\r\n/.exec(client.text)?.[1] ?? '', chosen)
        assert.deepEqual(textsOf(client.text), [chosen])
        client.write(closeFrame(1000))
      }
    })

    test('while the server drains is 503, so that the client goes to one that stays', async t => {
      const server = await serving(make(), way)
      t.after(() => server.stop())
      const client = await server.open()
      void server.engine.drain(60_000)
      client.write(handshake('/echo'))
      const [answer] = await client.ended()
      assert.equal(answer!.status, 503)
      assert.match(answer!.fields.get('retry-after') ?? '', /^\d+$/)
    })

    test('is bounded by the timeout of its route, and clean-up follows a refusal', async t => {
      const events: string[] = []
      const held = dependency(async function* () {
        events.push('made')
        try {
          yield 1
        } finally {
          events.push('cleaned')
        }
      })
      const slow = dependency(
        ({ signal }) =>
          new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      )
      const app = new App({ log: silent })
      app.ws('/slow', { timeout: '30ms', uses: { held, slow } }, () => {})
      const instead: Middleware = async (_context, next) => {
        await next()
        return new Response('no', { status: 418 })
      }
      app.ws('/instead', { uses: { held }, use: [instead] }, () => void events.push('ran'))
      const server = await serving(app, way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/slow'))
      assert.equal((await client.ended())[0]!.status, 504)
      while (events.length < 2) await new Promise(resolve => setImmediate(resolve))
      const other = await server.open()
      other.write(handshake('/instead'))
      assert.equal((await other.ended())[0]!.status, 418)
      while (events.length < 4) await new Promise(resolve => setImmediate(resolve))
      assert.deepEqual(events, ['made', 'cleaned', 'made', 'cleaned'])
    })

    test('takes a permit of the route, and gives it back when the socket is gone', async t => {
      const app = new App({ log: silent })
      app.ws('/one', { limit: { concurrent: 1 }, messages: 'text' }, async ({ socket }) => {
        for await (const text of socket) await socket.send(text)
      })
      const server = await serving(app, way)
      t.after(() => server.stop())
      const first = await server.open()
      first.write(handshake('/one'))
      await first.until(({ text }) => text.startsWith('HTTP/1.1 101'))
      const second = await server.open()
      second.write(handshake('/one'))
      assert.equal((await second.ended())[0]!.status, 503)
      first.write(closeFrame(1000))
      await first.until(client => client.hasEnded || client.hasClosed)
      first.destroy()
      while (server.engine.connections > 0) await new Promise(resolve => setImmediate(resolve))
      const third = await server.open()
      third.write(handshake('/one'))
      await third.until(({ text }) => text.startsWith('HTTP/1.1 101'))
    })
  })

test('every control and data frame that a client may send is understood, however it is cut', async t => {
  const server = await serving(make(), ways[0]!)
  t.after(() => server.stop())
  const client = await server.open()
  client.write(handshake('/echo'))
  client.write(frame('a', 1, false) + frame('ping me', 9) + frame('b', 0, false) + frame('c', 0) + frame('', 1))
  client.write(frame('', 10) + frame('é€😀') + frame('y'.repeat(126)) + frame('z'.repeat(65_536)))
  await client.until(({ text }) => textsOf(text).length === 5)
  assert.deepEqual(textsOf(client.text), ['abc', '', 'é€😀', 'y'.repeat(126), 'z'.repeat(65_536)])
  const pong = framesOf(client.text).find(({ opcode }) => opcode === 10)
  assert.equal(pong!.payload.toString(), 'ping me')
  client.write(closeFrame(3001, 'bye'))
  await client.until(({ text }) => closingOf(text) !== undefined)
  assert.deepEqual(closingOf(client.text), { code: 3001, reason: 'bye' })
})

for (const [what, bytes, code] of [
  ['a frame that is not masked', '\x81\x01a', 1002],
  ['a reserved bit', '\xc1\x81\x00\x00\x00\x00a', 1002],
  ['an unknown opcode', '\x83\x80\x00\x00\x00\x00', 1002],
  ['a continuation of nothing', frame('a', 0), 1002],
  ['a new message within one', frame('a', 1, false) + frame('b', 1), 1002],
  ['a control frame in pieces', frame('a', 9, false), 1002],
  ['a control frame that is too long', frame('a'.repeat(126), 9), 1002],
  ['a close code that nobody may send', closeFrame(1006), 1002],
  ['a close frame of one byte', frame('a', 8), 1002],
  ['text that is no UTF-8', frame(Buffer.from([0xc3, 0x28])), 1007],
  ['text that is no UTF-8 over two frames', frame(Buffer.from([0xe2]), 1, false) + frame('a', 0), 1007],
  ['a reason that is no UTF-8', frame(Buffer.from([3, 232, 0xff]), 8), 1007],
  ['a message over the limit', frame('z'.repeat(65_537)), 1009],
  ['a message over the limit in pieces', frame('z'.repeat(65_000), 1, false) + frame('z'.repeat(600), 0), 1009],
] as const)
  test(`${what} closes with ${code}`, async t => {
    const server = await serving(make(), ways[0]!)
    t.after(() => server.stop())
    const client = await server.open()
    client.write(handshake('/echo') + bytes)
    await client.until(({ text }) => closingOf(text) !== undefined)
    assert.equal(closingOf(client.text)!.code, code)
    while (server.engine.connections > 0) {
      client.stream.end()
      await new Promise(resolve => setImmediate(resolve))
    }
  })
