// Another protocol takes over a connection: what was answered before goes first, and no byte is lost or read twice.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { Engine, type EngineOptions } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { type Client, ways } from './support/connect.ts'

const OK = prepareHead(200)
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: shout\r\nConnection: Upgrade\r\n\r\n'
const ASKS = 'GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n'

interface Shouting {
  readonly engine: Engine
  readonly sockets: Duplex[]
}

/** Answers GETs late, and on /switch speaks a protocol of its own: every byte comes back in upper case. */
function shouting(options: EngineOptions = {}): Shouting {
  const state: Shouting = {
    engine: new Engine(async (exchange: Exchange) => {
      await new Promise(resolve => setImmediate(resolve))
      if (exchange.path !== '/switch') return exchange.send(OK, exchange.path)
      const taken = exchange.protocolSwitch?.take()
      if (taken === undefined) {
        if (!exchange.answered) exchange.send(prepareHead(400), 'no')
        return
      }
      const { socket, head } = taken
      state.sockets.push(socket)
      exchange.signal.addEventListener('abort', () => socket.write('[aborted]'))
      socket.write(SWITCHING, 'latin1')
      if (head.length > 0) socket.unshift(head)
      socket.on('data', (bytes: Buffer) => {
        if (bytes.includes('x')) taken.abort(new Error('x'))
        socket.write(bytes.toString('latin1').toUpperCase(), 'latin1')
      })
      socket.on('end', () => socket.end())
      socket.on('error', () => {})
    }, options),
    sockets: [],
  }
  return state
}

const behind = (client: Client) => client.text.slice(client.text.indexOf(SWITCHING) + SWITCHING.length)

for (const way of ways)
  describe(`a connection that is handed over, ${way.name}`, () => {
    test('answers what was pipelined before, then speaks the other protocol with what came behind the head', async () => {
      const { engine } = shouting()
      const client = await way.open(engine)
      client.write(`GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n${ASKS}hello `)
      await client.until(() => behind(client) === 'HELLO ')
      client.write('GET / HTTP/1.1\r\n\r\n')
      await client.until(() => behind(client).length === 24)
      assert.equal(behind(client), 'HELLO GET / HTTP/1.1\r\n\r\n')
      const before = client.text.slice(0, client.text.indexOf('HTTP/1.1 101'))
      assert.match(before, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\/aHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\/b$/)
      client.destroy()
    })

    test('is the same byte by byte, and cut anywhere', async () => {
      const whole = `GET /a HTTP/1.1\r\nHost: a\r\n\r\n${ASKS}one two three`
      const cuts = [
        [...whole],
        ...[30, 31, 60, whole.length - 14, whole.length - 7].map(at => [whole.slice(0, at), whole.slice(at)]),
      ]
      for (const pieces of cuts) {
        const { engine } = shouting()
        const client = await way.open(engine)
        for (const piece of pieces) {
          client.write(piece)
          await new Promise(resolve => setImmediate(resolve))
        }
        await client.until(() => behind(client).length >= 13)
        assert.equal(behind(client), 'ONE TWO THREE')
        client.destroy()
      }
    })

    test('gives all of a long message, though reading had been paused while the handler thought', async () => {
      const { engine } = shouting({ limits: { maxReadAheadBytes: 1000 } })
      const client = await way.open(engine)
      const long = 'abcdefghij'.repeat(30_000)
      client.write(ASKS + long)
      await client.until(() => behind(client).length >= long.length)
      assert.equal(behind(client), long.toUpperCase())
      client.destroy()
    })

    test('counts as a connection and not as in flight, has 101 in its record, and outlives every time-out of HTTP', async () => {
      const records: [string, number][] = []
      const { engine } = shouting({
        limits: { keepAliveTimeoutMs: 20, headTimeoutMs: 20, writeStallMs: 20, lingerMs: 20, minRateGraceMs: 20 },
        onFinished: record => records.push([record.method, record.status]),
      })
      const client = await way.open(engine)
      client.write(`${ASKS}a`)
      await client.until(() => behind(client) === 'A')
      assert.deepEqual([engine.connections, engine.inflight, engine.handedOverCount], [1, 0, 1])
      assert.deepEqual(records, [['GET', 101]])
      await new Promise(resolve => setTimeout(resolve, 150))
      client.write('b')
      await client.until(() => behind(client) === 'AB')
      client.stream.end()
      await client.until(() => client.hasEnded || client.hasClosed)
      while (engine.connections > 0) await new Promise(resolve => setImmediate(resolve))
      assert.equal(engine.handedOverCount, 0)
    })

    test('is waited for by the drain, which leaves its end to who has it', async () => {
      const { engine, sockets } = shouting()
      const client = await way.open(engine)
      client.write(`${ASKS}a`)
      await client.until(() => behind(client) === 'A')
      const drained = engine.drain(60_000)
      const gone = engine.handedOverGone(60_000)
      client.write('b')
      await client.until(() => behind(client) === 'AB')
      sockets[0]!.end('bye')
      await client.until(() => client.hasEnded)
      assert.equal(behind(client), 'ABbye')
      client.stream.end()
      await Promise.all([drained, gone])
    })

    test('is cut when the grace time is over', async () => {
      const { engine } = shouting()
      const client = await way.open(engine)
      client.write(`${ASKS}a`)
      await client.until(() => behind(client) === 'A')
      await engine.handedOverGone(10)
      assert.equal(engine.connections, 1)
      await engine.drain(20)
      assert.equal(engine.connections, 0)
      await client.until(() => client.hasEnded || client.hasClosed)
      client.destroy()
    })

    test('aborts the signal of its exchange when its keeper says so', async () => {
      const client = await way.open(shouting().engine)
      client.write(`${ASKS}x`)
      await client.until(() => behind(client) === '[aborted]X')
      client.destroy()
    })

    test('is not to be had by HTTP/1.0, nor by a request with a body', async () => {
      const client = await way.open(shouting().engine)
      client.write('GET /switch HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: shout\r\n\r\n')
      client.write(
        'GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\nContent-Length: 2\r\n\r\nhi',
      )
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(({ status }) => status),
        [400, 400],
      )
      client.destroy()
    })

    test('is not to be had when the client has said its last word', async () => {
      const taken: unknown[] = []
      const engine = new Engine(async exchange => {
        await once(exchange.signal, 'abort')
        taken.push(exchange.protocolSwitch!.take())
      })
      const client = await way.open(engine)
      client.stream.end(ASKS)
      await client.until(() => client.hasEnded || client.hasClosed)
      assert.deepEqual(taken, [undefined])
      assert.equal(client.text, '')
      while (engine.connections > 0) await new Promise(resolve => setImmediate(resolve))
    })
  })

test('a request is the last on its connection when its exchange says so, whatever follows', async () => {
  const engine = new Engine(exchange => {
    exchange.protocolSwitch!.endConnection()
    exchange.send(OK, exchange.path)
  })
  const client = await ways[0]!.open(engine)
  client.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
  const answers = await client.ended()
  assert.deepEqual(
    answers.map(({ body, fields }) => [body, fields.get('connection')]),
    [['/a', 'close']],
  )
})
