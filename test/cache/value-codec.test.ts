// What a second tier hands over comes back as it was, or is not handed over at all.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { valueCodec } from '../../src/cache/value-codec.ts'

const { encode, decode } = valueCodec

describe('plain data', () => {
  const primitive = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, -0, NaN, Infinity, -Infinity, '\ud800', '__proto'),
  )
  const bytes = fc.uint8Array({ maxLength: 20 })
  const leaf = fc.oneof(
    primitive,
    fc.date(),
    bytes,
    bytes.map(content => Buffer.from(content)),
  )
  const name = fc.string().filter(name => name !== '__proto__' && name !== 'toJSON')
  const few = { maxLength: 4 }
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie('value'), few),
      fc.array(fc.tuple(name, tie('value')), few).map(pairs => Object.fromEntries(pairs)),
      fc.array(fc.tuple(tie('value'), tie('value')), few).map(pairs => new Map(pairs)),
      fc.array(tie('value'), few).map(members => new Set(members)),
    ),
  }))
  /** With maps and sets as lists: which of two objects in them is which is more than a comparison of sets can tell, and their order counts. */
  const inOrder = (value: unknown): unknown => {
    if (value instanceof Map) return ['map', [...(value as Map<unknown, unknown>)].map(pair => pair.map(inOrder))]
    if (value instanceof Set) return ['set', [...(value as Set<unknown>)].map(inOrder)]
    if (Array.isArray(value)) return value.map(inOrder)
    const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    return isPlain ? Object.fromEntries(Object.entries(value).map(([name, held]) => [name, inOrder(held)])) : value
  }

  test('comes back as it was, with the types that JSON does not have', () => {
    fc.assert(
      fc.property(value, value => {
        const bytes = encode(value)
        assert.ok(bytes)
        assert.deepStrictEqual(inOrder(decode(bytes)), inOrder(value))
      }),
      { numRuns: 500 },
    )
  })

  test('comes back without a prototype where it had none', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1, at: new Date(0) })
    assert.deepStrictEqual(decode(encode(bare)!), bare)
    const within = { list: [Object.assign(Object.create(null) as object, { b: undefined })] }
    assert.deepStrictEqual(decode(encode(within)!), within)
  })
})

describe('what would not come back as it was', () => {
  /** As the maps of headers and queries are made. */
  const bare = (json: string): object =>
    Object.defineProperties(Object.create(null) as object, Object.getOwnPropertyDescriptors(JSON.parse(json)))
  class Money {
    readonly cents = 1
  }
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const repeated = Array.from({ length: 40 }).reduce<unknown>(inner => [inner, inner], 'x')
  for (const [name, value] of Object.entries({
    'an instance of a class': new Money(),
    'one in an array': [new Money()],
    'a subclass of Map': new (class extends Map {})(),
    'a function': () => 1,
    'a symbol': Symbol('s'),
    'a field under a symbol': { [Symbol('s')]: 1 },
    'what has a toJSON': { toJSON: () => 1 },
    'an array with a hole': [1, , 2],
    'an array with a field': Object.assign([1], { more: 1 }),
    'a date with a field': Object.assign(new Date(), { more: 1 }),
    'an own __proto__': JSON.parse('{"__proto__":{"a":1}}') as unknown,
    'an own __proto__ where there is no prototype': bare('{"__proto__":{"a":1}}'),
    'one in another': Object.assign(Object.create(null) as object, { in: bare('{"__proto__":{"a":1}}') }),
    'a symbol where there is no prototype': Object.assign(Object.create(null) as object, { [Symbol('s')]: 1 }),
    'an error': new Error('x'),
    'a value that contains itself': cyclic,
    'a value whose parts stand in it a trillion times': repeated,
    'our own mark': ['\u0000millrace:', 'undefined'],
  }))
    test(`is not handed over: ${name}`, () => {
      assert.equal(encode(value), undefined)
      assert.equal(encode({ deep: [value] }), undefined)
      assert.equal(encode(new Map([['deep', value]])), undefined)
    })
})

describe('bytes that are not ours', () => {
  const good = encode({ a: [1, new Map([[1n, new Date(0)]])] })!
  for (const [name, bytes] of Object.entries({
    nothing: '',
    'another kind': 'Z{}',
    'text cut short': Buffer.from(good.subarray(0, good.length - 3)).toString(),
    'no JSON': 'J{',
    'an unknown tag': 'X["\\u0000millrace:","regexp","a+"]',
    'a map of no pairs': 'X["\\u0000millrace:","map",7]',
  }))
    test(`are refused: ${name}`, () => {
      assert.throws(() => decode(Buffer.from(bytes)))
    })

  test('are refused: no UTF-8', () => {
    assert.throws(() => decode(Buffer.from('4a22ff22', 'hex')))
  })

  test('never make a prototype', () => {
    for (const kind of ['J', 'X']) {
      const made = decode(Buffer.from(`${kind}{"__proto__":{"polluted":1}}`)) as Record<string, unknown>
      assert.equal(made['polluted'], undefined)
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
    }
  })
})
