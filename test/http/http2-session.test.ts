// What an engine does with an HTTP/2 connection over time, under attack, and at its end. Limits are small here.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants } from 'node:http2'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { RequestRecord } from '../../src/core/request-record.ts'
import { Engine, type EngineOptions } from '../../src/http/engine.ts'
import type { Handler } from '../../src/http/handler.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { TrustedProxies } from '../../src/http/trusted-proxy.ts'
import {
  answerOf,
  ask,
  connect,
  type Connected,
  END_HEADERS,
  END_STREAM,
  fieldBlock,
  FRAME,
  frame,
  FrameClient,
  request,
} from './support/http2-client.ts'

const OK = prepareHead(200)
const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM, NGHTTP2_ENHANCE_YOUR_CALM } = constants

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

function engineOf(handler: Handler, options?: EngineOptions): Engine {
  const engine = new Engine(handler, options)
  cleanups.push(() => engine.close())
  return engine
}

async function open(engine: Engine): Promise<Connected> {
  const client = await connect(engine)
  cleanups.push(() => client.close())
  return client
}

async function bare(engine: Engine): Promise<FrameClient> {
  const client = await FrameClient.open(engine)
  cleanups.push(() => client.destroy())
  return client
}

const codeOf = (error: unknown): string => (error as { code: string }).code
const errorIn = ({ payload }: { payload: Buffer }): number => payload.readUInt32BE(4)

describe('time over HTTP/2', () => {
  test('a connection without a stream is closed by GOAWAY; pings do not keep it', async () => {
    const engine = engineOf(exchange => exchange.send(OK, null), { limits: { keepAliveTimeoutMs: 100 } })
    const client = await bare(engine)
    const pings = setInterval(() => client.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8))), 10)
    cleanups.push(() => clearInterval(pings))
    const goaway = await client.sees(({ type }) => type === FRAME.goaway)
    assert.equal(errorIn(goaway), NGHTTP2_NO_ERROR)
    await client.closed()
    while (engine.connections > 0) await turn()
  })

  test('a client that says nothing, or never closes its side, is gone after its time', async () => {
    const engine = engineOf(exchange => exchange.send(OK, null), { limits: { keepAliveTimeoutMs: 60, lingerMs: 60 } })
    const client = await bare(engine)
    client.socket.allowHalfOpen = true
    while (engine.connections > 0) await turn()
  })

  test('a stream under way keeps it', async () => {
    const held = Promise.withResolvers<void>()
    const engine = engineOf(
      async exchange => {
        await held.promise
        exchange.send(OK, 'late')
      },
      { limits: { keepAliveTimeoutMs: 30 } },
    )
    const client = await open(engine)
    const answer = ask(client)
    // Another connection's end tells that enough time has passed.
    await (await bare(engine)).closed()
    held.resolve()
    assert.equal((await answer).body, 'late')
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
    const client = await open(engine)
    const stream = client.session.request({ ':method': 'POST', ':path': '/' })
    const drip = setInterval(() => stream.writable && stream.write('x'), 10)
    cleanups.push(() => clearInterval(drip))
    assert.equal((await answerOf(stream)).status, 408)
    assert.equal(codeOf(failure), 'HTTP_BODY_TIMEOUT')
  })

  test('a small body that does not come is waited for no longer than gatherMs', async () => {
    const engine = engineOf(exchange => exchange.send(OK, 'at last'), { limits: { gatherMs: 30 } })
    const client = await open(engine)
    const stream = client.session.request({ ':method': 'POST', ':path': '/' })
    stream.write('x')
    assert.equal((await answerOf(stream)).body, 'at last')
  })

  test('a stream whose answer is not read is reset, and the others are not', async () => {
    const records: RequestRecord[] = []
    const engine = engineOf(exchange => exchange.send(OK, exchange.path === '/' ? 'x' : Buffer.alloc(3_000_000)), {
      limits: { writeStallMs: 150 },
      onFinished: record => records.push(record),
    })
    const client = await open(engine)
    const stream = client.session.request({ ':path': '/large' })
    stream.on('error', () => {})
    stream.pause()
    const closed = once(stream, 'close')
    assert.equal((await ask(client)).body, 'x')
    while (!stream.closed) await turn()
    assert.equal(stream.rstCode, NGHTTP2_CANCEL)
    stream.resume()
    await closed
    assert.equal((await ask(client)).body, 'x')
    assert.equal(engine.connections, 1)
  })

  test('a client that does not read its socket is dropped', async () => {
    const engine = engineOf(exchange => exchange.send(OK, Buffer.alloc(30_000_000)), { limits: { writeStallMs: 150 } })
    const client = await bare(engine)
    client.socket.pause()
    const wide = Buffer.alloc(6)
    wide.writeUInt16BE(4, 0)
    wide.writeUInt32BE(2 ** 31 - 1, 2)
    const more = Buffer.alloc(4)
    more.writeUInt32BE(2 ** 30, 0)
    client.send(frame(FRAME.settings, 0, 0, wide), frame(FRAME.windowUpdate, 0, 0, more), request(1, END_STREAM))
    while (engine.connections > 0) await turn()
  })

  test('limitTime bounds an exchange', async () => {
    let reason: unknown
    const engine = engineOf(exchange => {
      exchange.signal.addEventListener('abort', () => (reason = exchange.signal.reason))
      exchange.limitTime(30, late => late.send(prepareHead(504), null))
    })
    assert.equal((await ask(await open(engine))).status, 504)
    assert.equal(codeOf(reason), 'DEADLINE_PASSED')
  })
})

describe('settings of a connection over HTTP/2', () => {
  test('after maxRequestsPerConnection comes GOAWAY, and what is open is finished', async () => {
    const engine = engineOf(exchange => exchange.send(OK, 'x'), { limits: { maxRequestsPerConnection: 3 } })
    const client = await open(engine)
    const gone = once(client.session, 'goaway')
    for (let n = 0; n < 3; n++) assert.equal((await ask(client)).body, 'x')
    const [code] = (await gone) as [number]
    assert.equal(code, NGHTTP2_NO_ERROR)
    while (engine.connections > 0) await turn()
  })

  test('a trusted proxy says who the client is', async () => {
    const seen: string[] = []
    const engine = engineOf(
      exchange => {
        seen.push(exchange.peer.address, exchange.scheme, exchange.authority)
        exchange.send(OK, null)
      },
      { trustedProxies: new TrustedProxies(['127.0.0.1'], ['x-forwarded-for', 'x-forwarded-proto']) },
    )
    await ask(await open(engine), { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' })
    assert.deepEqual(seen, ['192.0.2.7', 'https', 'a'])
  })
})

describe('attacks over HTTP/2', () => {
  test('streams beyond maxStreams are refused with REFUSED_STREAM and never reach the handler', async () => {
    let served = 0
    const engine = engineOf(() => void served++, { limits: { maxStreams: 5 } })
    const client = await bare(engine)
    client.send(...Array.from({ length: 8 }, (_, n) => request(1 + 2 * n, END_STREAM)))
    const refusal = await client.sees(({ type, stream }) => type === FRAME.reset && stream === 15)
    assert.equal(refusal.payload.readUInt32BE(0), NGHTTP2_REFUSED_STREAM)
    assert.equal(served, 5)
  })

  test('streams opened and reset at once never reach the handler, and end the connection (CVE-2023-44487)', async () => {
    let served = 0
    const engine = engineOf(() => void served++, { limits: { maxResets: 20 } })
    const client = await bare(engine)
    const cancel = Buffer.from([0, 0, 0, NGHTTP2_CANCEL])
    for (let n = 0; n < 100 && !client.hasClosed; n++) {
      const stream = 1 + 2 * n
      client.send(request(stream, END_STREAM), frame(FRAME.reset, 0, stream, cancel))
      await turn()
    }
    const goaway = await client.sees(({ type }) => type === FRAME.goaway)
    assert.equal(errorIn(goaway), NGHTTP2_ENHANCE_YOUR_CALM)
    await client.closed()
    while (engine.connections > 0) await turn()
    assert.equal(engine.inflight, 0)
    assert.ok(served <= 100)
  })

  test('so do streams that it has us reset (CVE-2025-8671)', async () => {
    const engine = engineOf(() => {}, { limits: { maxResets: 20 } })
    const client = await bare(engine)
    for (let n = 0; n < 100 && !client.hasClosed; n++) {
      // A window update of 0 is an error of the stream.
      client.send(request(1 + 2 * n, END_STREAM), frame(FRAME.windowUpdate, 0, 1 + 2 * n, Buffer.alloc(4)))
      await turn()
    }
    await client.closed()
    while (engine.connections > 0) await turn()
    assert.equal(engine.inflight, 0)
  })

  test('a client that resets some and lets the rest be answered is kept', async () => {
    const engine = engineOf(exchange => (exchange.path === '/slow' ? undefined : exchange.send(OK, 'x')), {
      limits: { maxResets: 5 },
    })
    const client = await open(engine)
    for (let n = 0; n < 30; n++) {
      const slow = client.session.request({ ':path': '/slow' })
      slow.on('error', () => {})
      while (engine.inflight === 0) await turn()
      slow.close(NGHTTP2_CANCEL)
      while (engine.inflight > 0) await turn()
      assert.equal((await ask(client)).body, 'x')
    }
    assert.equal(engine.connections, 1)
  })

  test('broken frames, floods and junk end the connection, and the next one is served', async () => {
    const errors: unknown[] = []
    const engine = engineOf(exchange => exchange.send(OK, 'served'), {
      limits: { keepAliveTimeoutMs: 300 },
      onError: error => errors.push(error),
    })
    const attacks: readonly ((client: FrameClient) => void)[] = [
      client => client.send(frame(FRAME.data, 0, 1, Buffer.from('x'))),
      client => client.send(frame(FRAME.headers, END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff]))),
      client => client.send(frame(FRAME.headers, END_HEADERS, 2, fieldBlock(':method', 'GET'))),
      client => client.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')),
      client => client.send(frame(FRAME.settings, 0, 0, Buffer.alloc(5))),
      client => void client.socket.resetAndDestroy(),
      // A head that never ends.
      client => client.send(frame(FRAME.headers, 0, 1, fieldBlock('a', 'b'))),
      client => {
        const pings = Array.from({ length: 5000 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
        client.socket.pause()
        client.send(...pings)
        client.send(...pings)
        client.socket.resume()
      },
    ]
    for (const attack of attacks) {
      const client = await bare(engine)
      attack(client)
      await client.closed()
      assert.equal((await ask(await open(engine))).body, 'served')
    }
    assert.deepEqual(errors, [])
  })

  test('a malformed message resets its stream alone', async () => {
    let served = 0
    const engine = engineOf(exchange => {
      served++
      exchange.send(OK, 'served')
    })
    const client = await bare(engine)
    const broken: readonly (readonly string[])[] = [
      ['connection', 'close'],
      ['transfer-encoding', 'chunked'],
      ['X-Upper', '1'],
      [':path', '/twice'],
      ['te', 'gzip'],
      ['content-length', '5'],
    ]
    broken.forEach((fields, n) => client.send(request(1 + 2 * n, END_STREAM, ...fields)))
    for (let n = 0; n < broken.length; n++)
      await client.sees(({ type, stream }) => type === FRAME.reset && stream === 1 + 2 * n)
    client.send(request(101, END_STREAM))
    await client.sees(({ type, stream }) => type === FRAME.data && stream === 101)
    assert.equal(served, 1)
  })
})

describe('draining over HTTP/2', () => {
  test('says GOAWAY while streams are open, finishes them, and serves nothing behind it', async () => {
    const held = Promise.withResolvers<void>()
    let served = 0
    const engine = engineOf(async exchange => {
      served++
      await held.promise
      exchange.send(OK, 'x')
    })
    const client = await bare(engine)
    client.send(request(1, END_STREAM), request(3, END_STREAM))
    while (engine.inflight < 2) await turn()
    const drained = engine.drain(60_000)
    const goaway = await client.sees(({ type }) => type === FRAME.goaway)
    assert.equal(goaway.payload.readUInt32BE(0), 3)
    assert.equal(errorIn(goaway), NGHTTP2_NO_ERROR)
    client.send(request(5, END_STREAM), frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
    await client.sees(({ type, flags }) => type === FRAME.ping && flags === 1)
    held.resolve()
    for (const stream of [1, 3])
      await client.sees(({ type, flags, stream: at }) => at === stream && type === FRAME.data && (flags & 1) === 1)
    await drained
    await client.closed()
    assert.equal(served, 2)
  })

  test('an idle connection stays for its time-out or one more request, with whose answer GOAWAY comes', async () => {
    const engine = engineOf(exchange => exchange.send(OK, 'still'), { limits: { keepAliveTimeoutMs: 200 } })
    const used = await open(engine)
    await ask(used)
    const idle = await open(engine)
    let isDrained = false
    const drained = engine.drain(60_000).then(() => (isDrained = true))
    const late = await open(engine)
    for (const client of [used, late]) {
      const gone = once(client.session, 'goaway')
      const answer = await ask(client)
      assert.equal(answer.body, 'still')
      assert.equal(answer.fields.connection, undefined)
      await gone
    }
    assert.equal(isDrained, false)
    await once(idle.session, 'goaway')
    await drained
  })

  test('what is left after the grace is cut, and its client can tell', async () => {
    let reason: unknown
    const engine = engineOf(exchange => {
      exchange.signal.addEventListener('abort', () => (reason = exchange.signal.reason))
      exchange.start(OK).write('half')
    })
    const client = await open(engine)
    const answer = ask(client)
    while (engine.inflight === 0) await turn()
    await engine.drain(30)
    assert.notEqual((await answer).code, NGHTTP2_NO_ERROR)
    assert.equal(codeOf(reason), 'HTTP_CONNECTION_CLOSED')
    assert.equal(engine.inflight, 0)
  })
})
