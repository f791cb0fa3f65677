import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { type as ark } from 'arktype'
import fc from 'fast-check'
import { Type } from 'typebox'
import * as v from 'valibot'
import * as z from 'zod'
import { UsageError } from '../../src/core/error.ts'
import { compileCopy, copySource } from '../../src/schema/copy-keys.ts'
import { ResponseError } from '../../src/schema/errors.ts'
import type { Schema } from '../../src/schema/schema.ts'
import { compileResponse } from '../../src/schema/serialize.ts'
import { kind } from './zod-kinds.ts'

const encode = (schema: Schema, value: unknown) => compileResponse(schema, 'GET / returns 200').encode(value)
const sent = (schema: Schema, value: unknown): unknown => JSON.parse(encode(schema, value))

describe('what leaves', () => {
  test('is what JSON.stringify makes of the declared part, for any schema and value', () => {
    fc.assert(
      fc.property(
        kind.chain(of => of.value.map(value => ({ of, value }))),
        ({ of, value }) => {
          assert.equal(encode(of.schema, value), JSON.stringify(of.keep(value)))
        },
      ),
      { numRuns: 400 },
    )
  })

  const Item = z.object({ id: z.int(), name: z.string() })
  const secret = { id: 1, name: 'x', secret: 's' }
  const CASES: readonly [string, Schema, unknown, unknown][] = [
    ['in an object', Item, secret, { id: 1, name: 'x' }],
    ['in a list', z.array(Item), [secret], [{ id: 1, name: 'x' }]],
    ['in a record', z.record(z.string(), Item), { a: secret }, { a: { id: 1, name: 'x' } }],
    [
      'in a nullable',
      z.object({ a: Item.nullable(), b: Item.nullable() }),
      { a: secret, b: null },
      { a: { id: 1, name: 'x' }, b: null },
    ],
    ['in a tuple', z.tuple([z.int(), Item]), [1, secret], [1, { id: 1, name: 'x' }]],
    ['in a union', z.union([z.string(), Item]), secret, { id: 1, name: 'x' }],
    [
      'in a tagged union',
      z.discriminatedUnion('k', [
        z.object({ k: z.literal('a'), n: z.int() }),
        z.object({ k: z.literal('b'), s: Item }),
      ]),
      { k: 'b', n: 1, s: secret },
      { k: 'b', s: { id: 1, name: 'x' } },
    ],
    [
      'in an intersection',
      z.intersection(Item, z.object({ more: z.array(Item) })),
      { ...secret, more: [secret] },
      { id: 1, name: 'x', more: [{ id: 1, name: 'x' }] },
    ],
    ['in a lazy schema', z.lazy(() => Item), secret, { id: 1, name: 'x' }],
    [
      'in TypeBox',
      Type.Object({ id: Type.Integer(), l: Type.Array(Type.Object({ a: Type.Null() })) }),
      { id: 1, x: 2, l: [{ a: null, b: 1 }] },
      { id: 1, l: [{ a: null }] },
    ],
    ['in ArkType', ark({ id: 'number' }), secret, { id: 1 }],
    ['in Valibot, by its own stripping', v.object({ id: v.number() }), secret, { id: 1 }],
  ]
  for (const [where, schema, value, expected] of CASES)
    test(`has no undeclared keys ${where}`, () => assert.deepEqual(sent(schema, value), expected))

  test('keeps undeclared keys where the schema says so', () => {
    assert.deepEqual(sent(z.looseObject({ id: z.int() }), secret), secret)
    assert.deepEqual(sent(z.object({ id: z.int() }).catchall(z.string()), secret), secret)
    assert.deepEqual(sent({ type: 'object', patternProperties: { '^n': { type: 'string' } } } as Schema, secret), {
      name: 'x',
    })
  })
  test('is the larger of two shapes when both fit', () => {
    const A = z.object({ id: z.int() })
    assert.deepEqual(sent(z.union([A, Item]), secret), { id: 1, name: 'x' })
    assert.deepEqual(sent(z.union([A, Item]), { id: 1, other: 1 }), { id: 1 })
  })
  test('is a recursive tree', () => {
    const Tree = z.object({
      n: z.int(),
      get kids() {
        return z.array(Tree)
      },
    })
    assert.deepEqual(sent(Tree, { n: 1, x: 1, kids: [{ n: 2, x: 1, kids: [] }] }), { n: 1, kids: [{ n: 2, kids: [] }] })
  })
  test('is null for a handler that returns nothing where anything may be returned', () => {
    assert.equal(encode(z.unknown(), undefined), 'null')
  })
})

describe('values that JSON has not', () => {
  test('travel as the table says', () => {
    const schema = z.object({
      at: z.date(),
      n: z.bigint(),
      s: z.set(z.string()),
      day: z.iso.date(),
      gone: z.undefined(),
    })
    const value = {
      at: new Date(0),
      n: 2n ** 70n,
      s: new Set(['a']),
      day: new Date(0) as unknown as string,
      gone: undefined,
    }
    assert.deepEqual(sent(schema, value), {
      at: '1970-01-01T00:00:00.000Z',
      n: '1180591620717411303424',
      s: ['a'],
      day: '1970-01-01',
    })
  })

  test('a set has no text and no number twice, whatever it was made of', () => {
    assert.equal(encode(z.set(z.int()), [1, 2, 1]), '[1,2]')
    assert.equal(encode(z.set(z.int()), new Set([1, 1n])), '[1]')
    assert.equal(encode(z.set(z.date()), new Set([new Date(0), new Date(0)])), '["1970-01-01T00:00:00.000Z"]')
  })

  test("a class's getters are its fields", () => {
    class Row {
      get id() {
        return 1
      }
    }
    assert.deepEqual(sent(z.object({ id: z.int(), constructor: z.string().optional() }), new Row()), { id: 1 })
  })
  test('a class tells its own JSON', () => {
    class Row {
      readonly id = 1
      readonly password = 'x'
      toJSON() {
        return { id: this.id, password: this.password, at: new Date(0) }
      }
    }
    assert.deepEqual(sent(z.object({ id: z.int(), at: z.date() }), new Row()), {
      id: 1,
      at: '1970-01-01T00:00:00.000Z',
    })
    assert.deepEqual(sent(z.object({ url: z.string() }), { url: new URL('https://a.example/') }), {
      url: 'https://a.example/',
    })
  })
  test('codecs are encoded', () => {
    const Cents = z.codec(z.string().regex(/^\d+\.\d\d$/), z.int(), {
      decode: text => Math.round(Number(text) * 100),
      encode: cents => (cents / 100).toFixed(2),
    })
    const schema = z.object({ price: Cents, at: z.date(), flag: z.stringbool().optional(), old: Cents.optional() })
    assert.deepEqual(sent(schema, { price: 1999, at: new Date(0), flag: true, secret: 1 }), {
      price: '19.99',
      at: '1970-01-01T00:00:00.000Z',
      flag: 'true',
    })
    assert.throws(() => encode(schema, { price: 'x', at: new Date(0) }), ResponseError)
  })
})

describe('a value that does not fit', () => {
  const Order = z.object({
    items: z.array(
      z.object({ price: z.number(), n: z.int(), at: z.date().optional(), k: z.enum(['a', 'b']).optional() }),
    ),
  })
  const CASES: readonly [unknown, RegExp][] = [
    [{ items: [{ price: NaN, n: 1 }] }, /items\.0\.price should be a finite number, found NaN/],
    [{ items: [{ price: Infinity, n: 1 }] }, /items\.0\.price should be a finite number, found Infinity/],
    [{ items: [{ price: '12', n: 1 }] }, /items\.0\.price should be a finite number, found a string/],
    [{ items: [{ price: 1, n: 1.5 }] }, /items\.0\.n should be an integer, found 1\.5/],
    [{ items: [{ price: 1, n: 2n ** 60n }] }, /items\.0\.n should be an integer, found a bigint/],
    [{ items: [{ price: 1 }] }, /items\.0\.n should be a value, found nothing/],
    [{ items: [{ price: 1, n: 1, at: new Date(NaN) }] }, /items\.0\.at should be a valid Date/],
    [{ items: [{ price: 1, n: 1, at: new Date(-1e15) }] }, /items\.0\.at should be a Date of the years 0 to 9999/],
    [{ items: [{ price: 1, n: 1, k: 'c' }] }, /items\.0\.k should be "a" or "b", found a string/],
    [{ items: {} }, /items should be an array, found an object of Object/],
    [{}, /items should be a value, found nothing/],
    [[], /should be an object, found an array/],
    [null, /should be an object, found null/],
    [undefined, /should be an object, found nothing/],
  ]
  for (const [value, message] of CASES)
    test(`is a 500 that says: ${message.source}`, () => {
      assert.throws(
        () => encode(Order, value),
        (error: unknown) => {
          assert.ok(error instanceof ResponseError)
          assert.equal(error.status, 500)
          assert.equal(error.code, 'SCHEMA_BAD_RESPONSE')
          assert.match(error.message, message)
          assert.match(error.message, /^GET \/ returns 200: /)
          return true
        },
      )
    })
  test('is told without the value itself', () => {
    assert.throws(
      () => encode(z.object({ a: z.int() }), { a: 'hunter2' }),
      (error: Error) => !error.message.includes('hunter2'),
    )
  })
  test('in a union is told from the member that came closest', () => {
    const schema = z.union([
      z.object({ k: z.literal('a'), n: z.int() }),
      z.object({ k: z.literal('b'), deep: z.object({ n: z.int() }) }),
    ])
    assert.throws(() => encode(schema, { k: 'b', deep: { n: 'x' } }), /deep\.n should be an integer/)
  })
  test('a bigint or a cycle inside what may be anything is a ResponseError too', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    for (const value of [{ a: 1n }, cycle]) assert.throws(() => encode(z.unknown(), value), ResponseError)
  })
  test('a Standard Schema without JSON Schema validates it', () => {
    assert.throws(() => encode(v.object({ id: v.number() }), { id: 'x' }), ResponseError)
  })
})

describe('what is refused at start-up', () => {
  for (const [name, schema] of [
    ['a transform', z.object({ a: z.array(z.string().transform(Number)) })],
    ['a preprocess', z.object({ a: z.array(z.preprocess(x => x, z.string())) })],
    ['a Map', z.object({ a: z.array(z.map(z.string(), z.string())) })],
    ['a custom check', z.object({ a: z.array(z.custom()) })],
  ] as const)
    test(`${name}, naming route and place`, () => {
      assert.throws(
        () => compileResponse(schema, 'GET /orders returns 200'),
        (error: unknown) =>
          error instanceof UsageError &&
          error.message.startsWith('GET /orders returns 200: the schema cannot be described at a[]: '),
      )
    })
})

describe('what somebody wrote as JSON Schema', () => {
  const wrong = { type: 'object', properties: { id: { type: 'integer' } }, required: 'id' }
  for (const [name, schema] of [
    ['for a custom schema', z.custom().meta(wrong)],
    ['for a transform, deep inside', z.object({ a: z.array(z.transform(String).meta(wrong)) })],
    ['over a schema that says it well', z.object({ id: z.int() }).meta({ required: 'id' })],
  ] as const)
    test(`${name} is compiled at start, which finds its mistakes`, () => {
      assert.throws(() => compileResponse(schema, 'GET / returns 200'), {
        code: 'SCHEMA_NOT_A_SCHEMA',
        message: /^GET \/ returns 200: not a valid JSON Schema/,
      })
    })
})

describe('copying keys', () => {
  const keys = [
    { name: 'id', isRequired: true, pick: (value: unknown) => value },
    { name: 'note', isRequired: false, pick: (value: unknown) => value },
    { name: '__proto__', isRequired: false, pick: (value: unknown) => value },
    { name: 'a"b\u2028\n`${x}', isRequired: false, pick: (value: unknown) => value },
  ]
  test('is this text', () => {
    assert.equal(
      copySource(keys.slice(0, 3)),
      [
        'const p0 = picks[0]',
        'const p1 = picks[1]',
        'const p2 = picks[2]',
        'return value => {',
        '  const v0 = value["id"]; let c0',
        '  if (v0 !== undefined) { c0 = p0(v0); if (c0 === MISFIT) return missUnder("id") }',
        '  else return missing("id")',
        '  const v1 = value["note"]; let c1',
        '  if (v1 !== undefined) { c1 = p1(v1); if (c1 === MISFIT) return missUnder("note") }',
        '  const v2 = !Object.hasOwn(value, "__proto__") ? undefined : value["__proto__"]; let c2',
        '  if (v2 !== undefined) { c2 = p2(v2); if (c2 === MISFIT) return missUnder("__proto__") }',
        '  return { "id": c0, "note": c1, ["__proto__"]: c2 }',
        '}',
      ].join('\n'),
    )
  })
  test('is the same by generated code and by the loop', () => {
    const own = { id: 1, 'a"b\u2028\n`${x}': 2, other: 3 }
    Object.defineProperty(own, '__proto__', { value: 'p', enumerable: true })
    const text = [true, false].map(mayGenerate => JSON.stringify(compileCopy(keys, mayGenerate)(own)))
    assert.equal(text[0], text[1])
    assert.equal(text[0], '{"id":1,"__proto__":"p","a\\"b\u2028\\n`${x}":2}')
  })
  test('works where generating code is not allowed', () => {
    const file = new URL('../../src/schema/serialize.ts', import.meta.url).href
    const code = `import * as z from 'zod'; import { compileResponse } from '${file}'
      console.log(compileResponse(z.array(z.object({ a: z.int() })), 'x').encode([{ a: 1, b: 2 }]))`
    const flags = [
      '--disallow-code-generation-from-strings',
      '--conditions=millrace-source',
      '--input-type=module',
      '--eval',
      code,
    ]
    const cwd = new URL('../..', import.meta.url)
    assert.equal(execFileSync(process.execPath, flags, { cwd, encoding: 'utf8' }), '[{"a":1}]\n')
  })
})
