import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeFields, prepareHead } from '../../src/http/prepared-head.ts'
import { CONNECTION_CLOSE, CONNECTION_KEPT, encodeHead } from '../../src/http/response-encoder.ts'

describe('prepareHead', () => {
  test('refuses what could end a line or start another: response splitting', () => {
    for (const value of ['a\r\nSet-Cookie: b', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'a\u010ab', '\ud83d\ude00'])
      assert.throws(() => prepareHead(200, ['x', value]), { code: 'HTTP_BAD_FIELD' }, JSON.stringify(value))
    for (const name of ['', 'a b', 'a:', 'a\r\nb', 'é', 'a\0'])
      assert.throws(() => prepareHead(200, [name, 'x']), { code: 'HTTP_BAD_FIELD' }, JSON.stringify(name))
  })

  test('refuses the fields that frame the answer', () => {
    for (const name of ['Content-Length', 'transfer-encoding', 'CONNECTION', 'keep-alive', 'Upgrade'])
      assert.throws(() => encodeFields([name, '1']), { code: 'HTTP_BAD_FIELD' }, name)
  })

  test('refuses what is no final status', () => {
    for (const status of [0, 99, 100, 101, 199, 600, 200.5, NaN])
      assert.throws(() => prepareHead(status), { code: 'HTTP_BAD_STATUS' })
  })
})

describe('encodeHead', () => {
  test('adds a date unless there is one already', () => {
    const dates = (text: string) => [...text.matchAll(/^date: (.*)\r$/gim)].map(match => match[1]!)
    const [date] = dates(encodeHead(prepareHead(200), undefined, CONNECTION_KEPT))
    assert.match(date!, /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
    const own = 'Thu, 01 Jan 1970 00:00:00 GMT'
    assert.deepEqual(dates(encodeHead(prepareHead(200, ['date', own]), undefined, CONNECTION_KEPT)), [own])
    assert.deepEqual(dates(encodeHead(prepareHead(200), ['Date', own], CONNECTION_CLOSE)), [own])
  })

  test('says what it was given, in order, and the connection last', () => {
    const text = encodeHead(prepareHead(404, ['a', '1', 'a', '2', 'date', 'x']), ['b', 'é'], CONNECTION_CLOSE)
    assert.equal(text, 'HTTP/1.1 404 Not Found\r\na: 1\r\na: 2\r\ndate: x\r\nb: é\r\nConnection: close\r\n')
  })
})

describe('an answer that is the same as the one before', () => {
  const DATES = ['Date: Thu, 26 Nov 2026 10:00:00 GMT\r\n', 'Date: Thu, 26 Nov 2026 10:00:01 GMT\r\n']

  test('is what would have been joined anew, whatever came before it', () => {
    const bodies = ['', 'a', '{"a":1}', '{"a":2}', 'zwölf', 'x'.repeat(1024), 'x'.repeat(1025)]
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...bodies), fc.constantFrom(...DATES)), { maxLength: 40 }),
        answers => {
          const head = prepareHead(200, ['X-A', 'ä'])
          for (const [body, date] of answers) {
            const whole = head.repeated(body, date)
            if (whole !== undefined)
              assert.equal(whole, `HTTP/1.1 200 OK\r\nX-A: ä\r\n${date}Content-Length: ${body.length}\r\n\r\n${body}`)
          }
        },
      ),
    )
  })

  test('is found from the second time on, also with a new date, and not for text that is long or not ASCII', () => {
    const head = prepareHead(200)
    assert.equal(head.repeated('a', DATES[0]!), undefined)
    assert.ok(head.repeated('a', DATES[0]!))
    assert.ok(head.repeated('a', DATES[1]!))
    for (const body of ['ä', 'x'.repeat(1025), ''])
      for (let n = 0; n < 3; n++) assert.equal(head.repeated(body, DATES[0]!), undefined)
  })
})
