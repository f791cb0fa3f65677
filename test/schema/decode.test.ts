// Bodies whose handlers hold what JSON has not: text becomes Date and bigint, arrays become Set, at any depth.
import assert from 'node:assert/strict'
import { Session } from 'node:inspector/promises'
import { describe, test, type TestContext } from 'node:test'
import { Type } from 'typebox'
import * as z from 'zod'
import { UsageError } from '../../src/core/error.ts'
import { compileBody, compileFields } from '../../src/schema/decode.ts'
import type { Issue } from '../../src/schema/issue.ts'
import type { Schema } from '../../src/schema/schema.ts'

function decode(schema: Schema, input: unknown): unknown {
  const issues: Issue[] = []
  const value = compileBody(schema, 'POST / body').decode(input, issues)
  assert.deepEqual(issues, [])
  return value
}

const epoch = '1970-01-01T00:00:00Z'

describe('decoding bodies', () => {
  const CASES: readonly [string, z.ZodType, unknown, unknown][] = [
    ['a date', z.date(), epoch, new Date(0)],
    ['a date with an offset', z.date(), '1970-01-01T01:30:00.000+01:30', new Date(0)],
    ['a bigint', z.bigint(), '-12', -12n],
    ['a set', z.set(z.date()), [epoch], new Set([new Date(0)])],
    ['in lists', z.array(z.array(z.bigint())), [['1'], []], [[1n], []]],
    ['in tuples', z.tuple([z.string(), z.date()], z.bigint()), ['a', epoch, '1', '2'], ['a', new Date(0), 1n, 2n]],
    ['in records', z.record(z.string(), z.date()), { a: epoch }, { a: new Date(0) }],
    ['in catchalls', z.object({ a: z.string() }).catchall(z.bigint()), { a: '1', b: '1' }, { a: '1', b: 1n }],
    [
      'when optional, nullable or with a default',
      z.object({ a: z.date().optional(), b: z.date().nullable(), c: z.date().default(new Date(0)) }),
      { b: null },
      { b: null, c: new Date(0) },
    ],
    ['when nullable and there', z.object({ b: z.date().nullable() }), { b: epoch }, { b: new Date(0) }],
    [
      'in the first member of a union that fits',
      z.union([z.object({ k: z.literal('a'), at: z.date() }), z.object({ k: z.literal('b'), at: z.string() })]),
      { k: 'b', at: epoch },
      { k: 'b', at: epoch },
    ],
    [
      'in unions told apart by a tag',
      z.discriminatedUnion('k', [z.object({ k: z.literal('a'), at: z.date() }), z.object({ k: z.literal('b') })]),
      { k: 'a', at: epoch },
      { k: 'a', at: new Date(0) },
    ],
    [
      'in intersections',
      z.intersection(z.object({ a: z.date() }), z.object({ b: z.bigint() })),
      { a: epoch, b: '1' },
      { a: new Date(0), b: 1n },
    ],
    [
      'inside what a codec takes',
      z.codec(z.date(), z.number(), { decode: date => date.getTime(), encode: ms => new Date(ms) }),
      epoch,
      0,
    ],
    ['before a transform', z.date().transform(date => date.getTime()), epoch, 0],
    ["by z.coerce's own reading", z.coerce.date(), 0, new Date(0)],
  ]
  for (const [name, schema, input, expected] of CASES)
    test(`revives ${name}`, () => assert.deepEqual(decode(schema, input), expected))

  test('revives recursive schemas', () => {
    const Tree = z.object({
      at: z.date(),
      get kids() {
        return z.array(Tree).optional()
      },
    })
    assert.deepEqual(decode(Tree, { at: epoch, kids: [{ at: epoch, kids: [] }] }), {
      at: new Date(0),
      kids: [{ at: new Date(0), kids: [] }],
    })
  })
  test('revives components', () => {
    const Stamp = z.object({ at: z.date() }).meta({ id: 'Stamp' })
    assert.deepEqual(decode(z.object({ a: Stamp, b: Stamp }), { a: { at: epoch }, b: { at: epoch } }), {
      a: { at: new Date(0) },
      b: { at: new Date(0) },
    })
  })
  test('leaves the input as it was', () => {
    const input = { at: epoch, list: [epoch] }
    decode(z.object({ at: z.date(), list: z.array(z.date()) }), input)
    assert.deepEqual(input, { at: epoch, list: [epoch] })
  })
  test('runs codecs, and drops what is not declared', () => {
    const Cents = z.codec(z.string(), z.int(), {
      decode: text => Math.round(Number(text) * 100),
      encode: cents => String(cents / 100),
    })
    assert.deepEqual(decode(z.object({ price: Cents }), { price: '19.99', x: 1 }), { price: 1999 })
  })
  test('an asynchronous refinement gives a promise, from the first call on', async () => {
    const decoder = compileBody(
      z.object({ a: z.string().refine(async text => text !== 'taken', 'taken') }),
      'POST / body',
    )
    for (let n = 0; n < 3; n++) {
      const issues: Issue[] = []
      const late = decoder.decode({ a: 'taken' }, issues)
      assert.ok(late instanceof Promise)
      await late
      assert.deepEqual(
        issues.map(issue => issue.loc),
        [['body', 'a']],
      )
    }
  })
  test('what a refinement throws is thrown', () => {
    const decoder = compileBody(
      z.string().refine(() => {
        throw new RangeError('bug')
      }),
      'POST / body',
    )
    assert.throws(() => decoder.decode('x', []), RangeError)
  })
})

describe('compiling', () => {
  test('is left to the first value, and done once for all routes with the schema', async t => {
    // The library itself compiles what it checks schemas by.
    compileBody(Type.String(), 'POST / body')
    const scripts = await countScripts(t)
    const Order = Type.Object({ id: Type.Integer(), note: Type.String({ pattern: '^[a-z]+$' }) })
    const decoders = ['POST /a body', 'POST /b body'].map(where => compileBody(Order, where))
    assert.equal(scripts.generated, 0)
    for (const decoder of decoders) assert.deepEqual(decoder.decode({ id: 1, note: 'a' }, []), { id: 1, note: 'a' })
    assert.equal(scripts.generated, 1)
  })
  test('at start what is wrong is told to every route with the schema', () => {
    const broken: readonly Schema[] = [
      { type: 'object', required: 'id' } as unknown as Schema,
      { type: 'string', pattern: '[' } as Schema,
      { enum: [] },
      z.object({ at: z.map(z.string(), z.string()) }),
    ]
    for (const schema of broken)
      for (const where of ['POST /a', 'POST /b'])
        for (const compile of [
          () => compileBody(schema, where),
          () => compileBody(schema, where, 'fastapi'),
          () => compileFields(schema, 'query', where),
        ])
          assert.throws(
            compile,
            (error: unknown) => error instanceof UsageError && error.message.startsWith(`${where}: `),
          )
  })
  test('one schema read in two places, or by two sets of rules, is read by each in its own way', () => {
    const Ids = z.object({ 'x-ids': z.array(z.int()) })
    const issues: Issue[] = []
    const read = [
      compileFields(Ids, 'query', 'GET /').decode({ 'x-ids': ['1', '2'] }, issues),
      compileFields(Ids, 'header', 'GET /').decode({ 'x-ids': '3' }, issues),
      compileFields(Ids, 'query', 'GET /', 'fastapi').decode({ 'x-ids': '1_0' }, issues),
      compileBody(Ids, 'POST /').decode({ 'x-ids': [4] }, issues),
      compileBody(Ids, 'POST /', 'fastapi').decode({ 'x-ids': ['5'] }, issues),
    ]
    assert.equal(issues.length, 0)
    assert.deepEqual(
      read.map(one => (one as { 'x-ids': number[] })['x-ids']),
      [[1, 2], [3], [10], [4], [5]],
    )
    for (const [place, loc] of [
      ['query', 'query'],
      ['header', 'header'],
    ] as const) {
      compileFields(Ids, place, 'GET /').decode({ 'x-ids': 'x' }, issues)
      assert.equal(issues.pop()!.loc[0], loc)
    }
  })
})

/** Counts what is compiled from a text, as `new Function` does. */
async function countScripts(t: TestContext): Promise<{ readonly generated: number }> {
  const session = new Session()
  session.connect()
  t.after(() => session.disconnect())
  const counted = { generated: 0 }
  await session.post('Debugger.enable')
  session.on('Debugger.scriptParsed', ({ params }) => {
    if (params.url === '') counted.generated++
  })
  return counted
}
