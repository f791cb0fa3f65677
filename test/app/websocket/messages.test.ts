// What goes on in an open socket: typed messages both ways, back-pressure, rooms, limits, time, and the end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { App, dependency, fail, Router, type Socket, SocketClosedError } from 'millrace'
import { serve } from 'millrace/server'
import { SocketRefusedError, testClient } from 'millrace/testing'
import fc from 'fast-check'
import * as z from 'zod'
import { silent } from '../support/seams.ts'
import { closingOf, closeFrame, frame, framesOf, handshake, serving, textsOf, ways } from './support.ts'

const Said = z.object({ text: z.string().min(1).max(20) })
const Heard = z.object({ from: z.string(), text: z.string() })

/** Keeps what is logged. */
function logging() {
  const lines: { level: string; facts: unknown; message: unknown }[] = []
  const at =
    (level: string) =>
    (...[facts, message]: unknown[]) =>
      void lines.push({ level, facts, message })
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

async function soon(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 1))
}

describe('messages', () => {
  test('are validated on the way in, filtered on the way out, and come in order', async () => {
    const app = new App({ log: silent })
    const chat = app.ws(
      '/chat/{name}',
      { query: z.object({ n: z.int().default(1) }), receives: Said, sends: Heard },
      async ({ socket, params, query }) => {
        for await (const { text } of socket)
          for (let n = 0; n < query.n; n++) await socket.send({ from: params.name, text, secret: 'x' } as never)
      },
    )
    const api = testClient(app)
    const socket = await api.socket(chat, { params: { name: 'a b' }, query: { n: 2 } })
    socket.send({ text: 'one' })
    socket.send({ text: 'two' })
    assert.deepEqual(
      [await socket.receive(), await socket.receive(), await socket.receive()],
      [
        { from: 'a b', text: 'one' },
        { from: 'a b', text: 'one' },
        { from: 'a b', text: 'two' },
      ],
    )
    assert.deepEqual(await socket.close(), { code: 1000, reason: '' })
    await api.close()
  })

  test('of another form close with 1007 or 1008, and say why in as many bytes as there are', async () => {
    const app = new App({ log: silent })
    let after = 0
    const strict = app.ws(
      '/strict',
      {
        receives: z.object({
          kind: z.enum(['a', 'b']),
          note: z
            .string()
            .max(3, `é${'x'.repeat(200)}`)
            .optional(),
        }),
      },
      async ({ socket }) => {
        for await (const _message of socket) after++
      },
    )
    const api = testClient(app)
    for (const [sent, code, reason] of [
      ['{"kind":', 1007, /^not JSON: /],
      ['\ufeff{"kind":"a"}', 1007, /^not JSON: it starts with a byte order mark/],
      ['{"kind":"a","__proto__":1}', 1007, /__proto__/],
      ['{"kind":"c"}', 1008, /^message\.kind: /],
      ['null', 1008, /^message: /],
      ['{}', 1008, /^message\.kind: /],
      ['{"kind":"a","note":"long"}', 1008, /^message\.note: éx+$/],
    ] as const) {
      const socket = await api.socket(strict)
      socket.sendRaw(sent)
      const closed = await socket.closed
      assert.equal(closed.code, code, sent)
      assert.match(closed.reason, reason)
      assert.ok(Buffer.byteLength(closed.reason) <= 123)
    }
    assert.equal(after, 0)
    await api.close()
  })

  test('are told what is wrong with them where the route says so, in the form of its errors, and the next ones are heard', async () => {
    for (const [errorFormat, wanted] of [
      ['problem', /^\{"type":"about:blank","title":"Unprocessable Content","status":422,.*"loc":\["message","text"\]/],
      ['fastapi', /^\{"detail":\[\{"type":"missing","loc":\["message","text"\],"msg":"Field required"/],
    ] as const) {
      const app = new App({ log: silent, errorFormat })
      const kind = app.ws('/kind', { receives: Said, sends: Heard, onInvalid: 'tell' }, async ({ socket }) => {
        for await (const { text } of socket) await socket.send({ from: 'us', text })
      })
      const api = testClient<{}, 'problem' | 'fastapi'>(app)
      const socket = await api.socket(kind)
      socket.sendRaw('{}')
      socket.sendRaw('{')
      socket.send({ text: 'fine' })
      assert.match(JSON.stringify(await socket.receive()), wanted)
      assert.match(
        JSON.stringify(await socket.receive()),
        errorFormat === 'problem' ? /"status":400/ : /"detail":"not JSON/,
      )
      assert.deepEqual(await socket.receive(), { from: 'us', text: 'fine' })
      await socket.close()
      await api.close()
    }
  })

  test('go to those who wait for them in their order; who was to have one that is refused has the next', async () => {
    const app = new App({ log: silent })
    const { promise: waiting, resolve: wait } = Promise.withResolvers<void>()
    const { promise: last, resolve: end } = Promise.withResolvers<unknown>()
    const kind = app.ws(
      '/kind',
      { receives: z.int(), sends: z.array(z.int()), onInvalid: 'tell' },
      async ({ socket }) => {
        const three = Promise.all([socket.receive(), socket.receive(), socket.receive()])
        wait()
        await socket.send((await three) as number[])
        end(Promise.all([socket.receive(), socket.receive()]))
      },
    )
    const api = testClient(app)
    const socket = await api.socket(kind)
    await waiting
    for (const raw of ['"no number"', '1', '{', '2', '3']) socket.sendRaw(raw)
    for (const status of [422, 400])
      assert.match(JSON.stringify(await socket.receive()), new RegExp(`"status":${status}`))
    assert.deepEqual(await socket.receive(), [1, 2, 3])
    assert.equal((await socket.close()).code, 1000)
    // And when it ends, all of them hear of it.
    assert.deepEqual(await last, [undefined, undefined])
    await api.close()
  })

  test('whose schema takes its time go to who had waited first, though an earlier one was refused', async () => {
    const app = new App({ log: silent })
    const { promise: waiting, resolve: wait } = Promise.withResolvers<void>()
    const receives = z.int().refine(async n => Promise.resolve(n > 0))
    const kind = app.ws('/kind', { receives, sends: z.array(z.int()), onInvalid: 'tell' }, async ({ socket }) => {
      const three = Promise.all([socket.receive(), socket.receive(), socket.receive()])
      wait()
      await socket.send((await three) as number[])
    })
    const api = testClient(app)
    const socket = await api.socket(kind)
    await waiting
    socket.sendRaw('0')
    assert.match(JSON.stringify(await socket.receive()), /"status":422/)
    for (const raw of ['1', '2', '3']) socket.sendRaw(raw)
    assert.deepEqual(await socket.receive(), [1, 2, 3])
    await socket.close()
    await api.close()
  })

  test('are text, bytes or both, and the wrong kind closes with 1003', async () => {
    const app = new App({ log: silent })
    const echo = async ({ socket }: { socket: Socket<any, any> }) => {
      for await (const message of socket) await socket.send(message)
    }
    const text = app.ws('/text', { messages: 'text', receives: z.string().max(5) }, echo)
    const binary = app.ws('/binary', { messages: 'binary' }, echo)
    const mixed = app.ws('/mixed', { messages: 'mixed' }, echo)
    const json = app.ws('/json', echo)
    const api = testClient(app)
    const one = await api.socket(text)
    one.send('é')
    assert.equal(await one.receive(), 'é')
    one.send('longer')
    assert.equal((await one.closed).code, 1008)
    const two = await api.socket(binary)
    two.send(new Uint8Array([1, 0, 255]))
    assert.deepEqual(await two.receive(), new Uint8Array([1, 0, 255]))
    two.sendRaw('text')
    assert.equal((await two.closed).code, 1003)
    const three = await api.socket(mixed)
    three.send('a')
    three.send(new Uint8Array([9]))
    assert.deepEqual([await three.receive(), await three.receive()], ['a', new Uint8Array([9])])
    const four = await api.socket(json)
    four.send({ a: [1, null] })
    assert.deepEqual(await four.receive(), { a: [1, null] })
    four.sendRaw(new Uint8Array([1]))
    assert.equal((await four.closed).code, 1003)
    await api.close()
  })

  test('that a route declares away are refused: receives: null, sends: null', async () => {
    const app = new App({ log: silent })
    const feed = app.ws('/feed', { receives: null, sends: z.int() }, async ({ socket, signal }) => {
      await socket.send(1)
      await once(signal, 'abort')
    })
    const sink = app.ws('/sink', { receives: z.int(), sends: null }, async ({ socket }) => {
      for await (const _n of socket) await socket.send(1 as never)
    })
    const api = testClient(app)
    const one = await api.socket(feed)
    assert.equal(await one.receive(), 1)
    one.sendRaw('1')
    assert.deepEqual(await one.closed, { code: 1008, reason: 'no messages are taken here' })
    const two = await api.socket(sink)
    two.send(1)
    assert.equal((await two.closed).code, 1011)
    await api.close()
  })

  test('come one by one as well, and undefined when there will be none', async () => {
    const app = new App({ log: silent })
    const seen: unknown[] = []
    const login = app.ws('/login', { messages: 'text' }, async ({ socket }) => {
      seen.push(await socket.receive())
      for await (const text of socket) {
        seen.push(text)
        if (text === 'break') break
      }
      seen.push(await socket.receive(), await socket.receive())
    })
    const api = testClient(app)
    const socket = await api.socket(login)
    for (const text of ['me', 'break', 'after']) socket.send(text)
    await socket.close()
    await soon(() => seen.length === 4)
    assert.deepEqual(seen, ['me', 'break', 'after', undefined])
    await api.close()
  })

  test('whose schema validates asynchronously keep their order', async () => {
    const app = new App({ log: silent })
    const slow = z.number().refine(async n => {
      await new Promise(resolve => setTimeout(resolve, n % 3))
      return n !== 13
    })
    const echo = app.ws('/slow', { receives: slow, sends: z.number() }, async ({ socket }) => {
      for await (const n of socket) await socket.send(n)
    })
    const api = testClient(app)
    const socket = await api.socket(echo)
    for (let n = 0; n < 12; n++) socket.send(n)
    socket.send(13)
    const got: number[] = []
    for await (const n of socket) got.push(n)
    assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert.equal((await socket.closed).code, 1008)
    await api.close()
  })
})

for (const way of ways)
  describe(`back-pressure, ${way.name}`, () => {
    test('a client is not read while its handler is behind, nothing is lost, and nothing changes places', async t => {
      const app = new App({ log: silent })
      let release: () => void = () => {}
      const gate = new Promise<void>(resolve => (release = resolve))
      app.ws('/gated', { messages: 'text' }, async ({ socket }) => {
        await gate
        let n = 0
        for await (const text of socket)
          if (Number(text.slice(0, 6)) === n) n++
          else throw new Error(`${text.slice(0, 6)} instead of ${n}`)
        counted = n
      })
      let counted = -1
      const server = await serving(app, way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/gated'))
      await client.until(({ text }) => text.startsWith('HTTP/1.1 101'))
      const COUNT = 3000
      for (let n = 0; n < COUNT; n++) client.write(frame(String(n).padStart(6, '0') + 'x'.repeat(2000)))
      // What is not read stays with the client.
      await new Promise(resolve => setTimeout(resolve, 50))
      assert.ok(client.stream.writableLength > 0)
      release()
      client.write(closeFrame(1000))
      await client.until(({ text }) => closingOf(text) !== undefined)
      client.stream.end()
      await soon(() => counted >= 0)
      assert.equal(counted, COUNT)
    })

    test('send waits for a slow client, and everything arrives in order', async t => {
      const app = new App({ log: silent })
      let sent = 0
      app.ws('/many', { messages: 'text' }, async ({ socket }) => {
        for (; sent < 500; sent++) await socket.send(String(sent).padEnd(20_000, '.'))
      })
      const server = await serving(app, way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/many'))
      await client.until(({ text }) => text.startsWith('HTTP/1.1 101'))
      client.stream.pause()
      await new Promise(resolve => setTimeout(resolve, 100))
      assert.ok(sent < 500, 'it would have been held in memory')
      client.stream.resume()
      await client.until(({ received }) => received >= 500 * 20_000)
      await client.until(({ text }) => closingOf(text) !== undefined)
      client.stream.end()
      assert.deepEqual(
        textsOf(client.text).map(text => Number.parseInt(text)),
        Array.from({ length: 500 }, (_, n) => n),
      )
    })

    test('a client that reads too slowly for what is sent without waiting is closed, and its memory let go', async t => {
      const app = new App({ log: silent })
      let closed: unknown
      const rejected: unknown[] = []
      app.ws('/flood', { messages: 'text', maxBufferedBytes: 200_000 }, async ({ socket, signal }) => {
        const sending: Promise<void>[] = []
        while (!socket.closed) {
          sending.push(socket.send('x'.repeat(10_000)))
          if (sending.length % 100 === 0) await new Promise(resolve => setImmediate(resolve))
        }
        for (const outcome of await Promise.allSettled(sending))
          if (outcome.status === 'rejected') rejected.push(outcome.reason)
        closed = socket.closed
        assert.ok(signal.aborted)
        assert.equal(socket.bufferedBytes < 300_000, true)
      })
      const server = await serving(app, way)
      t.after(() => server.stop())
      const client = await server.open()
      client.write(handshake('/flood'))
      await client.until(({ text }) => text.startsWith('HTTP/1.1 101'))
      client.stream.pause()
      await soon(() => closed !== undefined)
      assert.deepEqual(closed, { code: 1013, reason: 'too slow' })
      assert.ok(rejected.length > 0 && rejected.every(error => error instanceof SocketClosedError))
      await soon(() => server.engine.connections === 0)
    })
  })

test('whatever is sent, in whatever pieces, comes back in order', async t => {
  const app = new App({ log: silent })
  app.ws('/echo', { messages: 'text', maxMessageBytes: 200_000 }, async ({ socket }) => {
    for await (const text of socket) await socket.send(text)
  })
  const server = await serving(app, ways[1]!)
  t.after(() => server.stop())
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ unit: 'grapheme', maxLength: 40 }),
          fc.nat(90_000).map(n => 'y'.repeat(n)),
        ),
        { minLength: 1, maxLength: 30 },
      ),
      fc.array(fc.nat(5000), { maxLength: 20 }),
      fc.boolean(),
      async (messages, cuts, reads) => {
        const client = await server.open()
        const bytes = handshake('/echo') + messages.map(text => frame(text)).join('')
        if (!reads) client.stream.pause()
        let at = 0
        for (const cut of cuts) {
          client.write(bytes.slice(at, at + cut))
          at += cut
          await new Promise(resolve => setImmediate(resolve))
        }
        client.write(bytes.slice(at))
        client.stream.resume()
        await client.until(({ text }) => text.includes('\r\n\r\n') && textsOf(text).length === messages.length)
        assert.deepEqual(textsOf(client.text), messages)
        client.destroy()
      },
    ),
    { numRuns: 40 },
  )
})

describe('rooms', () => {
  test('reach everybody in them, or all but one, until they leave or are gone', async () => {
    const app = new App({ log: silent })
    const chat = app.ws(
      '/chat/{room}',
      { query: z.object({ name: z.string() }), messages: 'text' },
      async ({ socket, params, query }) => {
        socket.join(params.room)
        for await (const text of socket)
          if (text === 'leave') {
            socket.leave(params.room)
            await socket.send('left')
          } else if (text === 'others') socket.publish(params.room, `${query.name} to others`, { except: socket })
          else socket.publish(params.room, `${query.name}: ${text}`)
        socket.publish(params.room, `${query.name} is gone`)
      },
    )
    app.post(
      '/announce',
      { body: z.object({ room: z.string(), text: z.string() }), returns: { 204: null } },
      ({ body }) => {
        chat.publish(body.room, body.text)
      },
    )
    const api = testClient(app)
    const open = (room: string, name: string) => api.socket(chat, { params: { room }, query: { name } })
    const [ada, bob, eve] = [await open('a', 'ada'), await open('a', 'bob'), await open('b', 'eve')]
    ada.send('hi')
    assert.deepEqual([await ada.receive(), await bob.receive()], ['ada: hi', 'ada: hi'])
    bob.send('others')
    assert.equal(await ada.receive(), 'bob to others')
    bob.send('hey')
    assert.deepEqual([await ada.receive(), await bob.receive()], ['bob: hey', 'bob: hey'])
    await api.fetch('/announce', {
      method: 'POST',
      body: '{"room":"b","text":"news"}',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(await eve.receive(), 'news')
    ada.send('leave')
    assert.equal(await ada.receive(), 'left')
    bob.send('anybody?')
    assert.equal(await bob.receive(), 'bob: anybody?')
    ada.send('still speaking')
    assert.equal(await bob.receive(), 'ada: still speaking')
    ada.terminate()
    assert.equal(await bob.receive(), 'ada is gone')
    await api.close()
  })

  test('refuse a message that the route does not declare, where it is published', async () => {
    const app = new App({ log: silent })
    const feed = app.ws('/feed', { receives: null, sends: z.object({ n: z.int() }) }, ({ socket, signal }) => {
      socket.join('all')
      return once(signal, 'abort')
    })
    app.get('/bad', () => feed.publish('all', { n: 'x' } as never))
    const api = testClient(app)
    const socket = await api.socket(feed)
    assert.equal((await api.fetch('/bad')).status, 500)
    feed.publish('all', { n: 1, secret: 2 } as never)
    assert.deepEqual(await socket.receive(), { n: 1 })
    await api.close()
    feed.publish('all', { n: 2 })
  })

  test('of two apps in one process are not the same rooms', async () => {
    const make = () => {
      const app = new App({ log: silent })
      const feed = app.ws('/feed', { receives: null, messages: 'text' }, ({ socket, signal }) => {
        socket.join('all')
        return once(signal, 'abort')
      })
      return { feed, api: testClient(app) }
    }
    const [one, two] = [make(), make()]
    const [first, second] = [await one.api.socket(one.feed), await two.api.socket(two.feed)]
    one.feed.publish('all', 'one')
    two.feed.publish('all', 'two')
    assert.deepEqual([await first.receive(), await second.receive()], ['one', 'two'])
    await one.api.close()
    await two.api.close()
  })
})

describe('the end of a socket', () => {
  test('a handler that ends closes with 1000, one that closes says how, one that fails 1011 and is logged once', async () => {
    const { lines, log } = logging()
    const app = new App({ log })
    const ends = app.ws('/ends', () => {})
    const says = app.ws('/says', ({ socket }) => socket.close(4001, 'enough'))
    const fails = app.ws('/fails', async () => {
      await Promise.resolve()
      throw new Error('broken')
    })
    const refuses = app.ws('/refuses', () => fail(403, 'Not for you'))
    const sends = app.ws('/sends', { sends: z.int() }, ({ socket }) => socket.send('x' as never))
    const odd = app.ws('/odd', ({ socket }) => socket.close(1006))
    const api = testClient(app)
    const closing = async ({ path }: { path: `/${string}` }) => (await api.socket(path)).closed
    assert.deepEqual(await closing(ends), { code: 1000, reason: '' })
    assert.deepEqual(await closing(says), { code: 4001, reason: 'enough' })
    assert.deepEqual(await closing(fails), { code: 1011, reason: 'the server failed' })
    assert.deepEqual(await closing(refuses), { code: 1008, reason: 'Not for you' })
    assert.deepEqual(await closing(sends), { code: 1011, reason: 'the server failed' })
    assert.equal((await closing(odd)).code, 1011)
    await api.close()
    const errors = lines.filter(({ level }) => level === 'error')
    assert.deepEqual(
      errors.map(({ facts }) => (facts as { err: Error }).err.message.slice(0, 20)),
      ['broken', 'WS /sends sends: the', 'close() takes 1000, '],
    )
  })

  test('a client that leaves ends the iteration, aborts the signal and fails later sends, and clean-up follows', async () => {
    for (const how of ['close', 'terminate'] as const) {
      const { lines, log } = logging()
      const events: unknown[] = []
      const held = dependency(async function* () {
        try {
          yield 'value'
          events.push('committed')
        } catch {
          events.push('rolled back')
        }
      })
      const app = new App({ log })
      const watch = app.ws('/watch', { messages: 'text', uses: { held } }, async ({ socket, signal, defer }) => {
        defer(() => events.push('deferred'))
        for await (const text of socket) events.push(text)
        events.push(socket.closed!.code, signal.aborted, signal.reason instanceof SocketClosedError)
        await socket.send('late').catch((error: unknown) => events.push(error === signal.reason))
      })
      const waits = app.ws('/waits', { uses: { held } }, ({ signal }) =>
        once(signal, 'abort').then(() => Promise.reject(signal.reason as Error)),
      )
      const sends = app.ws('/endless', { messages: 'text' }, async ({ socket }) => {
        for (;;) {
          await socket.send('tick')
          await new Promise(resolve => setImmediate(resolve))
        }
      })
      const api = testClient(app)
      const socket = await api.socket(watch)
      socket.send('a')
      await soon(() => events.length === 1)
      if (how === 'close') await socket.close(4000, 'bye')
      else socket.terminate()
      await soon(() => events.length === 7)
      assert.deepEqual(events, ['a', how === 'close' ? 4000 : 1006, true, true, true, 'committed', 'deferred'])
      events.length = 0
      const other = await api.socket(waits)
      if (how === 'close') await other.close()
      else other.terminate()
      await soon(() => events.length === 1)
      assert.deepEqual(events, ['rolled back'])
      const third = await api.socket(sends)
      assert.equal(await third.receive(), 'tick')
      if (how === 'close') await third.close()
      else third.terminate()
      await api.close()
      assert.deepEqual(
        lines.filter(({ level }) => level === 'error'),
        [],
      )
    }
  })

  test('what a client said before it closed is still heard', async () => {
    const app = new App({ log: silent })
    const seen: string[] = []
    let release: () => void = () => {}
    const gate = new Promise<void>(resolve => (release = resolve))
    const last = app.ws('/last', { messages: 'text' }, async ({ socket }) => {
      await gate
      for await (const text of socket) seen.push(text)
      seen.push('end')
    })
    const api = testClient(app)
    const socket = await api.socket(last)
    for (const text of ['a', 'b', 'c']) socket.send(text)
    await socket.close()
    release()
    await soon(() => seen.length === 4)
    assert.deepEqual(seen, ['a', 'b', 'c', 'end'])
    await api.close()
  })

  test('clean-up that fails closes with 1011 and is logged', async () => {
    const { lines, log } = logging()
    const held = dependency(async function* () {
      yield 1
      throw new Error('commit failed')
    })
    const app = new App({ log })
    const route = app.ws('/x', { uses: { held } }, () => {})
    const api = testClient(app)
    assert.equal((await (await api.socket(route)).closed).code, 1011)
    await api.close()
    assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
  })

  test('stopping the app says 1001, hands out what was read, and waits for handlers and their clean-up', async () => {
    const events: string[] = []
    const held = dependency(async function* () {
      yield 1
      await new Promise(resolve => setTimeout(resolve, 20))
      events.push('cleaned')
    })
    const app = new App({
      log: silent,
      async *lifespan() {
        yield
        events.push('stopped')
      },
    })
    const route = app.ws('/x', { uses: { held }, messages: 'text' }, async ({ socket }) => {
      for await (const text of socket) events.push(text)
      events.push(`ended ${socket.closed!.code}`)
    })
    const started = await app.start()
    assert.ok(started)
    await started.stop(1000)
    events.length = 0
    const api = testClient(app)
    const socket = await api.socket(route)
    socket.send('a')
    await soon(() => events.length === 1)
    const closed = socket.closed
    await api.close()
    assert.equal((await closed).code, 1001)
    assert.deepEqual(events, ['a', 'ended 1001', 'cleaned', 'stopped'])
  })

  test('leaves nothing behind: a thousand sockets, whatever way they end', async t => {
    const app = new App({ log: silent })
    const registry = new FinalizationRegistry<number>(() => freed++)
    let freed = 0
    let opened = 0
    app.ws('/x', { messages: 'text', query: z.object({ how: z.string() }) }, async ({ socket, query, signal }) => {
      registry.register(socket, opened++)
      socket.join(`room ${opened % 10}`)
      if (query.how === 'throws') throw new Error('x')
      if (query.how === 'returns') return
      if (query.how === 'waits') await once(signal, 'abort')
      for await (const text of socket) await socket.send(text)
    })
    const server = await serving(app, ways[1]!)
    t.after(() => server.stop())
    const COUNT = 1000
    for (let n = 0; n < COUNT; n++) {
      const how = ['echoes', 'throws', 'returns', 'waits', 'cut'][n % 5]!
      const client = await server.open()
      client.write(handshake(`/x?how=${how}`) + frame('hello'))
      if (how === 'echoes') await client.until(({ text }) => textsOf(text).length === 1)
      else await client.until(({ text }) => text.includes('\r\n\r\n'))
      if (how !== 'cut') client.write(closeFrame(1000))
      else client.destroy()
      if (how !== 'cut') await client.until(each => closingOf(each.text) !== undefined || each.hasClosed)
      client.destroy()
    }
    await soon(() => server.engine.connections === 0)
    assert.equal(server.engine.handedOverCount, 0)
    assert.equal(opened, COUNT)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let n = 0; n < 50 && freed < COUNT - 10; n++) {
      collect()
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    assert.ok(freed >= COUNT - 10, `${freed} of ${COUNT} sockets are gone from memory`)
  })
})

describe('limits', () => {
  test('messages in a second', async () => {
    const app = new App({ log: silent })
    const route = app.ws('/x', { messages: 'text', maxMessagesPerSecond: 20 }, async ({ socket }) => {
      for await (const _text of socket);
    })
    const api = testClient(app)
    const socket = await api.socket(route)
    for (let n = 0; n < 60; n++) socket.send('x')
    assert.deepEqual(await socket.closed, { code: 1008, reason: 'too many messages' })
    await api.close()
  })

  test('a client that is silent is asked, heard when it answers, and cut when it does not', async t => {
    const app = new App({ log: silent })
    app.ws('/x', { messages: 'text', pingInterval: 100, pongTimeout: 900 }, async ({ socket }) => {
      for await (const _text of socket);
    })
    const server = await serving(app, ways[1]!)
    t.after(() => server.stop())
    const client = await server.open()
    client.write(handshake('/x'))
    const pings = () => framesOf(client.text).filter(({ opcode }) => opcode === 9).length
    await client.until(() => client.text.includes('\r\n\r\n') && pings() === 1)
    client.write(frame('', 10))
    await client.until(() => pings() === 2)
    await client.until(() => client.hasEnded || client.hasClosed)
    assert.deepEqual(closingOf(client.text), { code: 1011, reason: 'no answer to a ping' })
  })

  test('a client that says nothing for too long, though it answers pings', async () => {
    const app = new App({ log: silent })
    const route = app.ws('/x', { messages: 'text', idleTimeout: '1s', pingInterval: 100 }, async ({ socket }) => {
      for await (const _text of socket);
    })
    const api = testClient(app)
    const socket = await api.socket(route)
    assert.deepEqual(await socket.closed, { code: 1008, reason: 'idle' })
    await api.close()
  })

  test('compression is a choice of the route, and of the client', async () => {
    const app = new App({ log: silent })
    app.ws('/packed', { messages: 'text', compress: { thresholdBytes: 100 } }, async ({ socket }) => {
      for await (const text of socket) await socket.send(text)
    })
    app.ws('/plain', { messages: 'text' }, async ({ socket }) => {
      for await (const text of socket) await socket.send(text)
    })
    const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false })
    const url = server.url.replace('http', 'ws')
    for (const [path, extensions] of [
      ['/packed', 'permessage-deflate'],
      ['/plain', ''],
    ] as const) {
      const ws = new WebSocket(url + path)
      await once(ws, 'open')
      assert.equal(ws.extensions.split(';')[0], extensions)
      for (const text of ['short', 'long'.repeat(10_000)]) {
        ws.send(text)
        const [event] = (await once(ws, 'message')) as [MessageEvent<string>]
        assert.equal(event.data, text)
      }
      ws.close()
      await once(ws, 'close')
    }
    await server.close()
  })
})

describe('a declaration', () => {
  const refused = (code: string, declare: (app: App) => void) => {
    assert.throws(
      () => {
        const app = new App({ log: silent })
        declare(app)
        app.manifest()
      },
      { code },
    )
  }

  test('is checked where it is made', () => {
    refused('APP_UNKNOWN_KEY', app => app.ws('/x', { recieves: Said } as never, () => {}))
    refused('APP_UNKNOWN_KEY', app => app.ws('/x', { body: Said } as never, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { messages: 'xml' as never }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { messages: 'binary', receives: Said }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { messages: 'text', onInvalid: 'tell' }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { onInvalid: 'ignore' as never }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { maxMessageBytes: 0 }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { subprotocols: ['a b'] }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { origins: ['shop.example'] }, () => {}))
    refused('APP_SOCKET_SPEC', app => app.ws('/x', { origins: ['https://shop.example/'] }, () => {}))
    refused('CORE_BAD_DURATION', app => app.ws('/x', { idleTimeout: 'soon' as never }, () => {}))
    refused('APP_NO_HANDLER', app => app.ws('/x', {} as never))
    refused('APP_BAD_PATTERN', app => app.ws('x' as never, () => {}))
    refused('APP_RESERVED_NAME', app => app.ws('/x', { uses: { socket: dependency(() => 1) } } as never, () => {}))
    refused('APP_RESERVED_NAME', app =>
      app.include(new Router({ uses: { socket: dependency(() => 1) } }).ws('/x', () => {})),
    )
  })

  test('is not beside a GET of the same path, and is listed as WS', async () => {
    const app = new App({ log: silent })
    const router = new Router({ prefix: '/r' })
    router.ws('/live/{id}', () => {})
    app.include(router, { prefix: '/v1' })
    assert.deepEqual(app.manifest().routes, [{ method: 'WS', path: '/v1/r/live/{id}' }])
    app.get('/v1/r/live/{id}', () => 1)
    await assert.rejects(app.start(), { code: 'APP_DUPLICATE_ROUTE' })
  })

  test('is reached through app.fetch by nobody', async () => {
    const app = new App({ log: silent })
    app.ws('/x', () => {})
    const answer = await app.fetch(new Request('http://a/x', { headers: { upgrade: 'websocket' } }))
    assert.equal(answer.status, 426)
    assert.equal(answer.headers.get('upgrade'), 'websocket')
    await app.close()
  })
})

test('the test client says with which status it was refused', async () => {
  const app = new App({ log: silent })
  app.ws('/x', { query: z.object({ n: z.int() }) }, () => {})
  const api = testClient(app)
  await assert.rejects(
    api.socket('/x?n=y'),
    (error: unknown) =>
      error instanceof SocketRefusedError && error.status === 422 && (error.body as { status: number }).status === 422,
  )
  await api.close()
})

test('another client than ours: the WebSocket of Node, over a real server, and a drain that says 1001', async () => {
  const app = new App({ log: silent })
  app.ws('/echo', { messages: 'mixed' }, async ({ socket }) => {
    for await (const message of socket) await socket.send(message)
  })
  const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false })
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/echo`)
  ws.binaryType = 'arraybuffer'
  await once(ws, 'open')
  for (const sent of ['text é', 'x'.repeat(60_000), new Uint8Array([1, 2, 3])]) {
    ws.send(sent)
    const [event] = (await once(ws, 'message')) as [MessageEvent<string | ArrayBuffer>]
    assert.deepEqual(typeof sent === 'string' ? event.data : new Uint8Array(event.data as ArrayBuffer), sent)
  }
  // Somebody who never answers the close frame does not hold the server up for longer than it is given.
  const { port } = server
  const silentOne = connect(port, '127.0.0.1')
  silentOne.write(handshake('/echo'))
  await once(silentOne, 'data')
  const closed = once(ws, 'close') as Promise<[CloseEvent]>
  const startedMs = performance.now()
  await server.close()
  const [{ code, reason }] = await closed
  assert.deepEqual([code, reason], [1001, 'the server is going away'])
  assert.ok(performance.now() - startedMs < 15_000)
  silentOne.destroy()
})
