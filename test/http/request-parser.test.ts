import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '../../src/http/errors.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { ReceiveBuffer } from '../../src/http/receive-buffer.ts'
import { parseHead, type RequestHead } from '../../src/http/request-parser.ts'

interface Sent {
  readonly method: string
  readonly segments: readonly string[]
  readonly query: string | undefined
  readonly host: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly length: number
}

const TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const VALUE_CHARS = Array.from({ length: 256 }, (_, n) => n).filter(n => n === 9 || (n >= 32 && n !== 127))

const token = fc.string({ unit: fc.constantFrom(...TCHARS), minLength: 1, maxLength: 20 })
// Names with a meaning of their own are said by the other parts of the request.
const name = token.filter(text => !/^(host|expect|connection|content.length|transfer.encoding)$/i.test(text))
const value = fc
  .array(fc.constantFrom(...VALUE_CHARS), { maxLength: 60 })
  .map(codes => String.fromCharCode(...codes).replace(/^[ \t]+|[ \t]+$/g, ''))
const segment = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_~!$&\'()*+,;=:@ éß€😀?#%"<>[]^`{|}'), maxLength: 12 })
const request: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  segments: fc.array(segment, { maxLength: 5 }),
  query: fc.option(fc.string({ unit: fc.constantFrom(...'abc019=&+%?/.-'), maxLength: 30 }), { nil: undefined }),
  host: fc.constantFrom('a', 'example.com', 'a-b_c.d:8080', '127.0.0.1', '[::1]', '[2001:db8::7]:443'),
  fields: fc.array(fc.tuple(name, value), { maxLength: 30 }),
  length: fc.nat({ max: 100_000 }),
})

function encode({ method, segments, query, host, fields, length }: Sent): Buffer {
  const target =
    '/' + segments.map(text => encodeURIComponent(text)).join('/') + (query === undefined ? '' : `?${query}`)
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields.map(([a, b]) => `${a}:${b}`)]
  if (length > 0) lines.push(`Content-Length: ${length}`)
  return Buffer.from(lines.join('\r\n') + '\r\n\r\n', 'latin1')
}

function parsed(bytes: Buffer, cuts: readonly number[], tail: Buffer): { head: RequestHead; left: Buffer } {
  const all = Buffer.concat([bytes, tail])
  const input = new ReceiveBuffer()
  let at = 0
  for (const cut of [...cuts.map(n => n % all.length), all.length].sort((a, b) => a - b)) {
    if (cut <= at) continue
    input.append(Buffer.from(all.subarray(at, cut)))
    at = cut
    const head = parseHead(input, DEFAULT_LIMITS)
    if (head !== undefined)
      return { head, left: Buffer.concat([input.bytes.subarray(input.start, input.end), all.subarray(at)]) }
  }
  throw new Error('no head in all of it')
}

describe('parseHead', () => {
  test('reads what was written, wherever it is cut, and leaves what follows', () => {
    fc.assert(
      fc.property(
        request,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.uint8Array({ maxLength: 40 }),
        (sent, cuts, rest) => {
          const tail = Buffer.from(rest)
          const { head, left } = parsed(encode(sent), cuts, tail)
          assert.equal(head.method, sent.method)
          assert.equal(head.path, '/' + sent.segments.join('/'))
          assert.equal(head.search, sent.query ?? '')
          assert.equal(head.authority, sent.host)
          assert.equal(head.kind, sent.length === 0 ? 'none' : 'length')
          assert.equal(head.contentLength, sent.length)
          const fields = [...head.section.fields.entries()]
          const expected = sent.fields.map(([a, b]) => [a.toLowerCase(), b])
          assert.deepEqual(fields.slice(1, 1 + sent.fields.length), expected)
          assert.deepEqual(left, tail)
        },
      ),
      { numRuns: 500 },
    )
  })

  // A broken head may be refused before its end or at its end; which of them depends on how it was cut, why does not.
  test('gives one outcome for any head, whole or byte by byte', () => {
    const outcome = (bytes: Buffer, size: number): string => {
      const input = new ReceiveBuffer()
      try {
        for (let at = 0; at < bytes.length; at += size) {
          input.append(Buffer.from(bytes.subarray(at, at + size)))
          const head = parseHead(input, DEFAULT_LIMITS)
          if (head !== undefined) return `${head.method} ${head.target} ${head.kind}`
        }
        return 'more'
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error))
        return error.code
      }
    }
    const pieces = [
      'GET ',
      '/',
      'a',
      ' ',
      'HTTP/1.1',
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      'Host: a',
      ':',
      'X',
      '\t',
      '\0',
      'é',
      '#',
      '%',
      '?',
      'Content-Length: 5',
    ]
    const soup = fc
      .array(fc.constantFrom(...pieces), { maxLength: 25 })
      .map(parts => Buffer.from(`${parts.join('')}\r\n\r\n`, 'latin1'))
    const nearly = fc
      .array(fc.constantFrom(...pieces), { maxLength: 6 })
      .map(parts => Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${parts.join('')}\r\n\r\n`, 'latin1'))
    fc.assert(
      fc.property(fc.oneof(soup, nearly), bytes => {
        assert.equal(outcome(bytes, 1), outcome(bytes, bytes.length))
      }),
      { numRuns: 2000 },
    )
  })

  test('looks at each byte of a dripped head a constant number of times', () => {
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'b'.repeat(15_000)}\r\n\r\n`)
    const input = new ReceiveBuffer()
    let looked = 0
    for (let at = 0; at < bytes.length; at++) {
      input.append(bytes.subarray(at, at + 1))
      const before = input.looked
      if (parseHead(input, DEFAULT_LIMITS) !== undefined) {
        assert.equal(at, bytes.length - 1)
        break
      }
      // All of it is marked as seen: the next call starts where this one ended.
      assert.equal(input.looked, input.end)
      looked += input.looked - Math.min(before, input.looked)
    }
    assert.ok(looked <= 2 * bytes.length, `${looked} of ${bytes.length}`)
  })

  test('keeps what an earlier request points at while later ones arrive', () => {
    const input = new ReceiveBuffer()
    input.append(Buffer.from('GET /one HTTP/1.1\r\nHost: a\r\nX: first\r\n\r\nGET /t'))
    const first = parseHead(input, DEFAULT_LIMITS)!
    input.append(Buffer.from('wo HTTP/1.1\r\nHost: b\r\n\r\n'))
    const second = parseHead(input, DEFAULT_LIMITS)!
    assert.equal(first.section.fields.get('x'), 'first')
    assert.equal(first.target, '/one')
    assert.equal(second.target, '/two')
  })

  test('takes fields that are those of the request before as they were, and no others', () => {
    const last = (text: string) => {
      const input = new ReceiveBuffer()
      input.append(Buffer.from(text, 'latin1'))
      return parseHead(input, DEFAULT_LIMITS)!.section
    }
    fc.assert(
      fc.property(request, request, fc.boolean(), fc.uint8Array({ maxLength: 40 }), (one, other, isSame, rest) => {
        const before = encode(one).toString('latin1')
        const bytes = encode(isSame ? { ...other, host: one.host, fields: one.fields, length: one.length } : other)
        const tail = Buffer.from(rest)
        const input = new ReceiveBuffer()
        input.append(Buffer.concat([bytes, tail]))
        const section = last(before)
        const head = parseHead(input, DEFAULT_LIMITS, section)!
        const { head: fresh } = parsed(bytes, [], tail)
        if (isSame) assert.equal(head.section, section)
        assert.deepEqual(
          [
            head.path,
            head.authority,
            head.kind,
            head.contentLength,
            head.keepsAlive,
            [...head.section.fields.entries()],
          ],
          [
            fresh.path,
            fresh.authority,
            fresh.kind,
            fresh.contentLength,
            fresh.keepsAlive,
            [...fresh.section.fields.entries()],
          ],
        )
        assert.deepEqual(Buffer.from(input.bytes.subarray(input.start, input.end)), tail)
      }),
      { numRuns: 300 },
    )
    // What the fields mean depends on the version: the same bytes behind HTTP/1.0 are judged again.
    const section = last('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    const input = new ReceiveBuffer()
    input.append(Buffer.from('POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'))
    assert.throws(() => parseHead(input, DEFAULT_LIMITS, section), { code: 'HTTP_BAD_TRANSFER_ENCODING' })
  })
})
