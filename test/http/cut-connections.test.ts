// Connections over TCP that end at every place where they can: the engine keeps nothing of them, and tells each exchange once.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { RequestRecord } from '../../src/core/request-record.ts'
import { Engine } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { readAnswers } from './support/connect.ts'

const OK = prepareHead(200)
const CUT = prepareHead(400)

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const post = (body: string, fields: string) => `POST /echo HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`

// Few, because each is cut at each of its bytes, in two ways, with two meanings of an end.
const REQUESTS: Readonly<Record<string, string>> = {
  'a GET': get('/'),
  'a body by its length': post('hello', 'Content-Length: 5\r\n'),
  'a body in chunks with a trailer': post('5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n', 'Transfer-Encoding: chunked\r\n'),
  'a body that is not read': post('hello', 'Content-Length: 5\r\n').replace('/echo', '/'),
  'a body that is waited for': post('hello', 'Expect: 100-continue\r\nContent-Length: 5\r\n'),
  'two requests and a body': get('/late') + post('hello', 'Content-Length: 5\r\n') + get('/'),
  'a streamed answer': get('/stream') + get('/'),
  'a broken chunk behind a request': get('/') + post('zz\r\n', 'Transfer-Encoding: chunked\r\n'),
}

async function handler(exchange: Exchange): Promise<void> {
  switch (exchange.path) {
    case '/late':
      await turn()
      await turn()
      return exchange.send(OK, 'late')
    case '/stream': {
      const writer = exchange.start(OK)
      for (let n = 0; n < 3; n++) {
        writer.write('piece')
        await turn()
      }
      return writer.end()
    }
    case '/echo':
      try {
        return exchange.send(OK, await exchange.body.bytes())
      } catch {
        if (!exchange.answered) exchange.send(CUT, null)
        return
      }
    default:
      exchange.send(OK, 'fine')
  }
}

for (const halfClose of ['abort', 'answer'] as const)
  describe(`with halfClose '${halfClose}', a connection that is cut at any byte of`, () => {
    const rejections: unknown[] = []
    const errors: unknown[] = []
    const finished = new Map<RequestRecord, number>()
    let begun = 0
    let engine: Engine
    let server: net.Server
    let port: number
    const onRejection = (reason: unknown) => rejections.push(reason)

    before(async () => {
      process.on('unhandledRejection', onRejection)
      engine = new Engine(exchange => (begun++, handler(exchange)), {
        halfClose,
        // A cut body is not waited for: most of these have one.
        limits: { gatherMs: 0 },
        onFinished: record => finished.set(record, (finished.get(record) ?? 0) + 1),
        onError: error => errors.push(error),
      })
      server = net.createServer({ allowHalfOpen: true }, socket => engine.accept(socket)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as net.AddressInfo).port
    })
    after(() => {
      process.off('unhandledRejection', onRejection)
      engine.close()
      server.close()
    })

    async function connected(): Promise<net.Socket> {
      const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setNoDelay(true)
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    }

    /** Sends a part and ends our side; everything comes that was asked for whole, and then the end. */
    async function ended(part: string): Promise<void> {
      const socket = await connected()
      let text = ''
      socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')))
      socket.end(part, 'latin1')
      await once(socket, 'close')
      readAnswers(text, true)
    }

    /** Sends a part and resets the connection. */
    async function reset(part: string): Promise<void> {
      const socket = await connected()
      socket.resume()
      await new Promise(resolve => socket.write(part, 'latin1', resolve))
      socket.resetAndDestroy()
      await once(socket, 'close')
    }

    for (const [name, request] of Object.entries(REQUESTS))
      test(name, async () => {
        for (const cut of [ended, reset])
          for (let from = 0; from <= request.length; from += 16)
            await Promise.all(
              Array.from({ length: Math.min(16, request.length + 1 - from) }, (_, n) =>
                cut(request.slice(0, from + n)),
              ),
            )
        while (engine.connections > 0) await turn()
        assert.equal(engine.inflight, 0)
        assert.equal(finished.size, begun, 'each exchange is told')
        assert.deepEqual(new Set(finished.values()), new Set([1]), 'once')
        assert.deepEqual(errors, [])
        // Rejections are told in a later turn.
        await turn()
        assert.deepEqual(rejections, [])
        const socket = await connected()
        socket.write(get('/', 'Connection: close\r\n'))
        const [answer] = (await once(socket, 'data')) as [Buffer]
        assert.match(answer.toString(), /^HTTP\/1\.1 200 OK\r\n/)
        socket.end()
        await once(socket, 'close')
      })
  })
