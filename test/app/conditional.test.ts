import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isRangeWanted, judge, type Validators } from '../../src/app/conditional.ts'
import type { FieldLines } from '../../src/http/exchange.ts'

const MODIFIED = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const [BEFORE, SAME, AFTER] = [-1, 0, 1].map(n => new Date(MODIFIED + n * 1000).toUTCString()) as [
  string,
  string,
  string,
]
const STRONG: Validators = { etag: '"a,b"', modifiedMs: MODIFIED, isDateStrong: true }
const WEAK: Validators = { etag: 'W/"a,b"', modifiedMs: MODIFIED, isDateStrong: false }

function fields(of: Readonly<Record<string, string>>): FieldLines {
  const headers = new Headers(of)
  return {
    get: name => headers.get(name) ?? undefined,
    all: name => (headers.has(name) ? [headers.get(name)!] : []),
    has: name => headers.has(name),
    hasAny: (names: ReadonlySet<string>) => [...names].some(name => headers.has(name)),
    entries: () => headers.entries(),
  }
}

const verdict = (of: Readonly<Record<string, string>>, validators = STRONG, method = 'GET') =>
  judge(method, fields(of), validators)

describe('preconditions', () => {
  test('If-None-Match compares weakly, in a list, with commas inside tags', () => {
    for (const field of ['"a,b"', 'W/"a,b"', '"x", "a,b"', ' , "x" ,W/"a,b",', '*'])
      for (const validators of [STRONG, WEAK]) {
        assert.equal(verdict({ 'if-none-match': field }, validators), 304, field)
        assert.equal(verdict({ 'if-none-match': field }, validators, 'HEAD'), 304, field)
        assert.equal(verdict({ 'if-none-match': field }, validators, 'PUT'), 412, field)
      }
    for (const field of [
      '"a"',
      '"b"',
      'a,b',
      '"a,b',
      '""',
      'w/"a,b"',
      '"x" "a,b"',
      '"x" junk, "a,b"',
      '"A,B"',
      '*, "x"',
    ])
      assert.equal(verdict({ 'if-none-match': field }), 'proceed', field)
  })

  test('If-Match compares strongly: a weak tag never matches', () => {
    for (const field of ['"a,b"', '"x", "a,b"', '*']) assert.equal(verdict({ 'if-match': field }), 'proceed', field)
    for (const field of ['W/"a,b"', '"x"', 'a,b', '']) assert.equal(verdict({ 'if-match': field }), 412, field)
    assert.equal(verdict({ 'if-match': 'W/"a,b"' }, WEAK), 412)
    assert.equal(verdict({ 'if-match': '*' }, WEAK), 'proceed')
  })

  test('dates count in whole seconds, and only when they are dates', () => {
    assert.equal(verdict({ 'if-modified-since': SAME }), 304)
    assert.equal(verdict({ 'if-modified-since': AFTER }), 304)
    assert.equal(verdict({ 'if-modified-since': BEFORE }), 'proceed')
    assert.equal(verdict({ 'if-modified-since': 'yesterday' }), 'proceed')
    assert.equal(verdict({ 'if-modified-since': SAME }, STRONG, 'POST'), 'proceed')
    assert.equal(verdict({ 'if-unmodified-since': SAME }), 'proceed')
    assert.equal(verdict({ 'if-unmodified-since': AFTER }), 'proceed')
    assert.equal(verdict({ 'if-unmodified-since': BEFORE }), 412)
    assert.equal(verdict({ 'if-unmodified-since': 'yesterday' }), 'proceed')
  })

  test('a tag wins over its date', () => {
    assert.equal(verdict({ 'if-none-match': '"x"', 'if-modified-since': AFTER }), 'proceed')
    assert.equal(verdict({ 'if-none-match': '"a,b"', 'if-modified-since': BEFORE }), 304)
    assert.equal(verdict({ 'if-match': '"a,b"', 'if-unmodified-since': BEFORE }), 'proceed')
    assert.equal(verdict({ 'if-match': '"x"', 'if-none-match': '"a,b"' }), 412)
  })

  test('what has neither tag nor date is sent, unless any state would do', () => {
    for (const field of ['if-none-match', 'if-modified-since']) assert.equal(verdict({ [field]: SAME }, {}), 'proceed')
    assert.equal(verdict({ 'if-none-match': '*' }, {}), 304)
    assert.equal(verdict({ 'if-match': '"a"' }, {}), 412)
  })
})

describe('If-Range', () => {
  const wanted = (field: string, validators = STRONG) => isRangeWanted(fields({ 'if-range': field }), validators)

  test('takes the same strong tag, or the same strong date', () => {
    assert.equal(isRangeWanted(fields({}), STRONG), true)
    assert.equal(wanted('"a,b"'), true)
    assert.equal(wanted(SAME), true)
  })

  test('takes nothing weaker, newer, older or malformed', () => {
    for (const field of ['"x"', 'W/"a,b"', BEFORE, AFTER, 'a,b', '*', '"x", "a,b"', 'soon'])
      assert.equal(wanted(field), false, field)
    assert.equal(wanted('W/"a,b"', WEAK), false)
    assert.equal(wanted(SAME, WEAK), false)
    assert.equal(wanted(SAME, {}), false)
    assert.equal(wanted('soon', {}), false)
  })
})
