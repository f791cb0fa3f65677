import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Coding, wishOf } from '../../src/app/accept-encoding.ts'

const OURS: readonly Coding[] = ['zstd', 'br', 'gzip']

describe('the choice of a coding', () => {
  const cases: [field: string | undefined, coding: Coding | undefined, refusesPlain?: boolean][] = [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;Q=0.5', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, br', 'br'],
    ['gzip;q=1.0, br;q=0.9', 'gzip'],
    ['br;q=0.0, gzip', 'gzip'],
    ['gzip;q=0', undefined],
    ['*', 'zstd'],
    ['*;q=0.1, gzip;q=0.2', 'gzip'],
    ['zstd;q=0, *', 'br'],
    ['gzip, *;q=0', 'gzip', true],
    ['*;q=0', undefined, true],
    ['identity;q=0', undefined, true],
    ['identity;q=0, gzip;q=0.001', 'gzip', true],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity, *;q=0', undefined, false],
    ['gzip;q=1.5', undefined],
    ['gzip;q=-1', undefined],
    ['gzip;q=abc, br;q=0.1', 'br'],
    ['gzip ; q=0.4 , br ; q=0.3', 'gzip'],
    ['deflate, compress', undefined],
  ]
  for (const [field, coding, refusesPlain = false] of cases)
    test(`takes ${coding ?? 'none'} for ${field === undefined ? 'no field' : JSON.stringify(field)}`, () => {
      assert.deepEqual(wishOf(field, OURS), { coding, refusesPlain })
    })

  test('never takes a coding that was not offered or was given no weight, whatever the field says', () => {
    const member = fc.tuple(
      fc.constantFrom('gzip', 'br', 'zstd', 'identity', '*', 'deflate', ''),
      fc.constantFrom('', ';q=0', ';q=0.5', ';q=1', ';q=', ';q=9'),
    )
    fc.assert(
      fc.property(fc.array(member), members => {
        const field = members.map(([name, weight]) => name + weight).join(',')
        const { coding } = wishOf(field, OURS)
        if (coding === undefined) return
        const own =
          members.filter(([name]) => name === coding).at(-1) ?? members.filter(([name]) => name === '*').at(-1)
        assert.ok(own, field)
        assert.ok(['', ';q=0.5', ';q=1'].includes(own[1]), field)
      }),
    )
  })

  test('takes any text without throwing', () => {
    fc.assert(fc.property(fc.string(), field => void wishOf(field, OURS)))
  })
})
