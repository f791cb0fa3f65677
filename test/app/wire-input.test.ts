// What clients put into requests, as raw bytes: rules of inputs that a well-behaved client in a test could not break.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import { App } from 'millrace'
import { Engine } from '../../src/http/engine.ts'
import { overTcp, ways, type Way } from '../http/support/connect.ts'
import { silent } from './support/seams.ts'

const ran: string[] = []
const app = new App({ log: silent })
app.post('/json', { body: z.any(), maxBodyBytes: 10_000 }, ({ body }) => {
  ran.push('/json')
  return { got: body as unknown }
})
app.get('/query', { query: z.looseObject({}) }, ({ query }) => {
  ran.push('/query')
  return { count: Object.keys(query).length, own: Object.hasOwn(query, '__proto__') }
})
app.get('/files/{name}', { params: z.object({ name: z.string() }) }, ({ params }) => {
  ran.push('/files')
  return { name: params.name }
})
app.get('/cookies', { cookies: z.looseObject({}) }, ({ cookies }) => {
  ran.push('/cookies')
  return { isPolluted: 'polluted' in {}, names: Object.keys(cookies) }
})

const post = (body: string, fields = 'Content-Type: application/json\r\n') =>
  `POST /json HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`
const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const type = (text: string) => `Content-Type: ${text}\r\n`

/** The request, its status, and whether a handler runs. Written in latin1: a char is a byte. */
const CASES: Readonly<Record<string, readonly [request: string, status: number]>> = {
  'JSON that is whole': [post('{"a":[1,"\xc3\xa9"]}'), 200],
  'JSON of 64 levels': [post(deep(64)), 200],
  'JSON of 65 levels': [post(deep(65)), 400],
  'JSON with a byte that is no UTF-8': [post('"\xff"'), 400],
  'JSON with a cut UTF-8 sequence': [post('"\xc3"'), 400],
  'JSON with an overlong slash': [post('"\xc0\xaf"'), 400],
  'JSON with a surrogate in UTF-8': [post('"\xed\xa0\x80"'), 400],
  'JSON behind a byte-order mark': [post('\xef\xbb\xbf{}'), 400],
  'JSON in UTF-16': [post('\xff\xfe{\0}\0'), 400],
  'JSON with junk behind it': [post('{}x'), 400],
  'JSON twice': [post('{}{}'), 400],
  'JSON with a NUL behind it': [post('{}\0'), 400],
  'JSON that is cut': [post('{"a":'), 400],
  'JSON with a __proto__ key': [post('{"__proto__":{"polluted":1}}'), 400],
  'JSON with an escaped __proto__ key': [post('{"\\u005f_proto__":{"polluted":1}}'), 400],
  'JSON with a __proto__ key deep inside': [post('[{"a":{"__proto__":1}}]'), 400],
  'JSON with a single-quoted string': [post("{'a':1}"), 400],
  'JSON with a comment': [post('{}//'), 400],
  'JSON with NaN': [post('NaN'), 400],
  'JSON over the limit': [post(`"${'x'.repeat(10_000)}"`), 413],
  'a length over the limit, and no body yet': [
    'POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9007199254740991\r\n\r\n',
    413,
  ],
  'no content type': [post('{}', ''), 415],
  'another content type': [post('{}', type('text/plain')), 415],
  'a content type with junk': [post('{}', type('application/json x')), 415],
  'a content type with junk in front': [post('{}', type(';application/json')), 415],
  'a list of content types': [post('{}', type('application/json, text/plain')), 415],
  'a content type twice': [post('{}', type('application/json') + type('application/json')), 415],
  'two content types': [post('{}', type('text/plain') + type('application/json')), 415],
  'a content type with another charset': [post('{}', type('application/json; charset=utf-16')), 415],
  'a content type that only begins so': [post('{}', type('application/jsonp')), 415],
  'a content type of HTML forms': [post('{"a":"="}', type('text/plain; application/json')), 415],
  'a content type with a charset': [post('{}', type('application/json; charset=UTF-8')), 200],
  'a query of 1,000 parameters': [get(`/query?${Array.from({ length: 1000 }, (_, n) => `a${n}`).join('&')}`), 200],
  'a query of 1,001 parameters': [get(`/query?${Array.from({ length: 1001 }, (_, n) => `a${n}`).join('&')}`), 400],
  'a query of 1,001 parameters of one name': [get(`/query?${'a&'.repeat(1001)}`), 400],
  'a query with __proto__': [get('/query?__proto__=1&constructor=2'), 200],
  'a name with an escaped slash': [get('/files/a%2fb'), 400],
  'a name with an escaped backslash': [get('/files/a%5Cb'), 400],
  'a name with an escaped NUL': [get('/files/a%00'), 400],
  'a name with a malformed escape': [get('/files/a%zz'), 400],
  'a name with escaped dots above it': [get('/files/%2e%2e/%2e%2e/etc'), 404],
  'cookies with names of prototypes': [get('/cookies', 'Cookie: __proto__=polluted; constructor=a\r\n'), 200],
}

for (const way of ways)
  describe(`bytes of a client, ${way.name}`, () => {
    let engine: Engine
    let stop: (graceMs: number) => Promise<void>
    before(async () => {
      const started = await app.start()
      stop = graceMs => started.stop(graceMs)
      engine = new Engine(started.handler)
    })
    after(async () => {
      engine.close()
      await stop(1000)
    })

    for (const [name, [request, status]] of Object.entries(CASES))
      test(`${name}: ${status}`, async () => {
        for (const size of way === overTcp ? [Infinity] : [Infinity, 7, 1]) {
          ran.length = 0
          const answer = await answerTo(way, engine, request, size)
          assert.equal(answer.status, status, answer.body)
          assert.equal(ran.length, status === 200 ? 1 : 0, 'handlers that ran')
          assert.equal('polluted' in {}, false)
          if (status !== 200) assert.equal(answer.fields.get('content-type'), 'application/problem+json')
        }
      })
  })

async function answerTo(way: Way, engine: Engine, request: string, size: number) {
  const client = await way.open(engine)
  if (size >= request.length) client.write(request)
  else for (let at = 0; at < request.length; at += size) client.write(request.slice(at, at + size))
  const [answer] = await client.answers(1)
  client.destroy()
  return answer!
}
