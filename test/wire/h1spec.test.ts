// The 33 things that h1spec (github.com/uNetworking/h1spec, October 2024) asks of a server, with requests of our own, stricter: a case
// that must wait is completed afterwards and must then be answered, and each is fed whole and byte by byte. One test for each:
//
//   npm test -- test/wire/h1spec.test.ts
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Engine } from '../../src/http/engine.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { inMemory, overTcp, type Answer, type Client, type Way } from '../http/support/connect.ts'

const OK = prepareHead(200)
const engine = new Engine(async exchange => exchange.send(OK, await exchange.body.bytes()))
after(() => engine.close())

const feedings: readonly (readonly [way: Way, size: number])[] = [
  [overTcp, Infinity],
  [inMemory, Infinity],
  [inMemory, 1],
]

async function fed(way: Way, size: number, text: string): Promise<Client> {
  const client = await way.open(engine)
  for (let at = 0; at < text.length; at += size) client.write(text.slice(at, at + size))
  return client
}

const FRAGMENTS: Readonly<Record<string, string>> = {
  'a method': 'G',
  'a method and a space': 'GET ',
  'a target': 'GET /some/path',
  'a target and a space': 'GET /some/path ',
  'a part of the version': 'GET /some/path HTTP',
  'a request line without its end': 'GET /some/path HTTP/1.1',
  'a request line and CR': 'GET /some/path HTTP/1.1\r',
  'a request line': 'GET /some/path HTTP/1.1\r\n',
  'a part of a field name': 'GET /some/path HTTP/1.1\r\nHo',
  'a field name and a colon': 'GET /some/path HTTP/1.1\r\nHost:',
  'a field name, a colon and a space': 'GET /some/path HTTP/1.1\r\nHost: ',
  'a field without its end': 'GET /some/path HTTP/1.1\r\nHost: a.example',
  'a field and CR': 'GET /some/path HTTP/1.1\r\nHost: a.example\r',
  'a field': 'GET /some/path HTTP/1.1\r\nHost: a.example\r\n',
  'a head but for its last byte': 'GET /some/path HTTP/1.1\r\nHost: a.example\r\n\r',
}
const WHOLE = 'GET /some/path HTTP/1.1\r\nHost: a.example\r\n\r\n'

const head = (fields: string, line = 'GET / HTTP/1.1') => `${line}\r\nHost: a.example\r\n${fields}\r\n`

const REFUSED: Readonly<Record<string, readonly [text: string, status: number]>> = {
  'a request line without a version': ['GET / \r\n\r\n', 400],
  'a field name with brackets': [head('X-List[]: one\r\n'), 400],
  'no Host': ['GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n', 400],
  'two Hosts': [head('Host: b.example\r\n'), 400],
  'a negative length of 27 digits': [head('Content-Length: -987654321987654321987654321\r\n'), 400],
  'a negative length': [head('Content-Length: -4321\r\n'), 400],
  'a length of letters': [head('Content-Length: five\r\n'), 400],
  'a control character in a value': [head('X-Bell: ring\x07\r\n'), 400],
  'a version that is none of ours': [head('', 'GET / HTTP/9.9'), 505],
  'something before the request line': [head('', 'Something elseGET / HTTP/1.1'), 501],
  'CR where the blank line belongs': ['GET / HTTP/1.1\r\nHost: a.example\r\n\rX-Late: one\r\n\r\n', 400],
  'a length beside chunked, in odd case': [
    head('content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n', 'POST / HTTP/1.1') + '5\r\nhello\r\n0\r\n\r\n',
    400,
  ],
}

const SERVED: Readonly<Record<string, readonly [text: string, body: string]>> = {
  'Expect without a body': [head('Expect: 100-continue\r\n'), ''],
  'a plain GET': [head(''), ''],
  'a tab before a value, and no value': ['GET / HTTP/1.1\r\nhOsT:\ta.example\r\nnothing:\r\n\r\n', ''],
  'a value of one space': [head('X-Nothing: \r\n'), ''],
  'a body by its length': [head('Content-Length: 5\r\n', 'POST / HTTP/1.1') + 'hello', 'hello'],
  'a body in chunks': [
    head('Transfer-Encoding: chunked\r\n', 'POST / HTTP/1.1') + 'c\r\nHellO world1\r\n0\r\n\r\n',
    'HellO world1',
  ],
}

describe('h1spec', { concurrency: true }, () => {
  for (const [name, text] of Object.entries(FRAGMENTS))
    test(`waits for more behind ${name}`, async () => {
      for (const [way, size] of feedings) {
        const client = await fed(way, size, text)
        for (let n = 0; n < 20; n++) await turn()
        assert.equal(client.text, '')
        assert.equal(client.hasEnded, false)
        client.write(WHOLE.slice(text.length))
        assert.equal((await client.answers(1))[0]?.status, 200)
        client.destroy()
      }
    })

  const checked = async (text: string, check: (answers: Answer[]) => void) => {
    for (const [way, size] of feedings) {
      const client = await fed(way, size, text)
      check(await client.answers(1))
      client.destroy()
    }
  }

  for (const [name, [text, status]] of Object.entries(REFUSED))
    test(`refuses ${name}`, () =>
      checked(text, ([answer]) => {
        assert.equal(answer?.status, status)
        assert.equal(answer.fields.get('connection'), 'close')
      }))

  for (const [name, [text, body]] of Object.entries(SERVED))
    test(`serves ${name}`, () =>
      checked(text, ([answer]) => {
        assert.equal(answer?.status, 200)
        assert.equal(answer.body, body)
      }))
})
