// Whatever a client sends, a filter says what its author wrote: checked on random JSON, against the one thing that a server acts on, names that begin with $.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'node:test'
import { ObjectId } from 'mongodb'
import { all, any, is, none, trusted, UnsafeValueError, where, type Filter } from '../../../src/data/mongo/index.ts'
import { compileFilter } from '../../../src/data/mongo/filter.ts'
import { literal } from '../../../src/data/mongo/literal.ts'

const compile = (filter: unknown) => compileFilter(filter as Filter<unknown>, () => value => value)

const awkward = fc.constantFrom(
  '$ne',
  '$where',
  '$expr',
  '$',
  'a.b',
  '.',
  'a\0b',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '_bsontype',
  'toBSON',
  '$eq',
  '',
  'plain',
)
const { value: json } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1.5, '', '$ne', 'text'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.oneof(awkward, fc.string({ maxLength: 5 })), tie('value')), { maxLength: 3 })
      // As a body arrives: JSON.parse makes __proto__ a name like any other.
      .map(
        entries =>
          JSON.parse(`{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`) as unknown,
      ),
  ),
}))

function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap(namesIn)
  return Object.entries(value).flatMap(([name, item]) => [name, ...namesIn(item)])
}

const isUnsafe = (name: string) =>
  name.startsWith('$') || name.includes('.') || name.includes('\0') || name === '__proto__' || name === '_bsontype'

describe('a filter made of input', () => {
  test('is refused, or holds the value literally under $eq', () => {
    fc.assert(
      fc.property(json, input => {
        if (namesIn(input).some(isUnsafe)) return assert.throws(() => compile({ password: input }), UnsafeValueError)
        // Byte for byte what was sent, and nothing beside it.
        assert.equal(JSON.stringify(compile({ password: input })), JSON.stringify({ password: { $eq: input } }))
      }),
      { numRuns: 2000 },
    )
  })

  test('is refused, or literal, as the whole of a filter too, and inside every operator', () => {
    fc.assert(
      fc.property(json, input => {
        const isPlain = typeof input === 'object' && input !== null && !Array.isArray(input)
        const names = namesIn(input)
        const operands = [
          () => compile({ a: is.eq(input) }),
          () => compile({ a: is.ne(input) }),
          () => compile({ a: is.gte(input) }),
          () => compile({ a: is.in([input]) }),
          () => compile({ a: is.between(input, input) }),
          () => compile(where('a.b', input)),
          () => compile(all({ a: input }, any({ b: input }), none({ c: input }))),
        ]
        if (!isPlain || names.some(isUnsafe)) assert.throws(() => compile(input), UnsafeValueError)
        else {
          const compiled = compile(input)
          assert.deepEqual(Object.keys(compiled), Object.keys(input))
          for (const [name, value] of Object.entries(compiled))
            assert.equal(JSON.stringify(value), JSON.stringify({ $eq: (input as Record<string, unknown>)[name] }))
        }
        for (const make of operands) {
          if (names.some(isUnsafe)) assert.throws(make, UnsafeValueError)
          else {
            // The operators that stand there are the author's: taking them away leaves the input's own names.
            const found = namesIn(make()).filter(name => name.startsWith('$'))
            assert.ok(found.every(name => AUTHORS.has(name)))
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('pollutes no prototype', () => {
    const input = JSON.parse('{"a": {"__proto__": {"polluted": true}}}') as unknown
    assert.throws(() => compile(input), UnsafeValueError)
    assert.throws(() => compile(JSON.parse('{"__proto__": {"polluted": true}}')), UnsafeValueError)
    const constructed = JSON.parse('{"constructor": {"prototype": {"polluted": true}}}') as unknown
    assert.deepEqual(compile(constructed), { constructor: { $eq: { prototype: { polluted: true } } } })
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  })

  test('takes for an operator only what code has made', () => {
    for (const forged of [
      { '~compares': 1 },
      { '#make': 1 },
      { _bsontype: 'ObjectId', id: 'x' },
      { _bsontype: 'Code' },
    ])
      assert.ok(JSON.stringify(attempt(() => compile({ a: forged }))).match(/refused|\$eq/))
    class Lookalike {}
    assert.throws(() => compile({ a: new Lookalike() }), UnsafeValueError)
    assert.throws(() => compile({ a: new Map([['$ne', 1]]) }), UnsafeValueError)
    assert.throws(() => compile({ a: () => true }), UnsafeValueError)
    assert.throws(() => compile({ a: /./ }), UnsafeValueError)
    assert.throws(() => compile([{ a: 1 }]), UnsafeValueError)
    assert.throws(() => compile('a'), UnsafeValueError)
    assert.throws(() => compile(null), UnsafeValueError)
  })

  test('never looks for everything because a value is missing', () => {
    assert.throws(() => compile({ _id: undefined }), /filter._id is undefined/)
    assert.throws(() => compile({ a: is.in(undefined as unknown as []) }), UnsafeValueError)
    assert.throws(() => compile({ a: is.in({ length: 1 } as unknown as []) }), UnsafeValueError)
    assert.throws(() => compile(all()), { code: 'MONGO_FILTER' })
  })

  test('text is never a pattern, except the author says so', () => {
    assert.deepEqual(compile({ a: is.startingWith('.*[x') }), { a: { $regex: '^\\.\\*\\[x' } })
    assert.throws(() => compile({ a: is.startingWith({ $ne: 1 } as unknown as string) }), UnsafeValueError)
    assert.throws(() => compile({ a: is.matching('x' as unknown as RegExp) }), { code: 'MONGO_FILTER' })
  })

  test('paths are code, and checked as names are', () => {
    assert.deepEqual(compile(where('a.b.0', 1)), { 'a.b.0': { $eq: 1 } })
    for (const path of ['', 'a..b', '.a']) assert.throws(() => where(path, 1), { code: 'MONGO_FILTER' })
    for (const path of ['$where', 'a.$where', '__proto__.a', 'a\0'])
      assert.throws(() => where(path, 1), UnsafeValueError)
  })

  test('what is trusted goes as it is', () => {
    assert.deepEqual(compile(trusted({ $expr: { $gt: ['$a', '$b'] } })), { $expr: { $gt: ['$a', '$b'] } })
  })
})

describe('a literal', () => {
  test('keeps what the driver knows and turns sets into lists', () => {
    const id = new ObjectId()
    const date = new Date(0)
    const bytes = new Uint8Array([1])
    assert.deepEqual(literal({ id, date, bytes, set: new Set([1]), big: 1n, gone: undefined }, 'x'), {
      id,
      date,
      bytes,
      set: [1],
      big: 1n,
    })
  })

  test('what holds itself is refused as too deep', () => {
    const loop: Record<string, unknown> = {}
    loop['a'] = loop
    assert.throws(() => literal(loop, 'x'), /more than 100 levels/)
  })
})

const AUTHORS = new Set(['$eq', '$ne', '$gte', '$lt', '$in', '$and', '$or', '$nor'])

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error instanceof UnsafeValueError ? 'refused' : error
  }
}
