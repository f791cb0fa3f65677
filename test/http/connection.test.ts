// How one connection behaves, each time in memory and over TCP.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { DeadlineError } from '../../src/core/deadline.ts'
import { Engine, type EngineOptions } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import type { Handler } from '../../src/http/handler.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { inMemory, overTcp, readAnswers, ways, type Client, type Way } from './support/connect.ts'

const OK = prepareHead(200, ['content-type', 'text/plain'])
const HEAD_OK = prepareHead(200, ['x-head', '1'])

const opened: { engine: Engine; clients: Client[] }[] = []
afterEach(() => {
  for (const { engine, clients } of opened.splice(0)) {
    for (const client of clients) client.destroy()
    engine.close()
  }
})

interface Served {
  readonly engine: Engine
  readonly client: Client
  readonly errors: unknown[]
  readonly another: () => Promise<Client>
}

async function serve(way: Way, handler: Handler, options: EngineOptions = {}): Promise<Served> {
  const errors: unknown[] = []
  const engine = new Engine(handler, { onError: error => errors.push(error), ...options })
  const clients: Client[] = []
  opened.push({ engine, clients })
  const another = async () => {
    const client = await way.open(engine)
    clients.push(client)
    return client
  }
  return { engine, client: await another(), errors, another }
}

const get = (path = '/', fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const post = (body: string, fields = `Content-Length: ${body.length}\r\n`) =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
/** Either: libuv of Node 22 tells a reset that comes together with data as an end. */
const isOver = ({ hasClosed, hasEnded }: Client) => hasClosed || hasEnded
const codeOf = (error: unknown) => (error as { code?: string }).code

/** A promise to be settled from elsewhere. */
const gate = () => Promise.withResolvers<void>()

for (const way of ways) {
  describe(`a connection ${way.name}`, () => {
    test('serves one request after the other', async () => {
      const { client, engine } = await serve(way, exchange => exchange.send(OK, exchange.path))
      client.write(get('/one'))
      await client.answers(1)
      client.write(get('/two'))
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['/one', '/two'],
      )
      assert.equal(answers[0]!.fields.has('connection'), false)
      assert.equal(answers[0]!.fields.has('server'), false)
      assert.ok(answers[0]!.fields.has('date'))
      assert.equal(engine.connections, 1)
    })

    test('answers pipelined requests in order, one at a time', async () => {
      const started: string[] = []
      const gates = new Map(['/1', '/2', '/3'].map(path => [path, gate()]))
      const { client } = await serve(way, async exchange => {
        started.push(exchange.path)
        await gates.get(exchange.path)!.promise
        exchange.send(OK, exchange.path)
      })
      gates.get('/3')!.resolve()
      gates.get('/2')!.resolve()
      client.write(get('/1') + get('/2') + get('/3'))
      while (started.length === 0) await turn()
      await turn()
      assert.deepEqual(started, ['/1'])
      gates.get('/1')!.resolve()
      const answers = await client.answers(3)
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['/1', '/2', '/3'],
      )
    })

    test('runs what a handler does after its answer before the next pipelined request', async () => {
      const log: string[] = []
      const { client } = await serve(way, async exchange => {
        log.push(`in ${exchange.path}`)
        await turn()
        exchange.send(OK, '')
        log.push(`out ${exchange.path}`)
      })
      client.write(get('/1') + get('/2'))
      await client.answers(2)
      assert.deepEqual(log, ['in /1', 'out /1', 'in /2', 'out /2'])
    })

    test('sends an answer that is finished when the next pipelined handler destroys its exchange in the same turn', async () => {
      const { client } = await serve(way, exchange => {
        if (exchange.path === '/destroyed') exchange.destroy(new Error('enough'))
        else exchange.send(OK, exchange.path)
      })
      client.write(get('/1') + get('/2') + get('/destroyed') + get('/never'))
      const answers = await client.ended()
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['/1', '/2'],
      )
      assert.ok(client.text.endsWith('\r\n\r\n/2'), 'nothing behind the last whole answer')
    })

    test('hands whole answers over before it cuts the one behind them', async () => {
      const { client } = await serve(way, exchange => {
        if (exchange.path !== '/cut') return exchange.send(OK, exchange.path)
        exchange.start(OK, undefined, 9).write('half')
        exchange.destroy(new Error('enough'))
      })
      client.write(get('/1') + get('/2') + get('/cut'))
      await client.until(isOver)
      assert.deepEqual(
        readAnswers(client.text, false).map(answer => answer.body),
        ['/1', '/2'],
      )
    })

    test('sends the head of HEAD without its body, and 204 and 304 without either', async () => {
      const { client } = await serve(way, exchange => {
        if (exchange.path === '/none') exchange.send(prepareHead(204), 'ignored')
        else if (exchange.path === '/same') exchange.send(prepareHead(304, ['etag', '"a"']), null)
        else if (exchange.path === '/pieces') {
          const writer = exchange.start(HEAD_OK, [], 5)
          writer.write('hello')
          writer.end()
        } else exchange.send(HEAD_OK, 'hello')
      })
      client.write(
        'HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n' + get('/none') + get('/same'),
      )
      const answers = await client.answers(4)
      assert.equal(answers[0]!.fields.get('content-length'), '5')
      assert.equal(answers[1]!.fields.get('content-length'), '5')
      assert.ok(client.text.endsWith('\r\n\r\n'))
      for (const { fields, status } of answers.slice(2)) {
        assert.ok(status === 204 || status === 304)
        assert.equal(fields.has('content-length'), false)
        assert.equal(fields.has('transfer-encoding'), false)
      }
    })

    test('sends text of any alphabet, bytes, and nothing, each with its length', async () => {
      const bodies: (string | Uint8Array | null)[] = [
        '',
        'ascii',
        'é',
        '€ 😀',
        Buffer.from([0, 255, 13, 10]),
        Buffer.alloc(100_000, 7),
        'x'.repeat(300_000),
        'é'.repeat(100_000),
        null,
      ]
      const heads = [OK, prepareHead(200, ['x-name', 'caf\xe9'])]
      const { client } = await serve(way, exchange => {
        const [, head, body] = exchange.path.split('/')
        exchange.send(heads[Number(head)]!, bodies[Number(body)]!, ['x-body', body!])
      })
      const order = [0, 1].flatMap(head => bodies.map((_, body) => [head, body] as const))
      client.write(order.map(([head, body]) => get(`/${head}/${body}`)).join(''))
      const answers = await client.answers(order.length)
      order.forEach(([head, body], n) => {
        const expected = bodies[body] ?? ''
        const bytes = typeof expected === 'string' ? Buffer.from(expected) : Buffer.from(expected)
        assert.equal(answers[n]!.fields.get('x-body'), String(body))
        assert.equal(answers[n]!.fields.get('x-name'), head === 0 ? undefined : 'caf\xe9')
        assert.equal(answers[n]!.body, bytes.toString('latin1'))
      })
    })

    test('chunks an answer of unknown length', async () => {
      const { client } = await serve(way, async exchange => {
        const writer = exchange.start(OK)
        writer.write('one ')
        await turn()
        writer.write('')
        writer.write('zwölf ')
        writer.write(Buffer.from('bytes '))
        writer.write(Buffer.alloc(20_000, 'a'))
        await turn()
        writer.end()
        writer.write('late')
        writer.end()
      })
      client.write(get() + get())
      const answers = await client.answers(2)
      assert.equal(Buffer.from(answers[1]!.body, 'latin1').toString(), `one zwölf bytes ${'a'.repeat(20_000)}`)
      assert.equal(answers[0]!.fields.get('transfer-encoding'), 'chunked')
      assert.equal(answers[0]!.fields.has('content-length'), false)
    })

    test('sends trailers behind a chunked body, and none where there is no place for them', async () => {
      const { client, errors } = await serve(way, exchange => {
        const writer = exchange.start(OK, undefined, exchange.path === '/length' ? 2 : undefined)
        writer.write('ok')
        assert.throws(() => writer.end(['x-sum', 'a\r\nx: b']), { code: 'HTTP_BAD_FIELD' })
        assert.throws(() => writer.end(['content-length', '2']), { code: 'HTTP_BAD_FIELD' })
        writer.end(['X-Sum', '7', 'x-sum', '8'])
      })
      client.write(get('/chunked'))
      await client.until(({ text }) => text.endsWith('\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nx-sum: 8\r\n\r\n'))
      client.write(get('/length'))
      await client.until(({ text }) => text.endsWith('Content-Length: 2\r\n\r\nok'))
      assert.deepEqual(errors, [])
    })

    test('sends 103 Early Hints before the answer, never after it, and not to HTTP/1.0', async () => {
      const held = gate()
      const { client, another } = await serve(way, async exchange => {
        exchange.earlyHints(['Link', '</style.css>; rel=preload'])
        assert.throws(() => exchange.earlyHints(['link', 'a\nb']), { code: 'HTTP_BAD_FIELD' })
        await held.promise
        exchange.send(OK, 'done')
        exchange.earlyHints(['link', '</late>'])
      })
      client.write(get())
      await client.until(({ text }) => text === 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n')
      const old = await another()
      old.write('GET / HTTP/1.0\r\n\r\n')
      held.resolve()
      const [answer] = await client.answers(1)
      assert.deepEqual([answer!.status, answer!.body, answer!.interim], [200, 'done', [103]])
      assert.deepEqual((await old.ended())[0]!.interim, [])
      client.write(get())
      await client.answers(2)
    })

    test('ends an answer of unknown length to HTTP/1.0 with the connection', async () => {
      const { client } = await serve(way, async exchange => {
        const writer = exchange.start(OK)
        writer.write('one ')
        await turn()
        writer.write('two')
        writer.end()
      })
      client.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
      const [answer] = await client.ended()
      assert.equal(answer!.body, 'one two')
      assert.equal(answer!.fields.get('connection'), 'close')
      assert.equal(answer!.fields.has('transfer-encoding'), false)
    })

    test('sends the head of a stream before its first piece', async () => {
      const held = gate()
      const { client } = await serve(way, async exchange => {
        const writer = exchange.start(OK)
        await held.promise
        writer.end()
      })
      client.write(get())
      await client.until(({ text }) => text.includes('\r\n\r\n'))
      held.resolve()
      await client.answers(1)
    })

    test('says 100 Continue when the body is first read, and not before', async () => {
      const reads = gate()
      const { client } = await serve(way, async exchange => {
        await reads.promise
        exchange.send(OK, await exchange.body.bytes())
      })
      client.write(post('', 'Expect: 100-continue\r\nContent-Length: 5\r\n'))
      await turn()
      await turn()
      assert.equal(client.text, '')
      reads.resolve()
      await client.until(({ text }) => text === 'HTTP/1.1 100 Continue\r\n\r\n')
      client.write('hello')
      const [answer] = await client.answers(1)
      assert.equal(answer!.body, 'hello')
    })

    test('closes after an answer to a client that still waits for 100 Continue', async () => {
      const { client } = await serve(way, exchange => exchange.send(OK, 'no'))
      client.write(post('', 'Expect: 100-continue\r\nContent-Length: 5\r\n'))
      const [answer] = await client.ended()
      assert.deepEqual(answer!.interim, [])
      assert.equal(answer!.fields.get('connection'), 'close')
    })

    test('hands over a body that is here already without a promise', async () => {
      let isPromise: boolean | undefined
      const { client } = await serve(way, exchange => {
        const bytes = exchange.body.bytes()
        isPromise = bytes instanceof Promise
        exchange.send(OK, bytes as Uint8Array)
      })
      client.write(post('hello'))
      assert.equal((await client.answers(1))[0]!.body, 'hello')
      assert.equal(isPromise, false)
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello')
      await turn()
      client.write('world')
      assert.equal((await client.answers(2))[1]!.body, 'helloworld')
      assert.equal(isPromise, false)
    })

    test('starts the handler of a small body that does not come', async () => {
      const { client } = await serve(way, async exchange => exchange.send(OK, await exchange.body.bytes()), {
        limits: { gatherMs: 1 },
      })
      client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
      await client.until(
        () =>
          opened[0]!.engine.inflight === 1 || (setImmediate(() => client.stream.emit('data', Buffer.alloc(0))), false),
      )
      client.write('5\r\nhello\r\n0\r\n\r\n')
      assert.equal((await client.answers(1))[0]!.body, 'hello')
    })

    test('reads on for the rest of a small body behind as many requests as are read ahead', async () => {
      const held = gate()
      const begun = gate()
      const { client } = await serve(
        way,
        async exchange => {
          begun.resolve()
          if (exchange.path === '/held') await held.promise
          exchange.send(OK, await exchange.body.bytes())
        },
        { limits: { gatherMs: 60_000 } },
      )
      client.write(get('/held'))
      await begun.promise
      client.write(get('/').repeat(8) + post('hel', 'Content-Length: 5\r\n'))
      for (let n = 0; n < 20; n++) await turn()
      client.write('lo')
      for (let n = 0; n < 20; n++) await turn()
      held.resolve()
      assert.equal((await client.answers(10))[9]!.body, 'hello')
    })

    test('keeps the connection when a little body was left unread', async () => {
      const { client } = await serve(way, exchange => exchange.send(OK, exchange.path), { limits: { gatherBytes: 0 } })
      client.write(post('', 'Content-Length: 50000\r\n'))
      await client.answers(1)
      client.write('x'.repeat(50_000) + get('/next'))
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['/', '/next'],
      )
      assert.equal(answers[0]!.fields.has('connection'), false)
    })

    test('closes when much was left unread, and the client can still read the answer', async () => {
      const { client } = await serve(way, exchange => exchange.send(OK, 'too much'))
      client.write(post('x'.repeat(200_000), 'Content-Length: 5000000\r\n'))
      await client.until(({ hasEnded }) => hasEnded)
      client.write('x'.repeat(1_000_000))
      const [answer] = await client.ended()
      assert.equal(answer!.body, 'too much')
      assert.equal(answer!.fields.get('connection'), 'close')
    })

    test('refuses a body over the limit: declared at once, chunked when it is passed', async () => {
      const errors: unknown[] = []
      const { client, another } = await serve(
        way,
        async exchange => {
          try {
            await exchange.body.bytes(exchange.path === '/own' ? 10 : undefined)
            exchange.send(OK, 'success')
          } catch (error) {
            errors.push(error)
            exchange.send(prepareHead((error as { status: number }).status), null)
          }
        },
        { limits: { maxBodyBytes: 100, gatherBytes: 0 } },
      )
      client.write(post('', 'Content-Length: 101\r\n'))
      assert.equal((await client.answers(1))[0]!.status, 413)
      const second = await another()
      second.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n${'x'.repeat(100)}\r\n`)
      await turn()
      second.write('1\r\nx\r\n')
      assert.equal((await second.answers(1))[0]!.status, 413)
      const third = await another()
      third.write('POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n')
      assert.equal((await third.answers(1))[0]!.status, 413)
      assert.deepEqual(errors.map(codeOf), Array(3).fill('HTTP_BODY_TOO_LARGE'))
    })

    test('yields a body piece by piece, and bounds it by its own limit', async () => {
      const { client } = await serve(way, async exchange => {
        const { body } = exchange
        if (exchange.path === '/small') body.limit(5)
        let size = 0
        try {
          for await (const piece of body) size += piece.length
          exchange.send(OK, String(size))
        } catch (error) {
          exchange.send(OK, codeOf(error)!)
        }
      })
      client.write(
        post('hello') +
          `POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`,
      )
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['5', 'HTTP_BODY_TOO_LARGE'],
      )
    })

    test('reads a body only once', async () => {
      const { client } = await serve(way, async exchange => {
        await exchange.body.bytes()
        assert.throws(() => exchange.body.bytes(), { code: 'HTTP_BODY_READ_TWICE' })
        assert.throws(() => exchange.body[Symbol.asyncIterator](), { code: 'HTTP_BODY_READ_TWICE' })
        exchange.send(OK, 'once')
      })
      client.write(post('hello'))
      assert.equal((await client.answers(1))[0]!.body, 'once')
    })

    test('does not read on while nobody takes the body', async () => {
      const takes = gate()
      let size = 0
      const { client } = await serve(
        way,
        async exchange => {
          await takes.promise
          for await (const piece of exchange.body) {
            size += piece.length
            await turn()
          }
          exchange.send(OK, String(size))
        },
        { limits: { maxBodyBytes: Infinity } },
      )
      const total = 40_000_000
      client.write(post('', `Content-Length: ${total}\r\n`))
      let sent = 0
      const chunk = Buffer.alloc(1_000_000)
      // Until nothing moves any more: the kernel's buffers are full, and ours.
      while (sent < total && client.stream.writableLength <= chunk.length) {
        client.stream.write(chunk)
        sent += chunk.length
        for (let n = 0; n < 20 && client.stream.writableLength > 0; n++) await turn()
      }
      assert.ok(sent < total, 'the server has taken everything')
      takes.resolve()
      while (sent < total) {
        if (!client.stream.write(chunk)) await once(client.stream, 'drain')
        sent += chunk.length
      }
      assert.equal((await client.answers(1))[0]!.body, String(total))
    })

    test('tells a writer that the client is slow, and when it is not any more', async () => {
      const piece = Buffer.alloc(1_000_000, 'a')
      let written = 0
      const { client } = await serve(way, async exchange => {
        const writer = exchange.start(OK)
        for (; written < 20; written++) if (!writer.write(piece)) await writer.drained()
        writer.end()
      })
      client.stream.pause()
      client.write(get())
      for (let n = 0; n < 50; n++) await turn()
      const before = written
      assert.ok(before < 20, `${before} of 20 written to a client that reads nothing`)
      client.stream.resume()
      await client.until(({ received }) => received > 20_000_000)
      const [answer] = await client.answers(1)
      assert.equal(answer!.body.length, 20_000_000)
    })

    test('ignores and reports a second answer', async () => {
      const { client, errors } = await serve(way, exchange => {
        exchange.send(OK, 'first')
        assert.equal(exchange.answered, true)
        exchange.send(OK, 'second')
        const writer = exchange.start(OK)
        writer.write('third')
        writer.end()
      })
      client.write(get() + get())
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['first', 'first'],
      )
      assert.deepEqual(errors.map(codeOf), Array(4).fill('HTTP_ANSWERED_TWICE'))
    })

    test('destroys a connection whose answer is not as long as declared', async () => {
      for (const [declared, body] of [
        [10, 'short'],
        [3, 'too long'],
      ] as const) {
        const { client, errors } = await serve(way, async exchange => {
          const writer = exchange.start(OK, [], declared)
          await turn()
          writer.write(body)
          writer.end()
        })
        client.write(get())
        await client.until(isOver)
        assert.throws(() => assert.equal(readAnswers(client.text, true).length, 1))
        assert.deepEqual(errors.map(codeOf), ['HTTP_WRONG_LENGTH'])
      }
    })

    test('makes a 500 of what a handler throws or rejects with, and reports it', async () => {
      const { client, errors } = await serve(way, exchange => {
        if (exchange.path === '/now') throw new Error('secret now')
        return Promise.reject(new Error('secret later'))
      })
      client.write(get('/now') + get('/later'))
      const answers = await client.answers(2)
      for (const { status, body, fields } of answers) {
        assert.equal(status, 500)
        assert.equal(fields.get('content-type'), 'application/problem+json')
        assert.ok(!body.includes('secret'))
      }
      assert.deepEqual(
        errors.map(error => (error as Error).message),
        ['secret now', 'secret later'],
      )
    })

    test('cuts an answer whose handler fails in the middle of it', async () => {
      const { client, errors } = await serve(way, async exchange => {
        exchange.start(OK).write('half')
        await turn()
        throw new Error('broken')
      })
      client.write(get())
      await client.until(isOver)
      assert.throws(() => assert.equal(readAnswers(client.text, true).length, 1))
      assert.equal((errors[0] as Error).message, 'broken')
    })

    test('sends nothing of an answer with a field that would split it, and can answer otherwise', async () => {
      const { client } = await serve(way, exchange => {
        assert.throws(() => exchange.send(OK, 'x', ['location', '/\r\nSet-Cookie: a=b']), { code: 'HTTP_BAD_FIELD' })
        assert.throws(() => exchange.start(OK, ['x', 'a\nb']), { code: 'HTTP_BAD_FIELD' })
        exchange.send(prepareHead(500), null)
      })
      client.write(get())
      const [answer] = await client.answers(1)
      assert.equal(answer!.status, 500)
      assert.ok(!client.text.includes('Set-Cookie'))
    })

    test('aborts the signal when the client ends with its request open, and still sends an answer', async () => {
      const { client } = await serve(way, async exchange => {
        const { signal } = exchange
        if (!signal.aborted) await once(signal, 'abort')
        assert.equal(codeOf(signal.reason), 'HTTP_CLIENT_GONE')
        exchange.send(OK, 'after all')
      })
      client.write(get())
      client.stream.end()
      const [answer] = await client.ended()
      assert.equal(answer!.body, 'after all')
      assert.equal(answer!.fields.get('connection'), 'close')
    })

    test('goes on answering a client that has only finished asking, where that is wanted', async () => {
      const { client } = await serve(
        way,
        async exchange => {
          await turn()
          await turn()
          exchange.send(OK, String(exchange.signal.aborted))
        },
        { halfClose: 'answer' },
      )
      client.write(get('/1') + get('/2') + get('/3'))
      client.stream.end()
      const answers = await client.ended()
      assert.deepEqual(
        answers.map(answer => answer.body),
        ['false', 'false', 'false'],
      )
    })

    test('aborts the signal, fails the body and the writer when the connection breaks', async () => {
      const seen: unknown[] = []
      const done = gate()
      const { client } = await serve(way, async exchange => {
        const writer = exchange.start(OK)
        for (let isThere = true; isThere;) {
          while (writer.write('x'.repeat(100_000)));
          await writer.drained().catch((error: unknown) => {
            seen.push(error, exchange.signal.reason)
            isThere = false
          })
        }
        assert.equal(writer.write('x'), false)
        exchange.send(OK, 'ignored')
        done.resolve()
      })
      client.stream.pause()
      client.write(get())
      while (client.stream.readableLength === 0) await turn()
      client.destroy()
      await done.promise
      assert.deepEqual(seen.map(codeOf), ['HTTP_CLIENT_GONE', 'HTTP_CLIENT_GONE'])
    })

    test('fails a body whose client goes away', async () => {
      const failed = Promise.withResolvers<unknown>()
      const { client } = await serve(
        way,
        async exchange => {
          try {
            await exchange.body.bytes()
          } catch (error) {
            failed.resolve(error)
          }
        },
        { limits: { gatherBytes: 0 } },
      )
      client.write(post('hel', 'Content-Length: 5\r\n'))
      while (opened[0]!.engine.inflight === 0) await turn()
      client.destroy()
      assert.equal(codeOf(await failed.promise), 'HTTP_BODY_ABORTED')
    })

    test('does not wait for the rest of a body when the client had ended before its request came up', async () => {
      for (const length of [10, 100_000]) {
        const paths: string[] = []
        const { client, engine } = await serve(way, async exchange => {
          paths.push(exchange.path)
          // The end is known from here on.
          if (!exchange.signal.aborted) await once(exchange.signal, 'abort')
          exchange.send(OK, await exchange.body.bytes())
        })
        client.write(get('/first') + post('cut', `Content-Length: ${length}\r\n`))
        client.stream.end()
        assert.equal((await client.ended()).length, 1)
        assert.deepEqual(paths, ['/first'])
        while (engine.connections > 0) await turn()
      }
    })

    test('answers for a handler that is at work when its body turns out to be broken', async () => {
      const failed = Promise.withResolvers<unknown>()
      const { client } = await serve(
        way,
        async exchange => {
          try {
            await exchange.body.bytes()
          } catch (error) {
            failed.resolve(error)
            assert.equal(exchange.answered, true)
            assert.equal(exchange.signal.aborted, true)
            exchange.send(OK, 'late')
          }
        },
        { limits: { gatherMs: 0 } },
      )
      client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      while (opened[0]!.engine.inflight === 0) await turn()
      client.write('zz\r\n' + get('/smuggled'))
      const answers = await client.ended()
      assert.deepEqual(
        answers.map(answer => answer.status),
        [400],
      )
      assert.equal(codeOf(await failed.promise), 'HTTP_BAD_CHUNK')
    })

    test('cuts an answer that has begun when the body turns out to be broken', async () => {
      const { client } = await serve(way, exchange => void exchange.start(OK).write('half'), {
        limits: { gatherBytes: 0 },
      })
      client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
      await client.until(({ text }) => text.includes('half'))
      client.write('zz\r\n')
      await client.until(isOver)
      assert.throws(() => assert.equal(readAnswers(client.text, true).length, 1))
    })

    test('holds a request to its time: the signal aborts, then somebody answers, once', async () => {
      const log: string[] = []
      const { client, errors } = await serve(way, async exchange => {
        exchange.limitTime(exchange.path === '/slow' ? 30 : 60_000, late => {
          log.push('passed')
          late.send(prepareHead(504), 'late')
        })
        if (exchange.path !== '/slow') return exchange.send(OK, 'quick')
        exchange.signal.addEventListener('abort', () => log.push('aborted'))
        await once(exchange.signal, 'abort')
        assert.ok(exchange.signal.reason instanceof DeadlineError)
        exchange.send(OK, 'too late')
      })
      client.write(get('/slow') + get('/quick'))
      const answers = await client.answers(2)
      assert.deepEqual(
        answers.map(answer => [answer.status, answer.body]),
        [
          [504, 'late'],
          [200, 'quick'],
        ],
      )
      assert.deepEqual(log, ['aborted', 'passed'])
      assert.deepEqual(errors, [])
    })

    test('cuts the connection without an answer when told to', async () => {
      const { client } = await serve(way, exchange => exchange.destroy(new Error('enough')))
      client.write(get())
      await client.until(isOver)
      assert.equal(client.text, '')
    })

    test('tells fields by any name, the inherited ones of objects too', async () => {
      const { client } = await serve(way, exchange => {
        const { fields } = exchange
        assert.deepEqual(
          ['toString', 'constructor', '__proto__'].map(name => fields.get(name)),
          [undefined, undefined, undefined],
        )
        assert.equal(fields.has('x-a'), true)
        assert.deepEqual(fields.all('x-a'), ['1', '2'])
        assert.deepEqual(fields.all('none'), [])
        assert.equal(fields.get('x-a'), '1, 2')
        assert.deepEqual(
          [...fields.entries()],
          [
            ['host', 'a'],
            ['x-a', '1'],
            ['x-a', '2'],
          ],
        )
        exchange.send(OK, 'fine')
      })
      client.write(get('/', 'X-A: 1\r\nx-a: 2\r\n'))
      assert.equal((await client.answers(1))[0]!.body, 'fine')
    })
  })
}

describe('a connection over TCP that is cut', () => {
  test('is reset, so that a body which the connection delimits does not look whole', async () => {
    const cuts = gate()
    const { client } = await serve(overTcp, async exchange => {
      const writer = exchange.start(OK)
      writer.write('half')
      await cuts.promise
      writer.abort(new Error('no more'))
    })
    const broken = once(client.stream, 'error')
    client.write('GET / HTTP/1.0\r\n\r\n')
    await client.until(({ text }) => text.endsWith('half'))
    cuts.resolve()
    assert.equal(((await broken)[0] as { code: string }).code, 'ECONNRESET')
    assert.equal(client.hasEnded, false)
  })
})

describe('a busy connection', () => {
  test('serves at most 16 requests before others have their turn', async () => {
    const order: string[] = []
    const { client, another } = await serve(inMemory, exchange => {
      order.push(exchange.path)
      exchange.send(OK, '')
    })
    const other = await another()
    client.write(get('/busy').repeat(50))
    other.write(get('/other'))
    await Promise.all([client.answers(50), other.answers(1)])
    assert.equal(order.length, 51)
    assert.ok(order.indexOf('/other') <= 16, `the other one was served as number ${order.indexOf('/other')}`)
  })

  test('joins the answers of one turn into one write, also when handlers are asynchronous', async () => {
    for (const handler of [
      (exchange: Exchange) => exchange.send(OK, 'x'),
      async (exchange: Exchange) => exchange.send(OK, await Promise.resolve('x')),
    ]) {
      const { client } = await serve(inMemory, handler)
      let writes = 0
      client.stream.on('data', () => writes++)
      client.write(get().repeat(16))
      await client.answers(16)
      assert.ok(writes <= 2, `${writes} writes`)
    }
  })

  test('serves on after exactly as many as fit into one turn', async () => {
    const { client } = await serve(inMemory, exchange => exchange.send(OK, exchange.path))
    client.write(get('/a').repeat(16))
    await client.answers(16)
    client.write(get('/b').repeat(16))
    await client.answers(32)
    client.write(get('/c').repeat(17) + 'GET /d HT')
    await client.answers(49)
    client.write('TP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await client.answers(50))[49]!.body, '/d')
  })

  test('is served no further while it does not read its answers', async () => {
    let served = 0
    const { client } = await serve(overTcp, exchange => {
      served++
      exchange.send(OK, Buffer.alloc(100_000, 'a'))
    })
    client.stream.pause()
    client.write(get().repeat(1000))
    for (let before = -1; before < served;) {
      before = served
      for (let n = 0; n < 50; n++) await turn()
    }
    // What the kernel takes (some megabytes), and one more.
    assert.ok(served < 200, `${served} of 1000 served`)
    client.stream.resume()
    await client.until(({ received }) => received > 100_000_000)
    assert.equal(served, 1000)
  })

  test('reads at most some requests ahead of the one being answered', async () => {
    const held = gate()
    let served = 0
    const { client } = await serve(inMemory, async exchange => {
      served++
      await held.promise
      exchange.send(OK, '')
    })
    let taken = 0
    // 8 KiB each, so that the 64 KiB which the stream between us takes on its own are not most of what is counted.
    const padding = `X: ${'x'.repeat(8000)}\r\n`
    for (let n = 0; n < 100; n++) client.stream.write(get('/', padding), () => taken++)
    for (let n = 0; n < 300; n++) await turn()
    // One at work, eight ahead, and another eight in the stream.
    assert.equal(served, 1)
    assert.ok(taken <= 20, `${taken} of 100 taken`)
    held.resolve()
    assert.equal((await client.answers(100)).length, 100)
  })

  test('is not read at all by one that was refused', async () => {
    const { client, engine } = await serve(overTcp, exchange => exchange.send(OK, ''), { limits: { lingerMs: 200 } })
    client.write('BAD\r\n\r\n')
    const [answer] = await client.ended().then(answers => answers)
    assert.equal(answer!.status, 400)
    // Our side stays open in this test: the server must not wait for it longer than it lingers.
    await client.until(({ hasClosed }) => hasClosed)
    while (engine.connections > 0) await turn()
  })
})
