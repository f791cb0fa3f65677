import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BadJsonError, parseJson } from '../../src/schema/json-text.ts'

const encode = (text: string) => new TextEncoder().encode(text)
function refusal(bytes: Uint8Array, maxDepth?: number): BadJsonError {
  try {
    parseJson(bytes, maxDepth)
  } catch (error) {
    assert.ok(error instanceof BadJsonError, String(error))
    return error
  }
  throw new assert.AssertionError({ message: 'it was accepted' })
}

describe('reading JSON', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), value => {
        const text = JSON.stringify(value)
        if (text.includes('__proto__')) return
        assert.deepEqual(parseJson(encode(text)), JSON.parse(text))
      }),
      { numRuns: 300 },
    )
  })

  test('is a 400 with a code', () => {
    const error = refusal(encode('{'))
    assert.equal(error.code, 'SCHEMA_BAD_JSON')
    assert.equal(error.status, 400)
  })

  for (const [name, text, position] of [
    ['nothing', '', 0],
    ['an unfinished object', '{"a":1', 6],
    ['trailing junk', '{"a":1} x', 8],
    ['two values', '1 2', 2],
    ['a trailing comma', '{"a":1,}', 7],
    ['a bare word', '{"a":yes}', 5],
    ['single quotes', "{'a':1}", 1],
    ['a leading zero', '[01]', 2],
    ['a comment', '[1, /* x */ 2]', 4],
    ['an unquoted key', '{a:1}', 1],
    ['NaN', '[NaN]', 1],
    ['a missing colon', '{"a" 1}', 5],
    ['a control character in a string', '["a\u0001"]', 3],
  ] as const)
    test(`refuses ${name} and says where`, () => {
      const error = refusal(encode(text))
      assert.ok(Math.abs(error.position - position) <= 1, `${error.position}, not ${position}`)
    })

  test('does not repeat what was sent', () => {
    assert.doesNotMatch(refusal(encode('{"password": hunter2}')).message, /hunter2/)
    assert.doesNotMatch(refusal(encode('hunter2')).message, /hunter2/)
  })

  for (const [name, bytes] of [
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a cut character', [0x22, 0xe2, 0x82, 0x22]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x31]],
  ] as const)
    test(`refuses ${name}`, () => void refusal(Uint8Array.from(bytes)))

  test('allows 64 levels and refuses 65, in arrays, objects and both', () => {
    const nested = (open: string, close: string, depth: number) => open.repeat(depth) + '1' + close.repeat(depth)
    parseJson(encode(nested('[', ']', 64)))
    parseJson(encode(nested('{"a":', '}', 64)))
    parseJson(encode(nested('[{"a":', '}]', 32)))
    assert.equal(refusal(encode(nested('[', ']', 65))).position, 64)
    refusal(encode(nested('{"a":', '}', 65)))
    refusal(encode(nested('[{"a":', '}]', 33)))
    refusal(encode('[[1]]'.padEnd(400)), 1)
  })

  test('counts levels, not brackets: wide is not deep, and brackets in strings are text', () => {
    parseJson(encode(`[${'[],'.repeat(5000)}[]]`))
    parseJson(encode(JSON.stringify(['['.repeat(500), '{'.repeat(500), '\\"[[[['.repeat(100)])))
  })

  for (const text of [
    '{"__proto__":1}',
    '[{"a":{"__proto__" :{}}}]',
    '{"\\u005f_proto__":1}',
    '{"__pr\\u006fto__": []}',
    '{"a":"x\\\\","__proto__":1}',
  ])
    test(`refuses the key in ${text}`, () => void refusal(encode(text)))

  test('allows __proto__ as a value, and as part of a key', () => {
    assert.deepEqual(parseJson(encode('["__proto__",{"x__proto__":1}]')), ['__proto__', { x__proto__: 1 }])
    assert.deepEqual(parseJson(encode('{"a":"\\"__proto__\\":"}')), { a: '"__proto__":' })
  })
})
