// A body that nobody reads stays a body. Smuggling without a malformed byte lives on servers that answer early and take what comes then
// for the next request: CL.0, TE.0, 0.CL, by pauses and by Expect (James Kettle, "Browser-Powered Desync Attacks", 2022, and "HTTP/1.1
// must die", 2025).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Engine } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { ways } from '../http/support/connect.ts'

const OK = prepareHead(200)
const HEAD_OK = prepareHead(200, ['x-head', '1'])

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'
const length = `Content-Length: ${SMUGGLED.length}\r\n`
const chunked = 'Transfer-Encoding: chunked\r\n'
const inChunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`
const headOf = (fields: string, line = 'POST /first HTTP/1.1') => `${line}\r\nHost: a\r\n${fields}\r\n`

interface Case {
  readonly name: string
  readonly head: string
  /** Sent at once, or only when the answer to the head has come. */
  readonly body: string
  readonly isPaused: boolean
  /** Whether the request behind it is served on the same connection; else it is closed. */
  readonly isKept: boolean
}

const CASES: readonly Case[] = [
  { name: 'CL.0: a request in a body by length', head: headOf(length), body: SMUGGLED, isPaused: false, isKept: true },
  ...['GET', 'HEAD', 'OPTIONS', 'DELETE'].map(method => ({
    name: `CL.0: a request in the body of a ${method}`,
    head: headOf(length, `${method} /first HTTP/1.1`),
    body: SMUGGLED,
    isPaused: false,
    isKept: true,
  })),
  { name: 'TE.0: a request in a chunk', head: headOf(chunked), body: inChunk, isPaused: false, isKept: true },
  { name: 'TE.0: in a trailer', head: headOf(chunked), body: `0\r\nX: y\r\n\r\n`, isPaused: false, isKept: true },
  { name: 'a pause before a body by length', head: headOf(length), body: SMUGGLED, isPaused: true, isKept: true },
  { name: 'a pause before a body in chunks', head: headOf(chunked), body: inChunk, isPaused: true, isKept: false },
  {
    name: 'a pause before a body too long to be read away',
    head: headOf('Content-Length: 100000\r\n'),
    body: SMUGGLED,
    isPaused: true,
    isKept: false,
  },
  {
    name: 'Expect: a body that comes though nobody said to continue',
    head: headOf(`Expect: 100-continue\r\n${length}`),
    body: SMUGGLED,
    isPaused: true,
    isKept: false,
  },
  {
    name: 'Expect: a body that comes at once',
    head: headOf(`Expect: 100-continue\r\n${length}`),
    body: SMUGGLED,
    isPaused: false,
    isKept: true,
  },
  {
    name: 'Expect on a GET with a body',
    head: headOf(`Expect: 100-continue\r\n${length}`, 'GET /first HTTP/1.1'),
    body: SMUGGLED,
    isPaused: true,
    isKept: false,
  },
  {
    name: '0.CL: a length that some hop does not see',
    head: headOf(`X: y\r\ncontent-length:\t${SMUGGLED.length}\r\n`, 'GET /first HTTP/1.1'),
    body: SMUGGLED,
    isPaused: true,
    isKept: true,
  },
  {
    name: 'what follows a request that closes',
    head: headOf('Connection: close\r\n', 'GET /first HTTP/1.1'),
    body: SMUGGLED,
    isPaused: false,
    isKept: false,
  },
  { name: 'what follows HTTP/1.0', head: headOf('', 'GET /first HTTP/1.0'), body: SMUGGLED, isPaused: false, isKept: false },
]

const ANSWERS: Readonly<Record<string, (exchange: Exchange) => void | Promise<void>>> = {
  'an answer at once': exchange => exchange.send(exchange.method === 'HEAD' ? HEAD_OK : OK, 'early'),
  'an answer in a later turn': async exchange => {
    await new Promise(resolve => setImmediate(resolve))
    exchange.send(exchange.method === 'HEAD' ? HEAD_OK : OK, 'early')
  },
  'a streamed answer': exchange => {
    const writer = exchange.start(exchange.method === 'HEAD' ? HEAD_OK : OK)
    writer.write('early')
    writer.end()
  },
}

for (const way of ways)
  for (const [kind, answer] of Object.entries(ANSWERS))
    describe(`a body that ${kind} leaves unread, ${way.name}`, () => {
      for (const { name, head, body, isPaused, isKept } of CASES)
        test(name, async () => {
          const paths: string[] = []
          const engine = new Engine(
            exchange => {
              paths.push(exchange.path)
              return answer(exchange)
            },
            // A body that has begun is not waited for before the handler runs.
            { limits: { gatherBytes: 0 }, onError: error => assert.fail(error as Error) },
          )
          const client = await way.open(engine)
          client.write(isPaused ? head : head + body + NEXT)
          if (isPaused) {
            await client.answers(1)
            if (client.stream.writable) client.write(body + NEXT)
          }
          const answers = isKept ? await client.answers(2) : await client.ended()
          assert.deepEqual(paths, isKept ? ['/first', '/next'] : ['/first'])
          assert.equal(answers.length, paths.length)
          assert.equal(answers[0]!.fields.get('connection'), isKept ? undefined : 'close')
          client.destroy()
          engine.close()
        })
    })
