// What the engine does with time, and with many connections. Limits are small here; each test waits for what they cause.
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { Engine, type EngineOptions } from '../../src/http/engine.ts'
import type { Handler } from '../../src/http/handler.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { FORWARDED_FIELDS, TrustedProxies } from '../../src/http/trusted-proxy.ts'
import type { RequestRecord } from '../../src/core/request-record.ts'
import { inMemory, overTcp, ways, type Client, type Way } from './support/connect.ts'

const OK = prepareHead(200)
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

function engineOf(handler: Handler, options?: EngineOptions): Engine {
  const engine = new Engine(handler, options)
  cleanups.push(() => engine.close())
  return engine
}

async function open(way: Way, engine: Engine): Promise<Client> {
  const client = await way.open(engine)
  cleanups.push(() => client.destroy())
  return client
}

/** Writes a byte now and then until the connection is closed. */
function drip(client: Client, text: string, everyMs: number): void {
  let at = 0
  const timer = setInterval(() => client.stream.writable && client.write(text[at++ % text.length]!), everyMs)
  client.stream.on('close', () => clearInterval(timer))
  cleanups.push(() => clearInterval(timer))
}

for (const way of ways) {
  describe(`time-outs ${way.name}`, () => {
    test('a head that drips is refused with 408; the drip does not extend its time', async () => {
      const engine = engineOf(exchange => exchange.send(OK, null), {
        limits: { headTimeoutMs: 150, keepAliveTimeoutMs: 60_000 },
      })
      const client = await open(way, engine)
      client.write('GET / HTTP/1.1\r\nHost: a\r\nX: ')
      drip(client, 'x', 10)
      const [answer] = await client.ended()
      assert.equal(answer!.status, 408)
      assert.equal(answer!.fields.get('connection'), 'close')
    })

    test('an idle connection is closed without an answer', async () => {
      const engine = engineOf(exchange => exchange.send(OK, null), {
        limits: { keepAliveTimeoutMs: 60, headTimeoutMs: 60_000 },
      })
      const fresh = await open(way, engine)
      const used = await open(way, engine)
      used.write(GET)
      await used.answers(1)
      assert.equal((await used.ended()).length, 1)
      assert.deepEqual(await fresh.ended(), [])
    })

    test('a body that drips is refused with 408, and its reader is told', async () => {
      let failure: unknown
      const engine = engineOf(
        async exchange => {
          try {
            await exchange.body.bytes()
          } catch (error) {
            failure = error
          }
        },
        { limits: { gatherBytes: 0, minRateGraceMs: 100, bodyMinBytesPerSecond: 1000 } },
      )
      const client = await open(way, engine)
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
      drip(client, 'x', 10)
      const [answer] = await client.ended()
      assert.equal(answer!.status, 408)
      assert.equal((failure as { code: string }).code, 'HTTP_BODY_TIMEOUT')
    })

    test('a body that nobody reads is not too slow', async () => {
      const held = Promise.withResolvers<void>()
      const engine = engineOf(
        async exchange => {
          await held.promise
          exchange.send(OK, await exchange.body.bytes())
        },
        { limits: { gatherBytes: 0, minRateGraceMs: 40, bodyMinBytesPerSecond: 1_000_000 } },
      )
      const client = await open(way, engine)
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n')
      const other = await open(way, engine)
      // Another connection's time-out tells that enough time has passed.
      other.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
      setTimeout(() => held.resolve(), 150)
      await other.answers(1)
      client.write('hello')
      assert.equal((await client.answers(1))[0]!.body, 'hello')
    })

    test('a client that does not read its answer is dropped, and others are not', async () => {
      const finished: RequestRecord[] = []
      const engine = engineOf(exchange => exchange.send(OK, exchange.path === '/' ? 'x' : Buffer.alloc(30_000_000)), {
        limits: { writeStallMs: 150 },
        onFinished: record => finished.push(record),
      })
      const client = await open(way, engine)
      client.stream.pause()
      client.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
      const other = await open(way, engine)
      other.write(GET)
      assert.equal((await other.answers(1))[0]!.body, 'x')
      while (engine.connections > 1) await turn()
      assert.ok(client.received < 30_000_000)
    })

    test('a client that takes its answer too slowly is dropped, though it never stops', async () => {
      const finished: RequestRecord[] = []
      const engine = engineOf(exchange => exchange.send(OK, Buffer.alloc(30_000_000)), {
        limits: { writeStallMs: 60_000, minRateGraceMs: 150, responseMinBytesPerSecond: 100_000_000 },
        onFinished: record => finished.push(record),
      })
      const client = await open(way, engine)
      client.stream.removeAllListeners('data').pause()
      client.write(GET)
      const sip = setInterval(() => client.stream.read(1000) ?? client.stream.read(), 10)
      cleanups.push(() => clearInterval(sip))
      while (engine.inflight === 0 && finished.length === 0) await turn()
      while (engine.connections > 0) await turn()
    })

    test('a connection that does not close is cut after its linger', async () => {
      const engine = engineOf(exchange => exchange.send(OK, null), {
        limits: { lingerMs: 80, maxRequestsPerConnection: 1 },
      })
      const client = await open(way, engine)
      client.write(GET)
      await client.until(({ hasEnded }) => hasEnded)
      while (engine.connections > 0) await turn()
    })
  })

  describe(`clients that do next to nothing ${way.name}`, () => {
    const limits = { keepAliveTimeoutMs: 80, headTimeoutMs: 80, lingerMs: 80, minRateGraceMs: 80 }
    const answered: Handler = exchange => exchange.send(OK, null)
    const gone = async (engine: Engine) => {
      while (engine.connections > 0) await turn()
    }

    test('one that never says a word is closed without an answer, and so is one that only ends a line', async () => {
      const engine = engineOf(answered, { limits })
      for (const said of ['', '\r', '\r\n']) {
        const client = await open(way, engine)
        if (said !== '') client.write(said)
        assert.deepEqual(await client.ended(), [])
      }
      await gone(engine)
    })

    test('one that ends line after line breaks the protocol with the second', async () => {
      const engine = engineOf(answered, { limits: { ...limits, headTimeoutMs: 60_000 } })
      const client = await open(way, engine)
      drip(client, '\r\n', 5)
      assert.deepEqual(
        (await client.ended()).map(({ status }) => status),
        [400],
      )
      await gone(engine)
    })

    test('one that goes quiet between two requests, or in the middle of one, is closed', async () => {
      const engine = engineOf(answered, { limits })
      const between = await open(way, engine)
      between.write(GET)
      assert.equal((await between.ended()).length, 1)
      const within = await open(way, engine)
      within.write(`${GET}GET / HT`)
      assert.deepEqual(
        (await within.ended()).map(({ status }) => status),
        [200, 408],
      )
      await gone(engine)
    })

    test('one that ends its side without a whole request is closed without an answer', async () => {
      const engine = engineOf(answered, { limits: { keepAliveTimeoutMs: 60_000, headTimeoutMs: 60_000 } })
      for (const said of ['', '\r\n', 'GET / HTTP/1.1\r\nHost: a']) {
        const client = await open(way, engine)
        client.stream.end(said)
        assert.deepEqual(await client.ended(), [])
      }
      await gone(engine)
    })

    test('one that goes on sending the body of a request that is answered already is closed, whole answer first', async () => {
      const engine = engineOf(answered, { limits: { ...limits, gatherBytes: 0, bodyMinBytesPerSecond: 10_000 } })
      const client = await open(way, engine)
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n')
      assert.equal((await client.answers(1))[0]!.status, 200)
      drip(client, 'x', 10)
      assert.equal((await client.ended()).length, 1)
      await gone(engine)
    })

    test('one that goes on sending after the last answer is cut', async () => {
      const engine = engineOf(answered, { limits })
      const client = await open(way, engine)
      client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      drip(client, 'GET / HTTP/1.1\r\n', 5)
      await client.until(({ hasEnded }) => hasEnded)
      await gone(engine)
      assert.equal(client.text.split('HTTP/1.1 200').length, 2)
    })
  })

  describe(`parting ${way.name}`, () => {
    test('so many kept connections end with the answer to their next request, those open longest first, and each is asked once', async () => {
      const engine = engineOf(exchange => exchange.send(OK, null))
      const clients = [await open(way, engine), await open(way, engine), await open(way, engine)]
      for (const client of clients) await client.write(GET).answers(1)
      assert.equal(engine.part(2), 2)
      assert.equal(engine.part(1), 1)
      assert.equal(engine.part(1), 0)
      const [first, second] = clients
      // Two at once: the second is not answered, and its client knows that it has to come again.
      first!.write(GET + GET)
      second!.write(GET)
      for (const client of [first!, second!]) {
        const answers = await client.ended()
        assert.deepEqual(
          answers.map(({ fields }) => fields.get('connection') ?? 'kept'),
          ['kept', 'close'],
        )
      }
    })
  })

  describe(`draining ${way.name}`, () => {
    test('answers what arrives with Connection: close, leaves idle connections to their time-out, and resolves when all are gone', async () => {
      const engine = engineOf(exchange => exchange.send(OK, null), { limits: { keepAliveTimeoutMs: 150 } })
      const idle = await open(way, engine)
      const used = await open(way, engine)
      used.write(GET)
      await used.answers(1)
      let isDrained = false
      const drained = engine.drain(60_000).then(() => (isDrained = true))
      used.write(GET)
      const answers = await used.ended()
      assert.equal(answers[1]!.fields.get('connection'), 'close')
      assert.equal(isDrained, false)
      assert.equal(idle.hasEnded, false)
      await idle.ended()
      await drained
      assert.equal(engine.connections, 0)
    })

    test('destroys what is left after the grace', async () => {
      let reason: unknown
      const engine = engineOf(exchange => {
        exchange.signal.addEventListener('abort', () => (reason = exchange.signal.reason))
      })
      const client = await open(way, engine)
      client.write(GET)
      while (engine.inflight === 0) await turn()
      await engine.drain(30)
      await client.until(({ hasClosed }) => hasClosed)
      assert.equal((reason as { code: string }).code, 'HTTP_CONNECTION_CLOSED')
      assert.equal(engine.inflight, 0)
    })
  })
}

for (const way of ways)
  describe(`a limit on requests of a connection ${way.name}`, () => {
    test('is told with the last answer, and what was pipelined behind it is not run', async () => {
      const ran: string[] = []
      const engine = engineOf(
        async exchange => {
          ran.push(exchange.path)
          await exchange.body.bytes()
          exchange.send(OK, null)
        },
        { limits: { maxRequestsPerConnection: 3 } },
      )
      const client = await open(way, engine)
      const post = 'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'
      client.write(['/1', '/3', '/4', '/5'].map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(post))
      const answers = await client.ended()
      assert.deepEqual(ran, ['/1', '/2', '/3'])
      assert.deepEqual(
        answers.map(({ fields }) => fields.get('connection')),
        [undefined, undefined, 'close'],
      )
    })

    test('counts a request once, whatever its handler tries to answer first', async () => {
      const engine = engineOf(
        exchange => {
          assert.throws(() => exchange.send(OK, null, ['x', 'a\nb']))
          exchange.send(OK, null)
        },
        { limits: { maxRequestsPerConnection: 2 } },
      )
      const client = await open(way, engine)
      client.write(GET + GET + GET)
      assert.equal((await client.ended()).length, 2)
    })
  })

describe('an engine', () => {
  test('has no limit on the requests of a connection unless told, and spreads one that it has', async () => {
    const counts = new Set<number>()
    const limited = engineOf(exchange => exchange.send(OK, null), { limits: { maxRequestsPerConnection: 100 } })
    for (let n = 0; n < 30; n++) {
      const client = await open(inMemory, limited)
      client.write(GET.repeat(120))
      counts.add((await client.ended()).length)
    }
    assert.ok(counts.size > 1)
    assert.ok([...counts].every(count => count > 90 && count <= 100))
    const client = await open(
      inMemory,
      engineOf(exchange => exchange.send(OK, null)),
    )
    client.write(GET.repeat(1500))
    assert.equal((await client.answers(1500)).at(-1)!.fields.get('connection'), undefined)
  })

  test('takes the word of a trusted proxy for who the client is, and of nobody else', async () => {
    const say: Handler = exchange =>
      exchange.send(OK, `${exchange.peer.address} ${exchange.scheme} ${exchange.authority}`)
    const lines =
      'X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n'
    const request = `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`
    const told = async (trusted: string | undefined, way: Way) => {
      const trustedProxies = trusted === undefined ? undefined : new TrustedProxies([trusted], FORWARDED_FIELDS)
      const client = await open(way, engineOf(say, { trustedProxies }))
      client.write(request + GET)
      return (await client.answers(2)).map(({ body }) => body)
    }
    assert.deepEqual(await told('loopback', overTcp), ['192.0.2.7 https shop.example', '127.0.0.1 http a'])
    assert.deepEqual(await told('unix', inMemory), ['192.0.2.7 https shop.example', ' http a'])
    assert.deepEqual(await told('10.0.0.0/8', overTcp), ['127.0.0.1 http a', '127.0.0.1 http a'])
    assert.deepEqual(await told(undefined, overTcp), ['127.0.0.1 http a', '127.0.0.1 http a'])
  })

  test('believes whoever hands it a socket about the peer, and reads on where that one has paused', async () => {
    const [near, far] = duplexPair()
    const alive = setInterval(() => {}, 60_000)
    cleanups.push(() => clearInterval(alive))
    const { promise, resolve } = Promise.withResolvers<string>()
    const engine = engineOf(exchange => {
      resolve(`${exchange.peer.address} ${exchange.peer.port} ${exchange.scheme}`)
      exchange.send(OK, null)
    })
    far.write('leave this GET / HTTP/1.1\r\n')
    const [first] = (await once(near, 'data')) as [Buffer]
    near.pause()
    near.unshift(first.subarray('leave this '.length))
    engine.accept(near, { address: '192.0.2.7', port: 9, encrypted: true })
    far.write('Host: a\r\n\r\n')
    assert.equal(await promise, '192.0.2.7 9 https')
  })

  test('counts connections and exchanges', async () => {
    const held = Promise.withResolvers<void>()
    const engine = engineOf(async exchange => {
      await held.promise
      exchange.send(OK, null)
    })
    const clients = await Promise.all([open(overTcp, engine), open(inMemory, engine), open(overTcp, engine)])
    for (const client of clients.slice(1)) client.write(GET)
    while (engine.inflight < 2) await turn()
    assert.equal(engine.connections, 3)
    held.resolve()
    await Promise.all(clients.slice(1).map(client => client.answers(1)))
    assert.equal(engine.inflight, 0)
    for (const client of clients) client.destroy()
    while (engine.connections > 0) await turn()
  })

  test('makes no timer for a connection or a request, a thousand slow ones included', async () => {
    let timers = 0
    const hook = createHook({ init: (_id, type) => void (type === 'Timeout' && timers++) }).enable()
    cleanups.push(() => hook.disable())
    clearTimeout(setTimeout(() => {}, 1))
    assert.equal(timers, 1, 'the hook sees timers')
    const engine = engineOf(exchange => exchange.limitTime(60_000, () => {}), {
      limits: { keepAliveTimeoutMs: 60_000 },
    })
    const come = (said: string) => {
      const [near, far] = duplexPair()
      engine.accept(far)
      near.resume().write(said)
    }
    const kinds = ['', '\r\n', 'GET / HT', GET, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nx']
    for (let n = 0; n < 200; n++) for (const kind of kinds) come(kind)
    while (engine.inflight < 400) await turn()
    assert.equal(engine.connections, 1000)
    // The sweep, and the look at bodies that are waited for.
    assert.ok(timers <= 3, `${timers} timers`)
  })

  test('tells each exchange once when it is over, with what it moved', async () => {
    const records: RequestRecord[] = []
    const engine = engineOf(
      async exchange => {
        exchange.record.route = '/r'
        if (exchange.path === '/gone') return
        exchange.send(OK, Buffer.concat([await exchange.body.bytes(), Buffer.from('é')]).toString())
      },
      { onFinished: record => records.push(record) },
    )
    const client = await open(overTcp, engine)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
    await client.answers(1)
    client.write('GET /gone HTTP/1.1\r\nHost: a\r\n\r\n')
    while (engine.inflight === 0) await turn()
    // A reset: after a FIN an answer could still be wanted.
    ;(client.stream as Socket).resetAndDestroy()
    while (engine.inflight > 0) await turn()
    assert.equal(records.length, 2)
    const [done, gone] = records as [RequestRecord, RequestRecord]
    assert.deepEqual(
      { ...done, startedMs: 0 },
      { method: 'POST', route: '/r', status: 200, startedMs: 0, bytesIn: 5, bytesOut: 7, error: undefined },
    )
    assert.equal(gone.status, 0)
    assert.equal((gone.error as { code: string }).code, 'HTTP_CLIENT_GONE')
  })

  test('tells what it refused', async () => {
    const codes: string[] = []
    const engine = engineOf(exchange => exchange.send(OK, null), { onRefused: ({ code }) => codes.push(code) })
    const client = await open(inMemory, engine)
    client.write('GET / HTTP/2.0\r\n\r\n'.replace('\r\n\r\n', '\r\nHost: a\r\n\r\n'))
    await client.ended()
    assert.deepEqual(codes, ['HTTP_UNKNOWN_VERSION'])
  })

  test('closes everything at once when told to', async () => {
    const engine = engineOf(() => {})
    const clients = await Promise.all([open(overTcp, engine), open(inMemory, engine)])
    clients[0].write(GET)
    while (engine.inflight === 0) await turn()
    engine.close()
    await Promise.all(clients.map(client => client.until(({ hasClosed, hasEnded }) => hasClosed || hasEnded)))
    assert.equal(engine.connections, 0)
    assert.equal(engine.inflight, 0)
  })

  test('dates an answer anew after a time without connections', async () => {
    const engine = engineOf(exchange => exchange.send(OK, null))
    const dateOf = async () => {
      const client = await open(inMemory, engine)
      client.write(GET)
      const [answer] = await client.answers(1)
      client.destroy()
      while (engine.connections > 0) await turn()
      return Date.parse(answer!.fields.get('date')!)
    }
    const before = await dateOf()
    await new Promise(resolve => setTimeout(resolve, 1100))
    assert.ok((await dateOf()) > before)
  })

  test('lets go of a socket that broke before it came', async () => {
    const engine = engineOf(() => {})
    const [side] = duplexPair()
    side.destroy()
    engine.accept(side)
    assert.equal(engine.connections, 0)
  })
})

describe('the end of a connection that its client asked for', () => {
  // All that came is one request, and the client keeps its side open.
  const asks = ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n']
  test('is not waited for: nothing more may come', async () => {
    for (const ask of asks) {
      const engine = engineOf(exchange => exchange.send(OK, 'x'.repeat(10_000)), { limits: { lingerMs: 600_000 } })
      const client = await open(overTcp, engine)
      client.write(ask)
      const [answer] = await client.ended()
      assert.equal(answer!.status, 200)
      assert.equal(answer!.body, 'x'.repeat(10_000))
      while (engine.connections > 0) await turn()
    }
  })

  test('is waited for where a client may have sent more: behind a body, and behind what it was not to send', async () => {
    for (const ask of [
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`,
    ]) {
      const engine = engineOf(exchange => exchange.send(OK, 'x'), { limits: { lingerMs: 600_000 } })
      const client = await open(overTcp, engine)
      client.write(ask)
      const [answer] = await client.ended()
      assert.equal(answer!.body, 'x')
      assert.equal(engine.connections, 1)
      // It lingers until the client has closed, too.
      client.destroy()
      while (engine.connections > 0) await turn()
    }
  })
})
