// At each place of a request, every byte there is: exactly those that the grammar has there are accepted, whole and byte by byte.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { throughOurs } from './mutants/observe.ts'

const code = (char: string) => char.charCodeAt(0)
const ALPHA = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz']
const DIGIT = [...'0123456789']
const HEXDIG = [...DIGIT, ...'ABCDEFabcdef']
/** RFC 9110 §5.6.2 */
const TCHAR = [...ALPHA, ...DIGIT, ..."!#$%&'*+-.^_`|~"]
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String.fromCharCode(from + n))
/** RFC 9110 §5.5: field-vchar, SP and HTAB */
const FIELD = ['\t', ...range(0x20, 0x7e), ...range(0x80, 0xff)]
/** RFC 3986, and what browsers send besides: visible ASCII but the fragment mark. */
const TARGET = range(0x21, 0x7e).filter(char => char !== '#')
const without = (chars: readonly string[], ...left: string[]) => chars.filter(char => !left.includes(char))

const get = (fields: string, line = 'GET / HTTP/1.1') => `${line}\r\nHost: a\r\n${fields}\r\n`
const chunked = (body: string) => get('Transfer-Encoding: chunked\r\n', 'POST / HTTP/1.1') + body
const END = '\r\n0\r\n\r\n'

const sizeOf = (digits: string) => (/^[0-9a-f]+$/i.test(digits) ? parseInt(digits, 16) : 5)

interface Place {
  readonly where: string
  /** With '\u{1F980}' where the byte belongs. */
  readonly request: string | ((byte: string) => string)
  readonly accepts: readonly string[]
  readonly rule: string
}

const HERE = '\u{1F980}'

const PLACES: readonly Place[] = [
  // A byte that makes another method of it is refused as well: with 501, see the wire cases.
  { where: 'before the request line', request: `${HERE}${get('')}`, accepts: [], rule: 'RFC 9112 §2.2' },
  { where: 'after the method', request: get('', `GET${HERE}/ HTTP/1.1`), accepts: [' '], rule: 'RFC 9112 §3' },
  {
    where: 'in a path',
    request: get('', `GET /a${HERE}b HTTP/1.1`),
    accepts: without(TARGET, '%', '\\'),
    rule: 'RFC 9112 §3.2',
  },
  { where: 'in a query', request: get('', `GET /?a${HERE}b HTTP/1.1`), accepts: TARGET, rule: 'RFC 9112 §3.2' },
  {
    where: 'at the start of a target',
    request: get('', `GET ${HERE}a HTTP/1.1`),
    accepts: ['/'],
    rule: 'RFC 9112 §3.2',
  },
  { where: 'after the target', request: get('', `GET /${HERE}HTTP/1.1`), accepts: [' '], rule: 'RFC 9112 §3' },
  { where: 'as the major version', request: get('', `GET / HTTP/${HERE}.1`), accepts: ['1'], rule: 'RFC 9112 §2.3' },
  {
    where: 'as the dot of the version',
    request: get('', `GET / HTTP/1${HERE}1`),
    accepts: ['.'],
    rule: 'RFC 9112 §2.3',
  },
  { where: 'as the minor version', request: get('', `GET / HTTP/1.${HERE}`), accepts: DIGIT, rule: 'RFC 9110 §2.5' },
  { where: 'after the version', request: get('', `GET / HTTP/1.1${HERE}`), accepts: [], rule: 'RFC 9112 §3' },
  {
    where: 'as the CR of a line',
    request: `GET / HTTP/1.1\r\nHost: a${HERE}\nX: y\r\n\r\n`,
    accepts: ['\r'],
    rule: 'RFC 9112 §2.2',
  },
  {
    where: 'as the LF of a line',
    request: `GET / HTTP/1.1\r\nHost: a\r${HERE}X: y\r\n\r\n`,
    accepts: ['\n'],
    rule: 'RFC 9112 §2.2',
  },
  {
    where: 'as the LF of the blank line',
    request: `GET / HTTP/1.1\r\nHost: a\r\n\r${HERE}`,
    accepts: ['\n'],
    rule: 'RFC 9112 §2.1',
  },
  { where: 'at the start of a name', request: get(`${HERE}b: c\r\n`), accepts: TCHAR, rule: 'RFC 9110 §5.1' },
  // A colon ends the name there, and the rest is its value.
  { where: 'in a name', request: get(`a${HERE}b: c\r\n`), accepts: [...TCHAR, ':'], rule: 'RFC 9110 §5.1' },
  { where: 'before the colon', request: get(`a${HERE}: c\r\n`), accepts: [...TCHAR, ':'], rule: 'RFC 9112 §5.1' },
  { where: 'at the start of a value', request: get(`a:${HERE}c\r\n`), accepts: FIELD, rule: 'RFC 9110 §5.5' },
  { where: 'in a value', request: get(`a: b${HERE}c\r\n`), accepts: FIELD, rule: 'RFC 9110 §5.5' },
  { where: 'at the end of a value', request: get(`a: b${HERE}\r\n`), accepts: FIELD, rule: 'RFC 9110 §5.5' },
  {
    where: 'in Host',
    request: `GET / HTTP/1.1\r\nHost: a${HERE}b\r\n\r\n`,
    accepts: [...ALPHA, ...DIGIT, '.', '-', '_'],
    rule: 'RFC 9110 §7.2, narrowed',
  },
  {
    where: 'in the port of Host',
    request: `GET / HTTP/1.1\r\nHost: a:1${HERE}\r\n\r\n`,
    accepts: [...DIGIT, ' ', '\t'],
    rule: 'RFC 3986 §3.2.3',
  },
  {
    where: 'before a length',
    request: get(`Content-Length: ${HERE}5\r\n`, 'POST / HTTP/1.1') + 'x'.repeat(95),
    accepts: [...without(DIGIT, '0'), ' ', '\t'],
    rule: 'RFC 9110 §8.6',
  },
  {
    where: 'after a length',
    request: get(`Content-Length: 5${HERE}\r\n`, 'POST / HTTP/1.1') + 'x'.repeat(59),
    accepts: [...DIGIT, ' ', '\t'],
    rule: 'RFC 9110 §8.6',
  },
  {
    where: 'before chunked',
    request: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:${HERE}chunked\r\n\r\n5\r\nhello${END}`,
    accepts: [' ', '\t'],
    rule: 'RFC 9112 §6.1',
  },
  {
    where: 'after chunked',
    request: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked${HERE}\r\n\r\n5\r\nhello${END}`,
    accepts: [' ', '\t'],
    rule: 'RFC 9112 §6.1',
  },
  {
    where: 'before a chunk size',
    request: byte => chunked(`${HERE}5\r\n${'x'.repeat(sizeOf(`${byte}5`))}${END}`),
    accepts: HEXDIG,
    rule: 'RFC 9112 §7.1',
  },
  {
    where: 'after a chunk size',
    request: byte => chunked(`5${HERE}\r\n${'x'.repeat(sizeOf(`5${byte}`))}${END}`),
    accepts: HEXDIG,
    rule: 'RFC 9112 §7.1',
  },
  {
    where: 'as the CR of a chunk size',
    request: chunked(`5${HERE}\nhello${END}`),
    accepts: ['\r'],
    rule: 'RFC 9112 §7.1',
  },
  {
    where: 'as the LF of a chunk size',
    request: chunked(`5\r${HERE}hello${END}`),
    accepts: ['\n'],
    rule: 'RFC 9112 §7.1',
  },
  { where: 'in a chunk', request: chunked(`5\r\nhe${HERE}lo${END}`), accepts: range(0, 0xff), rule: 'RFC 9112 §7.1' },
  {
    where: 'as the CR behind a chunk',
    request: chunked(`5\r\nhello${HERE}\n0\r\n\r\n`),
    accepts: ['\r'],
    rule: 'RFC 9112 §7.1',
  },
  {
    where: 'as the LF behind a chunk',
    request: chunked(`5\r\nhello\r${HERE}0\r\n\r\n`),
    accepts: ['\n'],
    rule: 'RFC 9112 §7.1',
  },
  {
    where: 'at the start of an extension',
    request: chunked(`5;${HERE}\r\nhello${END}`),
    accepts: TCHAR,
    rule: 'RFC 9112 §7.1.1',
  },
  {
    where: 'in the name of an extension',
    request: chunked(`5;a${HERE}b\r\nhello${END}`),
    accepts: [...TCHAR, '=', ';'],
    rule: 'RFC 9112 §7.1.1',
  },
  {
    where: 'as the value of an extension',
    request: chunked(`5;a=${HERE}\r\nhello${END}`),
    accepts: TCHAR,
    rule: 'RFC 9112 §7.1.1',
  },
  {
    where: 'in a quoted value',
    request: chunked(`5;a="b${HERE}c"\r\nhello${END}`),
    accepts: without(FIELD, '"'),
    rule: 'RFC 9110 §5.6.4',
  },
  {
    where: 'behind a backslash',
    request: chunked(`5;a="b\\${HERE}c"\r\nhello${END}`),
    accepts: FIELD,
    rule: 'RFC 9110 §5.6.4',
  },
  {
    where: 'behind a quoted value',
    request: chunked(`5;a="b"${HERE}c\r\nhello${END}`),
    accepts: [';'],
    rule: 'RFC 9112 §7.1.1',
  },
  {
    where: 'at the start of a trailer',
    request: chunked(`5\r\nhello\r\n0\r\n${HERE}b: c\r\n\r\n`),
    accepts: TCHAR,
    rule: 'RFC 9112 §7.1.2',
  },
  {
    where: 'in the name of a trailer',
    request: chunked(`5\r\nhello\r\n0\r\na${HERE}b: c\r\n\r\n`),
    accepts: [...TCHAR, ':'],
    rule: 'RFC 9112 §7.1.2',
  },
  {
    where: 'in a trailer',
    request: chunked(`5\r\nhello\r\n0\r\na: b${HERE}c\r\n\r\n`),
    accepts: FIELD,
    rule: 'RFC 9112 §7.1.2',
  },
  {
    where: 'as the LF of the end',
    request: chunked(`5\r\nhello\r\n0\r\n\r${HERE}`),
    accepts: ['\n'],
    rule: 'RFC 9112 §7.1',
  },
]

describe('every byte', () => {
  for (const { where, request, accepts, rule } of PLACES)
    test(`${where} (${rule})`, async () => {
      const expected = [...new Set(accepts.map(code))].sort((a, b) => a - b)
      for (const size of [Infinity, 1]) {
        const accepted: number[] = []
        for (let byte = 0; byte < 256; byte++) {
          const char = String.fromCharCode(byte)
          const text = typeof request === 'string' ? request : request(char)
          const bytes = Buffer.from(text.replace(HERE, () => char), 'latin1')
          const pieces: Buffer[] = []
          for (let at = 0; at < bytes.length; at += size) pieces.push(Buffer.from(bytes.subarray(at, at + size)))
          const { requests } = await throughOurs({ pieces, gathers: byte % 2 === 0, halfClose: 'answer' })
          if (requests[0]?.isWhole) accepted.push(byte)
        }
        assert.deepEqual(accepted, expected, size === 1 ? 'byte by byte' : 'whole')
      }
    })
})
