import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { TextTable } from '../../src/core/text-table.ts'

describe('a table of texts', () => {
  test('finds what was set last under a text, or nothing: never what stands under another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ maxLength: 3 }), fc.nat()), { maxLength: 200 }),
        fc.array(fc.string({ maxLength: 3 })),
        (sets, others) => {
          const table = new TextTable<number>(4)
          const model = new Map<string, number>()
          for (const [text, value] of sets) {
            table.set(text, value)
            model.set(text, value)
            assert.equal(table.get(text), value)
          }
          for (const text of [...model.keys(), ...others]) {
            const found = table.get(text)
            if (found !== undefined) assert.equal(found, model.get(text))
          }
        },
      ),
    )
  })

  test('keeps all that fit a set, and lets go of the oldest', () => {
    const table = new TextTable<number>(1)
    for (const [n, text] of ['', 'a', 'b', 'c'].entries()) table.set(text, n)
    assert.deepEqual(
      ['', 'a', 'b', 'c'].map(text => table.get(text)),
      [0, 1, 2, 3],
    )
    table.set('a', 9)
    table.set('d', 4)
    assert.deepEqual(
      ['', 'a', 'b', 'c', 'd'].map(text => table.get(text)),
      [undefined, 9, 2, 3, 4],
    )
  })

  test('keeps most of as many texts as it has room for', () => {
    const table = new TextTable<number>(1_024)
    const texts = Array.from({ length: 1_000 }, (_, n) => `/products/${n}`)
    for (const [n, text] of texts.entries()) table.set(text, n)
    const kept = texts.filter((text, n) => table.get(text) === n).length
    // Five or more of 1,000 in one of 1,024 sets: 4 expected that do not fit.
    assert.ok(kept >= 960, `${kept} of 1,000`)
  })
})
