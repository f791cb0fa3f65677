import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ByteRange, contentRange, rangeOf } from '../../src/app/byte-range.ts'

const part = (start: number, length: number): ByteRange => ({ start, length })

describe('a Range field', () => {
  test('asks for a part from its start, from a place, or from its end', () => {
    const cases: readonly (readonly [string, ReturnType<typeof rangeOf>])[] = [
      ['bytes=0-0', part(0, 1)],
      ['bytes=0-99', part(0, 100)],
      ['bytes=5-', part(5, 95)],
      ['bytes=-7', part(93, 7)],
      ['bytes=-1000', part(0, 100)],
      ['bytes=10-1000', part(10, 90)],
      ['Bytes=1-2', part(1, 2)],
      ['bytes= ,\t1-2 ,', part(1, 2)],
      ['bytes=007-008', part(7, 2)],
      ['bytes=0-99999999999999999999999999', part(0, 100)],
    ]
    for (const [field, expected] of cases) assert.deepEqual(rangeOf(field, 100), expected, field)
  })

  test('that asks for nothing that is there is unsatisfiable', () => {
    for (const field of ['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=99999999999999999999-'])
      assert.equal(rangeOf(field, 100), 'unsatisfiable', field)
  })

  test('is ignored when it is malformed, of another unit, or asks for several parts', () => {
    for (const field of [
      '',
      'bytes',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes=1',
      'bytes=2-1',
      'bytes=1--2',
      'bytes=-1-2',
      'bytes=+1-2',
      'bytes=1.0-2',
      'bytes = 1-2',
      'bytes=1 - 2',
      'items=0-1',
      'bytes=0-1,5-6',
      'bytes=0-1, bytes=5-6',
    ])
      assert.equal(rangeOf(field, 100), 'whole', field)
    assert.equal(rangeOf(undefined, 100), 'whole')
  })

  test('of an empty file is ignored: of nothing there is no part', () => {
    for (const field of ['bytes=0-', 'bytes=0-0', 'bytes=-1', 'bytes=5-']) assert.equal(rangeOf(field, 0), 'whole')
  })

  test('always gives a part within the file, the one that was asked for', () => {
    const digits = fc.bigInt({ min: 0n, max: 2n ** 70n })
    fc.assert(
      fc.property(
        digits,
        fc.option(digits),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (first, last, size) => {
          const range = rangeOf(`bytes=${first}-${last ?? ''}`, size)
          // Past any file, which of two numbers is the larger is not told any more.
          if (first >= BigInt(size))
            return range === 'unsatisfiable' || (last !== null && last < first && range === 'whole')
          if (last !== null && last < first) return range === 'whole'
          if (typeof range === 'string') return false
          const end = last === null || last >= BigInt(size) ? size - 1 : Number(last)
          return range.start === Number(first) && range.start + range.length - 1 === end
        },
      ),
    )
  })

  test('from the end gives the last bytes, and never more than there are', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 70n }), fc.integer({ min: 1, max: 2 ** 40 }), (suffix, size) => {
        const range = rangeOf(`bytes=-${suffix}`, size)
        if (typeof range === 'string') return false
        const length = suffix > BigInt(size) ? size : Number(suffix)
        return range.length === length && range.start === size - length
      }),
    )
  })

  test('of any text is answered, and with nothing outside the file', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .string({ unit: fc.constantFrom('0', '9', '-', ',', ' ', '=', 'a'), maxLength: 20 })
        .map(rest => `bytes=${rest}`),
    )
    fc.assert(
      fc.property(text, fc.nat(1000), (field, size) => {
        const range = rangeOf(field, size)
        return typeof range === 'string' || (range.start >= 0 && range.length > 0 && range.start + range.length <= size)
      }),
      { numRuns: 2000 },
    )
  })

  test('Content-Range counts from 0 and names the last byte', () => {
    assert.equal(contentRange(part(0, 1), 100), 'bytes 0-0/100')
    assert.equal(contentRange(part(90, 10), 100), 'bytes 90-99/100')
  })
})
