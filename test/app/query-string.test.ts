import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseQuery } from '../../src/app/query-string.ts'

describe('query string', () => {
  test('repeats keep their order, blanks stay, plus is a space', () => {
    assert.deepEqual(
      { ...parseQuery('a=1&b=&c&a=2&d=x+y%20z&&=v') },
      { a: ['1', '2'], b: '', c: '', d: 'x y z', '': 'v' },
    )
  })

  test('agrees with URLSearchParams on any text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', '=', '&', '%', '+', '2', '0', 'c3', '%c3%a9', '%ff', 'é', '__proto__'), {
          maxLength: 30,
        }),
        parts => {
          const search = parts.join('')
          const expected = new Map<string, string[]>()
          for (const [name, value] of new URLSearchParams(search))
            expected.set(name, [...(expected.get(name) ?? []), value])
          const parsed = parseQuery(search)
          assert.deepEqual(
            new Map(
              Object.entries(parsed).map(([name, value]) => [name, typeof value === 'string' ? [value] : [...value]]),
            ),
            expected,
          )
          // Whatever names are expected, they change nothing.
          for (const names of [['a'], ['b', 'a', 'ab'], ['', '__proto__', 'é', '%c3%a9']])
            assert.deepEqual(parseQuery(search, names), parsed)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('over 1,000 parameters are refused', () => {
    assert.throws(() => parseQuery('a&'.repeat(1001)), { code: 'APP_QUERY_TOO_LONG', status: 400 })
  })
})
