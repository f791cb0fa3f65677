// Requests made from a structure, put into bytes, cut anywhere, and read by the engine: what comes out is what was meant.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { ReceiveBuffer } from '../../src/http/receive-buffer.ts'
import { parseHead } from '../../src/http/request-parser.ts'
import { throughOurs } from './mutants/observe.ts'

interface Meant {
  readonly method: string
  readonly target: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Around each value: optional whitespace, as the grammar has it. */
  readonly blanks: readonly [before: string, after: string]
  readonly framing: 'none' | 'length' | 'chunked'
  readonly pieces: readonly string[]
  readonly extension: string
  readonly trailers: string
  readonly isLedByEmptyLine: boolean
}

const bytes = fc.uint8Array({ maxLength: 200 }).map(data => Buffer.from(data).toString('latin1'))
const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019!#$%&*+-.^_|~'), minLength: 1, maxLength: 12 })
const value = fc
  .array(fc.constantFrom(...'abc 019,;="\t\xe9\xff'), { maxLength: 20 })
  .map(chars => chars.join('').replace(/^[ \t]+|[ \t]+$/g, ''))
const blank = fc.constantFrom('', ' ', '\t', ' \t ')

const meant: fc.Arbitrary<Meant> = fc
  .record({
    form: fc.constantFrom('origin', 'absolute', 'star'),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path: fc.string({ unit: fc.constantFrom(...'abc/-._~;=@:!'), maxLength: 20 }),
    query: fc.option(fc.string({ unit: fc.constantFrom(...'abc/?%&=+[]'), maxLength: 20 }), { nil: undefined }),
    // Names with a meaning to the engine are said by the other parts.
    fields: fc.array(
      fc.tuple(
        token.map(name => `x-${name}`),
        value,
      ),
      { maxLength: 8 },
    ),
    blanks: fc.tuple(blank, blank),
    framing: fc.constantFrom('none' as const, 'length' as const, 'chunked' as const),
    pieces: fc.array(
      bytes.filter(({ length }) => length > 0),
      { maxLength: 5 },
    ),
    extension: fc.constantFrom('', ';a', ';a=b', ';a="b;\\"\t\xff"', ';a;b=c'),
    trailers: fc.constantFrom('', 'X-Sum: 1\r\n', 'A:\r\nB: c d\r\n'),
    isLedByEmptyLine: fc.boolean(),
  })
  .map(({ form, method, path, query, ...rest }) => {
    const behind = `/${path}${query === undefined ? '' : `?${query}`}`
    if (form === 'star') return { ...rest, method: 'OPTIONS', target: '*' }
    return { ...rest, method, target: form === 'origin' ? behind : `http://b.example:81${behind}` }
  })

function bodyOf({ framing, pieces }: Meant): string {
  return framing === 'none' ? '' : pieces.join('')
}

function fieldsOf(request: Meant): string[] {
  const fields = [['host', 'a'], ...request.fields]
  if (request.framing === 'length') fields.push(['content-length', String(bodyOf(request).length)])
  if (request.framing === 'chunked') fields.push(['transfer-encoding', 'chunked'])
  return fields.flatMap(([name, text]) => [name.toLowerCase(), text])
}

function encoded(request: Meant): string {
  const { method, target, blanks, framing, pieces, extension, trailers, isLedByEmptyLine } = request
  const fields = fieldsOf(request)
  let text = `${isLedByEmptyLine ? '\r\n' : ''}${method} ${target} HTTP/1.1\r\n`
  for (let n = 0; n < fields.length; n += 2) text += `${fields[n]!}:${blanks[0]}${fields[n + 1]!}${blanks[1]}\r\n`
  text += '\r\n'
  if (framing !== 'chunked') return text + bodyOf(request)
  for (const piece of pieces) text += `${piece.length.toString(16)}${extension}\r\n${piece}\r\n`
  return `${text}0${extension}\r\n${trailers}\r\n`
}

function cutAt(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map(cut => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length]
  return places
    .slice(1)
    .map((end, n) => Buffer.from(whole.subarray(places[n], end)))
    .filter(({ length }) => length > 0)
}

describe('a request', () => {
  test('comes out of the engine as it was meant, alone or in a row, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(meant, { minLength: 1, maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.boolean(),
        async (requests, cuts, gathers) => {
          const pieces = cutAt(Buffer.from(requests.map(encoded).join(''), 'latin1'), cuts)
          const seen = await throughOurs({ pieces, gathers, halfClose: 'answer' })
          assert.equal(seen.refusal, undefined)
          assert.deepEqual(
            seen.requests,
            requests.map(request => ({
              method: request.method,
              target: request.target,
              fields: fieldsOf(request),
              body: bodyOf(request),
              isWhole: true,
            })),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  test('means the same whatever memory holds behind its end', () => {
    const soup = fc
      .array(
        fc.constantFrom('GET ', '/', ' HTTP/1.1', '\r', '\n', '\r\n', 'Host: a', ':', 'X', 'Content-Length: 5', '\0'),
        { maxLength: 20 },
      )
      .map(parts => parts.join(''))
    const outcome = (text: string, behind: string): string => {
      const input = new ReceiveBuffer()
      input.bytes = Buffer.from(text + behind, 'latin1')
      input.end = text.length
      try {
        const head = parseHead(input, DEFAULT_LIMITS)
        return head === undefined ? 'more' : `${head.method} ${head.target} ${head.kind}, ${input.length} left`
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    fc.assert(
      fc.property(fc.oneof(soup, meant.map(encoded)), fc.nat(), (text, cut) => {
        const part = text.slice(0, cut % (text.length + 1))
        const alone = outcome(part, '')
        for (const behind of [
          text.slice(part.length),
          '\r\n\r\n',
          '\n',
          'x'.repeat(50),
          '\0\0',
          ' HTTP/1.1\r\nHost: a\r\n\r\n',
        ])
          assert.equal(outcome(part, behind), alone)
      }),
      { numRuns: 1000 },
    )
  })

  test('is not held on to by what has read it', () => {
    const input = new ReceiveBuffer()
    input.append(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    assert.ok(parseHead(input, DEFAULT_LIMITS))
    assert.equal(input.bytes.length, 0)
    input.append(Buffer.from('GET / HTTP/1.1\r\nHost: a b\r\n\r\n'))
    assert.throws(() => parseHead(input, DEFAULT_LIMITS), { code: 'HTTP_BAD_HOST' })
    input.clear()
    assert.equal(input.bytes.length, 0)
  })
})
