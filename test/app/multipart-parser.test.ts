import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from 'millrace'
import { MultipartParser } from '../../src/app/multipart-parser.ts'
import { parsePartHead } from '../../src/app/part-head.ts'

type Part = readonly [name: string, filename: string | undefined, data: string]

/** @param cuts  lengths of the pieces, again and again */
function parse(body: Uint8Array, boundary: string, cuts: readonly number[]): Part[] {
  const parts: Part[] = []
  let head: ReturnType<typeof parsePartHead> | undefined
  let data: Buffer[] = []
  const parser = new MultipartParser(boundary, {
    head: lines => void ((head = parsePartHead(lines)), (data = [])),
    // Copies: what is handed out is good for the call only.
    data: piece => void data.push(Buffer.from(piece)),
    end: () => void parts.push([head!.name, head!.filename, Buffer.concat(data).toString('latin1')]),
  })
  for (let at = 0, n = 0; at < body.length; n++) {
    const end = Math.min(body.length, at + cuts[n % cuts.length]!)
    parser.push(body.subarray(at, end))
    at = end
  }
  parser.finish()
  return parts
}

const WAYS = { whole: [Infinity], 'byte by byte': [1], 'in threes and fives': [3, 5] }
const head = (name: string, more = '') => `--B\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`
const bytes = (text: string) => Buffer.from(text, 'latin1')

function gives(body: string, parts: readonly Part[]): void {
  for (const [way, cuts] of Object.entries(WAYS)) assert.deepEqual(parse(bytes(body), 'B', cuts), parts, way)
}

function refuses(body: string, status: number, detail: RegExp): void {
  for (const [way, cuts] of Object.entries(WAYS))
    assert.throws(
      () => parse(bytes(body), 'B', cuts),
      (error: unknown) =>
        error instanceof MillraceError && error.status === status && detail.test(error.detail ?? '')
          ? true
          : assert.fail(`${way}: ${String(error)}`),
    )
}

describe('a multipart body', () => {
  test('gives its parts in order, fields and files', () => {
    gives(`${head('a')}1\r\n${head('f', '; filename="x.txt"')}two\r\nlines\r\n${head('a')}2\r\n--B--\r\n`, [
      ['a', undefined, '1'],
      ['f', 'x.txt', 'two\r\nlines'],
      ['a', undefined, '2'],
    ])
  })

  test('may have empty parts, none at all, or no bytes', () => {
    gives(`${head('a')}\r\n${head('b')}\r\n--B--`, [
      ['a', undefined, ''],
      ['b', undefined, ''],
    ])
    gives('--B--\r\n', [])
    gives('', [])
  })

  test('holds what only looks like a boundary as content', () => {
    const content = '--B\r\r\n--\r\n--C\r\n--Bx\r\n--B-\r\n-B\n--B--\r\n\r\n--'
    gives(`${head('f', '; filename="x"')}${content}\r\n--B--\r\n`, [['f', 'x', content]])
  })

  test('may begin with an empty line, and what follows its end does not matter', () => {
    gives(`\r\n${head('a')}1\r\n--B--\r\nepilogue\r\n--B\r\n`, [['a', undefined, '1']])
    gives(`${head('a')}1\r\n--B--junk`, [['a', undefined, '1']])
  })

  test('is refused when it ends before its last boundary, wherever it was cut', () => {
    const whole = `${head('a')}1\r\n${head('f', '; filename="x"')}22\r\n--B--`
    for (let length = 1; length < whole.length; length++) refuses(whole.slice(0, length), 400, /ends before/)
  })

  test('is refused with something before its first boundary', () => {
    for (const before of ['preamble\r\n', ' ', '\n', '\r\n\r\n', '-'])
      refuses(`${before}${head('a')}1\r\n--B--`, 400, /does not begin/)
    refuses('--C\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--C--', 400, /does not begin/)
  })

  test('is refused where readers differ about a boundary: padding, bare line ends', () => {
    for (const behind of [' \r\n', '\t\r\n', '\n', '\r\r\n']) {
      refuses(`${head('a')}1\r\n--B${behind}more\r\n--B--`, 400, /followed by something else/)
      refuses(
        `--B${behind}Content-Disposition: form-data; name="a"\r\n\r\n1\r\n--B--`,
        400,
        /followed by|does not begin/,
      )
    }
    refuses(`${head('a')}1\r\n--B--`.replaceAll('\r\n', '\n'), 400, /followed by|does not begin|ends before/)
  })

  test('is refused with a head over 8 KiB', () => {
    refuses(`--B\r\nX: ${'y'.repeat(8200)}\r\n\r\n`, 413, /8192/)
    refuses(`--B\r\n${'X: y\r\n'.repeat(2000)}\r\n`, 413, /8192/)
  })

  test('costs time in proportion to its size, however it is cut', () => {
    const long = `--B\r\nX: ${'y'.repeat(8000)}\r\nContent-Disposition: form-data; name="a"\r\n\r\n${'\r'.repeat(200_000)}\r\n--B--`
    const started = performance.now()
    assert.equal(parse(bytes(long), 'B', [1]).length, 1)
    // 0.1 s; a search that begins again with each byte takes minutes.
    assert.ok(performance.now() - started < 20_000)
  })

  // Two backslashes are one for clients of MIME and two for fetch().
  const word = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(text => !text.includes('\\\\'))
  const entry = fc.oneof(
    fc.record({ name: word, text: word }),
    fc.record({ name: word, filename: word.filter(text => text !== ''), data: fc.uint8Array({ maxLength: 300 }) }),
    // What delimiters are made of.
    fc.record({ name: word, text: fc.string({ unit: fc.constantFrom('\r', '\n', '-', 'B'), maxLength: 40 }) }),
  )
  test('that fetch() has written is read as fetch() reads it, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        async (entries, cuts) => {
          const form = new FormData()
          for (const one of entries)
            if ('data' in one) form.append(one.name, new File([one.data], one.filename))
            else form.append(one.name, one.text)
          const sent = new Response(form)
          const type = sent.headers.get('content-type')!
          const body = new Uint8Array(await sent.arrayBuffer())
          const read = await new Response(body, { headers: { 'content-type': type } }).formData()
          const expected: [string, boolean, string][] = []
          for (const [name, value] of read)
            expected.push([
              name,
              typeof value !== 'string',
              typeof value === 'string'
                ? Buffer.from(value).toString('latin1')
                : Buffer.from(await value.arrayBuffer()).toString('latin1'),
            ])
          const found = parse(body, /boundary=(.*)$/.exec(type)![1]!, cuts)
          assert.deepEqual(
            found.map(([name, filename, data]) => [name, filename !== undefined, data]),
            expected,
          )
        },
      ),
      { numRuns: 300 },
    )
  })
})
