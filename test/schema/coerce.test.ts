// What text becomes, by declared type. The first table follows FEATURES 1.24 where we choose as FastAPI does; numbers are stricter.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import * as z from 'zod'
import { compileFields, type Fields } from '../../src/schema/decode.ts'
import type { Issue } from '../../src/schema/issue.ts'
import type { Schema } from '../../src/schema/schema.ts'

function decode(schema: Schema, fields: Fields): { value: unknown; issues: Issue[] } {
  const issues: Issue[] = []
  const value = compileFields(schema, 'query', 'GET / query').decode(fields, issues)
  return { value, issues }
}

class Refused {
  readonly type: string
  constructor(type: string) {
    this.type = type
  }
}
const refused = (type: string) => new Refused(type)
const int = { type: 'integer' } as const
const number = { type: 'number' } as const
const boolean = { type: 'boolean' } as const

type Case = readonly [name: string, schema: z.ZodType, json: object | undefined, text: string, expected: unknown]
const CASES: readonly Case[] = [
  ...(
    [
      ['1', 1],
      ['+1', 1],
      ['-7', -7],
      ['007', 7],
      ['-0', 0],
      ['9007199254740991', 9007199254740991],
      ['9007199254740993', refused('int_parsing_size')],
      ['100000000000000000000', refused('int_parsing_size')],
      ['', refused('int_parsing')],
      [' 1 ', refused('int_parsing')],
      ['1.0', refused('int_parsing')],
      ['1.5', refused('int_parsing')],
      ['1e3', refused('int_parsing')],
      ['1_000', refused('int_parsing')],
      ['0x10', refused('int_parsing')],
      ['\u0661', refused('int_parsing')],
      ['nan', refused('int_parsing')],
    ] as const
  ).map(([text, expected]): Case => ['int', z.int(), int, text, expected]),
  ...(
    [
      ['1', 1],
      ['1e3', 1000],
      ['.5', 0.5],
      ['2.', 2],
      ['-2.5', -2.5],
      ['1_0', refused('float_parsing')],
      [' 2.5 ', refused('float_parsing')],
      ['nan', refused('float_parsing')],
      ['NaN', refused('float_parsing')],
      ['inf', refused('float_parsing')],
      ['Infinity', refused('float_parsing')],
      ['1e999', refused('finite_number')],
      ['9007199254740993', refused('int_parsing_size')],
      ['0x10', refused('float_parsing')],
      ['', refused('float_parsing')],
    ] as const
  ).map(([text, expected]): Case => ['number', z.number(), number, text, expected]),
  ...(
    [
      ['1', true],
      ['true', true],
      ['TRUE', true],
      ['t', true],
      ['yes', true],
      ['On', true],
      ['y', true],
      ['0', false],
      ['false', false],
      ['F', false],
      ['no', false],
      ['n', false],
      ['off', false],
      ['2', refused('bool_parsing')],
      ['', refused('bool_parsing')],
    ] as const
  ).map(([text, expected]): Case => ['boolean', z.boolean(), boolean, text, expected]),
  ['string', z.string(), { type: 'string' }, '', ''],
  ['string', z.string(), { type: 'string' }, '12', '12'],
  ['nullable int', z.int().nullable(), { type: ['integer', 'null'] }, '5', 5],
  ['nullable int', z.int().nullable(), { type: ['integer', 'null'] }, 'null', null],
  ['nullable int', z.int().nullable(), { type: ['integer', 'null'] }, 'x', refused('int_parsing')],
  ['null', z.null(), { type: 'null' }, 'nothing', refused('none_required')],
  ['union int first', z.union([z.int(), z.string()]), { anyOf: [int, { type: 'string' }] }, '5', 5],
  ['union int first', z.union([z.int(), z.string()]), { anyOf: [int, { type: 'string' }] }, 'x', 'x'],
  ['union string first', z.union([z.string(), z.int()]), { anyOf: [{ type: 'string' }, int] }, '5', '5'],
  [
    'union with a bound',
    z.union([z.int().max(3), z.string()]),
    { anyOf: [{ type: 'integer', maximum: 3 }, { type: 'string' }] },
    '5',
    '5',
  ],
  ['union of no match', z.union([z.int(), z.boolean()]), { anyOf: [int, boolean] }, 'x', refused('int_parsing')],
  ['literal', z.literal(5), { const: 5 }, '5', 5],
  ['literals', z.literal([1, 'a', true]), { enum: [1, 'a', true] }, 'true', true],
  ['literals', z.literal([1, 2]), { enum: [1, 2] }, '1.0', 1],
  ['literal', z.literal(5), { const: 5 }, '6', refused('literal_error')],
  ['enum', z.enum(['a', 'b']), undefined, 'c', refused('enum')],
  ['default', z.int().default(4), { type: 'integer', default: 4 }, '5', 5],
  ['optional', z.int().optional(), undefined, '5', 5],
  ['date', z.date(), undefined, '2020-02-29T10:00:00+01:00', new Date('2020-02-29T09:00:00Z')],
  ['date', z.date(), undefined, '2020-02-30T10:00:00Z', refused('datetime_from_date_parsing')],
  ['date', z.date(), undefined, '2020-02-29T10:00:00', refused('datetime_from_date_parsing')],
  ['date', z.date(), undefined, '2020-02-29', refused('datetime_from_date_parsing')],
  ['bigint', z.bigint(), undefined, '123456789012345678901234567890', 123456789012345678901234567890n],
  ['bigint', z.bigint(), undefined, '1.5', refused('int_parsing')],
  ['stringbool', z.stringbool(), undefined, 'enabled', true],
  [
    'codec',
    z.codec(z.int(), z.string(), { decode: n => `#${n}`, encode: s => Number(s.slice(1)) }),
    undefined,
    '5',
    '#5',
  ],
  ['transform', z.int().transform(n => n + 1), undefined, '5', 6],
  ['preprocess', z.preprocess(n => n, z.int()), undefined, '5', 5],
  [
    'preprocess of what is no number',
    z.preprocess(n => (n === '' ? undefined : n), z.int().default(7)),
    undefined,
    '',
    7,
  ],
  [
    'preprocess of a list',
    z.preprocess(all => String(all).split(','), z.array(z.string())),
    undefined,
    'a,b',
    ['a', 'b'],
  ],
  ['catch', z.int().catch(7), undefined, 'x', 7],
  ['readonly', z.int().readonly(), undefined, '5', 5],
  ['unknown', z.unknown(), {}, '5', '5'],
  ["z.coerce's own reading", z.coerce.date(), undefined, '2020-02-29', new Date('2020-02-29T00:00:00Z')],
  ["z.coerce's own reading", z.coerce.bigint(), undefined, '0x10', 16n],
]

describe('coercion of one field', () => {
  for (const [name, zod, json, text, expected] of CASES) {
    const schemas: [string, Schema][] = [['zod', z.object({ a: zod })]]
    if (json) schemas.push(['json schema', { type: 'object', properties: { a: json }, required: ['a'] }])
    for (const [kind, schema] of schemas)
      test(`${kind} ${name}: ${JSON.stringify(text)}`, () => {
        const { value, issues } = decode(schema, { a: text })
        if (!(expected instanceof Refused)) {
          assert.deepEqual(issues, [])
          assert.deepEqual((value as { a: unknown }).a, expected)
          return
        }
        const [issue, ...more] = issues
        assert.deepEqual(more, [])
        const own = expected.type === 'literal_error' || kind === 'zod' ? [expected.type, 'enum'] : [expected.type]
        assert.ok(own.includes(issue!.type), issue!.type)
        assert.deepEqual(issue!.loc, ['query', 'a'])
        assert.equal(issue!.input, text)
      })
  }
})

describe('coercion of several fields', () => {
  const Query = z.object({
    page: z.int().min(1).default(1),
    ids: z.array(z.int()).optional(),
    q: z.string().optional(),
  })

  test('a single value where a list is declared becomes a list of one', () => {
    assert.deepEqual(decode(Query, { ids: '5' }).value, { page: 1, ids: [5] })
  })
  test('repeated keys collect where a list is declared, and commas do not split', () => {
    assert.deepEqual(decode(Query, { ids: ['1', '2'] }).value, { page: 1, ids: [1, 2] })
    const { issues } = decode(Query, { ids: '1,2' })
    assert.deepEqual(
      issues.map(({ type, loc, input }) => ({ type, loc, input })),
      [{ type: 'int_parsing', loc: ['query', 'ids', 0], input: '1,2' }],
    )
  })
  test('the last of repeated values counts where no list is declared', () => {
    assert.deepEqual(decode(Query, { page: ['7', '3'], q: ['a', 'b'] }).value, { page: 3, q: 'b' })
    assert.equal(decode(Query, { page: ['1', '0'] }).issues[0]?.input, '0')
  })
  test('an undeclared key is dropped by an object, refused by a strict one, kept by a loose one', () => {
    assert.deepEqual(decode(Query, { other: '1' }).value, { page: 1 })
    const strict = decode(z.strictObject({ a: z.int() }), { a: '1', b: '2' })
    assert.deepEqual(strict.issues, [
      { type: 'extra_forbidden', loc: ['query', 'b'], msg: 'Extra inputs are not permitted', input: '2' },
    ])
    assert.deepEqual(decode(z.looseObject({ a: z.int() }), { a: '1', b: '2' }).value, { a: 1, b: '2' })
  })
  test('a missing field is told with null as its input', () => {
    assert.deepEqual(decode(z.object({ a: z.int() }), {}).issues, [
      { type: 'missing', loc: ['query', 'a'], msg: 'Field required', input: null },
    ])
    const json = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
    assert.deepEqual(decode(json, {}).issues, [
      { type: 'missing', loc: ['query', 'a'], msg: 'Field required', input: null },
    ])
  })
  test('all mistakes are told, in the order of the schema', () => {
    const { issues } = decode(z.object({ a: z.int(), b: z.boolean(), c: z.int().max(3), d: z.string() }), {
      a: 'x',
      b: 'maybe',
      c: '4',
    })
    assert.deepEqual(
      issues.map(({ type, loc }) => `${type} ${loc.join('.')}`),
      ['int_parsing query.a', 'bool_parsing query.b', 'less_than_equal query.c', 'missing query.d'],
    )
  })
  test('one mistake does not stay for the next request', () => {
    const decoder = compileFields(Query, 'query', 'GET / query')
    const first: Issue[] = []
    decoder.decode({ page: 'x' }, first)
    const second: Issue[] = []
    assert.deepEqual(decoder.decode({ page: '2' }, second), { page: 2 })
    assert.equal(first.length, 1)
    assert.deepEqual(second, [])
  })
  test('a set is a list without repeats, a tuple converts by position', () => {
    assert.deepEqual(decode(z.object({ a: z.set(z.int()) }), { a: ['1', '1', '2'] }).value, { a: new Set([1, 2]) })
    assert.deepEqual(decode(z.object({ a: z.tuple([z.int(), z.string()]) }), { a: ['1', '2'] }).value, { a: [1, '2'] })
  })
  test('a union of objects, and an intersection, declare the fields of all members', () => {
    const union = z.union([
      z.object({ kind: z.literal('a'), n: z.int() }),
      z.object({ kind: z.literal('b'), m: z.boolean() }),
    ])
    assert.deepEqual(decode(union, { kind: 'b', m: 'on' }).value, { kind: 'b', m: true })
    assert.deepEqual(
      decode(z.intersection(z.object({ a: z.int() }), z.object({ b: z.int() })), { a: '1', b: '2' }).value,
      { a: 1, b: 2 },
    )
  })
  test('a schema that holds itself takes a text for what it can be, and texts for a list of these', () => {
    const read = (schema: z.ZodType, f: string | string[]) => decode(z.object({ f: schema.optional() }), { f })
    assert.deepEqual(read(z.json(), 'x').value, { f: 'x' })
    interface Tree extends Array<number | Tree> {}
    const Tree: z.ZodType<number | Tree> = z.union([z.int(), z.array(z.lazy(() => Tree))])
    const Lists: z.ZodType = z.union([z.int(), z.array(z.lazy(() => Lists)).catch([])])
    const Loop: z.ZodType = z.array(z.lazy(() => Loop))
    assert.deepEqual(read(Tree, '7'), { value: { f: 7 }, issues: [] })
    assert.deepEqual(read(Lists, '7').value, { f: 7 })
    assert.deepEqual(read(z.array(Tree), ['7', '8']).value, { f: [7, 8] })
    assert.deepEqual(
      read(Tree, 'x').issues.map(({ type, loc }) => ({ type, loc })),
      [{ type: 'int_parsing', loc: ['query', 'f'] }],
    )
    assert.equal(read(Loop, 'x').issues.length, 1)
    for (const schema of [z.json(), Tree, Lists, Loop])
      compileFields(z.object({ f: schema }), 'query', 'GET / query', 'fastapi').decode({ f: ['x', '1'] }, [])
  })

  test('a record converts every field', () => {
    assert.deepEqual(decode(z.record(z.string(), z.int()), { a: '1', b: ['2', '3'] }).value, { a: 1, b: 3 })
    assert.deepEqual(
      decode(z.record(z.string(), z.int()), { a: 'x' }).issues.map(({ type, loc }) => [type, loc]),
      [['int_parsing', ['query', 'a']]],
    )
  })
  test('a key named __proto__ is data at most', () => {
    const fields = Object.assign(Object.create(null) as Record<string, string>, { a: '1' })
    Object.defineProperty(fields, '__proto__', { value: ['x'], enumerable: true })
    const { value } = decode({ type: 'object', properties: { a: { type: 'integer' } } }, fields)
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal((value as { a: number }).a, 1)
  })
  test('names and lists are what the schema declares', () => {
    const decoder = compileFields(Query, 'header', 'GET / headers')
    assert.deepEqual(decoder.names, ['page', 'ids', 'q'])
    assert.deepEqual([...decoder.lists], ['ids'])
    assert.equal(decoder.takesAll, false)
    assert.equal(compileFields(v.object({ a: v.string() }), 'header', 'GET / headers').takesAll, true)
  })
  test('ArkType gives JSON Schema, so its fields are converted', () => {
    assert.deepEqual(decode(type({ n: 'number.integer>0', 's?': 'string' }), { n: '5', s: '5' }).value, {
      n: 5,
      s: '5',
    })
    assert.deepEqual(
      decode(type({ n: 'number.integer>0' }), { n: 'x' }).issues.map(one => one.type),
      ['int_parsing'],
    )
  })
  test('Valibot alone gives none: it validates the strings', () => {
    assert.deepEqual(decode(v.object({ s: v.string() }), { s: '5' }).value, { s: '5' })
    assert.deepEqual(
      decode(v.object({ n: v.number() }), { n: '5' }).issues.map(one => one.type),
      ['float_type'],
    )
  })
  test('an asynchronous refinement gives a promise', async () => {
    const issues: Issue[] = []
    const decoder = compileFields(
      z.object({ a: z.int().refine(async n => n > 3, 'too little') }),
      'query',
      'GET / query',
    )
    const late = decoder.decode({ a: '2' }, issues)
    assert.ok(late instanceof Promise)
    await late
    assert.deepEqual(issues, [
      { type: 'value_error', loc: ['query', 'a'], msg: 'too little', input: '2', ctx: { error: 'too little' } },
    ])
  })
})
