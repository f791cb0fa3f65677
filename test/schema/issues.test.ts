// Every rule that can be broken, by each library that has it: type, place, input, figures, and FastAPI's message.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type as ark } from 'arktype'
import * as v from 'valibot'
import { Type } from 'typebox'
import * as z from 'zod'
import { compileBody } from '../../src/schema/decode.ts'
import { ISSUE_TYPES, fastapiIssue } from '../../src/schema/fastapi-issues.ts'
import type { Issue } from '../../src/schema/issue.ts'
import type { Schema } from '../../src/schema/schema.ts'

function issuesOf(schema: Schema, input: unknown): Issue[] {
  const issues: Issue[] = []
  const value = compileBody(schema, 'POST / body').decode(input, issues)
  assert.ok(!(value instanceof Promise))
  return issues
}

/** One field `a`, one value, one issue at it. */
type Case = readonly [
  schema: z.ZodType,
  json: object | undefined,
  value: unknown,
  type: string,
  message: string,
  ctx?: Record<string, unknown>,
]
const s = (rules: object = {}) => ({ type: 'string', ...rules })
const n = (rules: object = {}) => ({ type: 'number', ...rules })
const CASES: readonly Case[] = [
  [z.string(), s(), 5, 'string_type', 'Input should be a valid string'],
  [z.string(), s(), null, 'string_type', 'Input should be a valid string'],
  [z.number(), n(), [], 'float_type', 'Input should be a valid number'],
  [z.int(), { type: 'integer' }, [], 'int_type', 'Input should be a valid integer'],
  [z.number().int().positive(), undefined, [], 'int_type', 'Input should be a valid integer'],
  [
    z.int(),
    { type: 'integer' },
    1.5,
    'int_from_float',
    'Input should be a valid integer, got a number with a fractional part',
  ],
  [
    z.int(),
    undefined,
    2 ** 60,
    'less_than_equal',
    'Input should be less than or equal to 9007199254740991',
    { le: 9007199254740991 },
  ],
  [z.boolean(), { type: 'boolean' }, [], 'bool_type', 'Input should be a valid boolean'],
  [z.null(), { type: 'null' }, 1, 'none_required', 'Input should be None'],
  [z.array(z.int()), { type: 'array' }, {}, 'list_type', 'Input should be a valid list'],
  [z.tuple([z.int()]), undefined, {}, 'tuple_type', 'Input should be a valid tuple'],
  [z.set(z.int()), undefined, 5, 'set_type', 'Input should be a valid set'],
  [
    z.object({}),
    { type: 'object' },
    5,
    'model_attributes_type',
    'Input should be a valid dictionary or object to extract fields from',
  ],
  [z.record(z.string(), z.int()), undefined, 5, 'dict_type', 'Input should be a valid dictionary'],
  [z.date(), undefined, 5, 'datetime_type', 'Input should be a valid datetime'],
  [
    z.date(),
    undefined,
    'noon',
    'datetime_from_date_parsing',
    'Input should be a valid datetime or date, not an ISO 8601 date-time',
    { error: 'not an ISO 8601 date-time' },
  ],
  [
    z.date().min(new Date(0)),
    undefined,
    '1960-01-01T00:00:00Z',
    'greater_than_equal',
    'Input should be greater than or equal to 1970-01-01T00:00:00Z',
    { ge: '1970-01-01T00:00:00Z' },
  ],
  [z.bigint(), undefined, 'x', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
  [z.bigint().min(3n), undefined, '1', 'greater_than_equal', 'Input should be greater than or equal to 3', { ge: '3' }],
  [z.number().gt(3), n({ exclusiveMinimum: 3 }), 3, 'greater_than', 'Input should be greater than 3', { gt: 3 }],
  [
    z.number().min(3),
    n({ minimum: 3 }),
    2,
    'greater_than_equal',
    'Input should be greater than or equal to 3',
    { ge: 3 },
  ],
  [z.number().lt(3), n({ exclusiveMaximum: 3 }), 3, 'less_than', 'Input should be less than 3', { lt: 3 }],
  [z.number().max(3), n({ maximum: 3 }), 4, 'less_than_equal', 'Input should be less than or equal to 3', { le: 3 }],
  [
    z.number().multipleOf(2),
    n({ multipleOf: 2 }),
    3,
    'multiple_of',
    'Input should be a multiple of 2',
    { multiple_of: 2 },
  ],
  [
    z.string().min(1),
    s({ minLength: 1 }),
    '',
    'string_too_short',
    'String should have at least 1 character',
    { min_length: 1 },
  ],
  [
    z.string().min(3),
    s({ minLength: 3 }),
    'ab',
    'string_too_short',
    'String should have at least 3 characters',
    { min_length: 3 },
  ],
  [
    z.string().max(2),
    s({ maxLength: 2 }),
    'abc',
    'string_too_long',
    'String should have at most 2 characters',
    { max_length: 2 },
  ],
  [
    z.string().length(3),
    undefined,
    'ab',
    'string_too_short',
    'String should have at least 3 characters',
    { min_length: 3 },
  ],
  [
    z.string().regex(/^a/),
    s({ pattern: '^a' }),
    'b',
    'string_pattern_mismatch',
    "String should match pattern '^a'",
    { pattern: '^a' },
  ],
  [
    z.string().startsWith('a.b'),
    undefined,
    'b',
    'string_pattern_mismatch',
    "String should match pattern '^a\\.b'",
    { pattern: '^a\\.b' },
  ],
  [
    z.string().endsWith('b'),
    undefined,
    'x',
    'string_pattern_mismatch',
    "String should match pattern 'b$'",
    { pattern: 'b$' },
  ],
  [
    z.string().includes('b'),
    undefined,
    'x',
    'string_pattern_mismatch',
    "String should match pattern 'b'",
    { pattern: 'b' },
  ],
  [
    z.array(z.int()).min(2),
    { type: 'array', minItems: 2 },
    [1],
    'too_short',
    'List should have at least 2 items after validation, not 1',
    { field_type: 'List', min_length: 2, actual_length: 1 },
  ],
  [
    z.array(z.int()).max(1),
    { type: 'array', maxItems: 1 },
    [1, 2],
    'too_long',
    'List should have at most 1 item after validation, not 2',
    { field_type: 'List', max_length: 1, actual_length: 2 },
  ],
  [
    z.set(z.int()).min(2),
    undefined,
    [1],
    'too_short',
    'Set should have at least 2 items after validation, not 1',
    { field_type: 'Set', min_length: 2, actual_length: 1 },
  ],
  [
    z.enum(['a', 'b', 'c']),
    { enum: ['a', 'b', 'c'] },
    'd',
    'enum',
    "Input should be 'a', 'b' or 'c'",
    { expected: "'a', 'b' or 'c'" },
  ],
  [z.literal('a'), { const: 'a' }, 'd', 'literal_error', "Input should be 'a'", { expected: "'a'" }],
  [
    z.literal(['a', 1, true, null]),
    undefined,
    'd',
    'literal_error',
    "Input should be 'a', 1, True or None",
    { expected: "'a', 1, True or None" },
  ],
  [
    z.uuid(),
    s({ format: 'uuid' }),
    'x',
    'uuid_parsing',
    'Input should be a valid UUID, not in the form of a UUID',
    { error: 'not in the form of a UUID' },
  ],
  [
    z.url(),
    s({ format: 'uri' }),
    'x',
    'url_parsing',
    'Input should be a valid URL, not an absolute URL',
    { error: 'not an absolute URL' },
  ],
  [
    z.iso.datetime(),
    s({ format: 'date-time' }),
    'x',
    'datetime_from_date_parsing',
    'Input should be a valid datetime or date, not an ISO 8601 date-time',
    { error: 'not an ISO 8601 date-time' },
  ],
  [
    z.iso.date(),
    s({ format: 'date' }),
    'x',
    'date_from_datetime_parsing',
    'Input should be a valid date or datetime, not an ISO 8601 date',
    { error: 'not an ISO 8601 date' },
  ],
  [
    z.iso.time(),
    s({ format: 'time' }),
    'x',
    'time_parsing',
    'Input should be in a valid time format, not an ISO 8601 time',
    { error: 'not an ISO 8601 time' },
  ],
  [
    z.iso.duration(),
    s({ format: 'duration' }),
    'x',
    'time_delta_parsing',
    'Input should be a valid timedelta, not an ISO 8601 duration',
    { error: 'not an ISO 8601 duration' },
  ],
  [z.email(), undefined, 'x', 'value_error', 'Value error, Invalid email address', { error: {} }],
  [z.int().refine(() => false, 'must be odd'), undefined, 2, 'value_error', 'Value error, must be odd', { error: {} }],
  [
    z.string().transform((text, c) => (c.addIssue('no such thing'), text)),
    undefined,
    'x',
    'value_error',
    'Value error, no such thing',
    { error: {} },
  ],
]

describe('one broken rule', () => {
  for (const [zod, json, value, type, message, ctx] of CASES) {
    const schemas: [string, Schema][] = [['zod', z.object({ a: zod })]]
    if (json) schemas.push(['json schema', { type: 'object', properties: { a: json }, required: ['a'] }])
    for (const [kind, schema] of schemas)
      test(`${kind}: ${JSON.stringify(value)} is ${type}: ${message}`, () => {
        const [issue, ...more] = issuesOf(schema, { a: value })
        assert.deepEqual(more, [])
        const expected = { type, loc: ['body', 'a'], msg: message, input: value }
        assert.deepEqual(fastapiIssue(issue!), ctx ? { ...expected, ctx } : expected)
        assert.equal(typeof issue!.msg, 'string')
        assert.doesNotThrow(() => JSON.stringify(issue))
      })
  }
  test('every type that issues can have is in the table of messages', () => {
    for (const [, , , type] of CASES) assert.ok(ISSUE_TYPES.includes(type), type)
  })
})

const summary = (issues: Issue[]) => issues.map(({ type, loc }) => `${type} ${loc.join('.')}`)

describe('issues of bodies', () => {
  const Line = z.strictObject({ product: z.int(), quantity: z.int().min(1) })
  const Order = z.object({ items: z.array(Line).min(1), note: z.string().optional() })
  const OrderJson = {
    type: 'object',
    properties: {
      items: {
        type: 'array',
        items: {
          type: 'object',
          properties: { product: { type: 'integer' }, quantity: { type: 'integer', minimum: 1 } },
          required: ['product', 'quantity'],
          additionalProperties: false,
        },
      },
    },
    required: ['items'],
  }
  for (const [kind, schema] of [
    ['zod', Order],
    ['json schema', OrderJson],
  ] as const) {
    test(`${kind}: a missing key is told with the object that lacks it`, () => {
      const [issue] = issuesOf(schema, { items: [{ product: 1 }] })
      assert.deepEqual(issue, {
        type: 'missing',
        loc: ['body', 'items', 0, 'quantity'],
        msg: 'Field required',
        input: { product: 1 },
      })
    })
    test(`${kind}: every undeclared key of a strict object is its own issue`, () => {
      const issues = issuesOf(schema, { items: [{ product: 1, quantity: 1, x: 'y', z: null }] })
      assert.deepEqual(issues, [
        { type: 'extra_forbidden', loc: ['body', 'items', 0, 'x'], msg: 'Extra inputs are not permitted', input: 'y' },
        { type: 'extra_forbidden', loc: ['body', 'items', 0, 'z'], msg: 'Extra inputs are not permitted', input: null },
      ])
    })
    test(`${kind}: all issues are told at once`, () => {
      const issues = issuesOf(schema, { items: [{ product: 'x', quantity: 0 }, 5] })
      assert.deepEqual(summary(issues).sort(), [
        'greater_than_equal body.items.0.quantity',
        'int_type body.items.0.product',
        'model_attributes_type body.items.1',
      ])
    })
    for (const nothing of [undefined, null])
      test(`${kind}: ${String(nothing)} for a required body is missing`, () => {
        assert.deepEqual(issuesOf(schema, nothing), [
          { type: 'missing', loc: ['body'], msg: 'Field required', input: null },
        ])
      })
    test(`${kind}: digits are an index in a list and a key in an object`, () => {
      const record =
        kind === 'zod' ? z.record(z.string(), z.int()) : { type: 'object', additionalProperties: { type: 'integer' } }
      assert.deepEqual(issuesOf(record, { 0: 'x' })[0]?.loc, ['body', '0'])
    })
  }

  test('a message of the application’s own is told of what is missing, too', () => {
    const schema = z.object({ a: z.string({ error: 'A name, please' }), b: z.int('A number, please') })
    const issues = issuesOf(schema, { b: 'x' })
    assert.deepEqual(
      issues.map(({ type, msg }) => [type, msg]),
      [
        ['missing', 'A name, please'],
        ['int_type', 'A number, please'],
      ],
    )
    assert.equal((fastapiIssue(issues[0]!) as { msg: string }).msg, 'Field required')
  })
  test('an optional body may be absent', () => {
    assert.deepEqual(issuesOf(Order.optional(), undefined), [])
    assert.deepEqual(issuesOf(Order.nullable(), null), [])
  })
  test('what is wrong with a key stands one step below it', () => {
    assert.deepEqual(issuesOf(z.record(z.string().min(3), z.int()), { ab: 1 }).map(fastapiIssue), [
      {
        type: 'string_too_short',
        loc: ['body', 'ab', '[key]'],
        msg: 'String should have at least 3 characters',
        input: 'ab',
        ctx: { min_length: 3 },
      },
    ])
  })
  test('what was revived is told as it came', () => {
    const [issue] = issuesOf(z.object({ at: z.array(z.date().max(new Date(0))) }), { at: ['2020-01-01T00:00:00Z'] })
    assert.deepEqual([issue?.loc, issue?.input], [['body', 'at', 0], '2020-01-01T00:00:00Z'])
  })
})

describe('plain JSON Schema', () => {
  test('fills in defaults, and looks at own keys only', () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'integer', default: 5 }, constructor: { type: 'string' } },
      required: ['constructor'],
    }
    const decoder = compileBody(schema, 'POST / body')
    assert.deepEqual(decoder.decode({ constructor: 'x' }, []), { n: 5, constructor: 'x' })
    assert.deepEqual(summary(issuesOf(schema, {})), ['missing body.constructor'])
  })
  test('refers to its parts, and is refused at start-up when it is not one', () => {
    const schema = {
      $defs: { P: { type: 'integer', minimum: 2 } },
      type: 'object',
      properties: { a: { $ref: '#/$defs/P' } },
    }
    assert.deepEqual(summary(issuesOf(schema, { a: 1 })), ['greater_than_equal body.a'])
    assert.throws(
      () => compileBody({ type: 'object', required: 'a' } as unknown as Schema, 'POST / body'),
      /^UsageError: POST \/ body: not a valid JSON Schema/,
    )
  })
})

describe('issues of unions', () => {
  const Shape = z.union([
    z.object({ kind: z.literal('a'), n: z.int() }),
    z.object({ kind: z.literal('b'), s: z.string() }),
  ])
  const Tagged = z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), n: z.int() }),
    z.object({ kind: z.literal('b') }),
  ])

  test('the member whose literals fit is told', () => {
    assert.deepEqual(summary(issuesOf(Shape, { kind: 'b', s: 5 })), ['string_type body.s'])
    assert.deepEqual(summary(issuesOf(Shape, { kind: 'a' })), ['missing body.n'])
  })
  test('where no member takes the type, each is told', () => {
    assert.deepEqual(summary(issuesOf(z.object({ a: z.union([z.string(), z.boolean()]) }), { a: 5 })), [
      'string_type body.a',
      'bool_type body.a',
    ])
  })
  test('a tag that no member has, and one that is not there', () => {
    const [wrong] = issuesOf(Tagged, { kind: 'c' })
    assert.deepEqual(fastapiIssue(wrong!), {
      type: 'union_tag_invalid',
      loc: ['body'],
      msg: "Input tag 'c' found using 'kind' does not match any of the expected tags: 'a', 'b'",
      input: { kind: 'c' },
      ctx: { discriminator: "'kind'", tag: 'c', expected_tags: "'a', 'b'" },
    })
    const [absent] = issuesOf(z.object({ x: Tagged }), { x: {} })
    assert.deepEqual(fastapiIssue(absent!), {
      type: 'union_tag_not_found',
      loc: ['body', 'x'],
      msg: "Unable to extract tag using discriminator 'kind'",
      input: {},
      ctx: { discriminator: "'kind'" },
    })
  })
  test('json schema: a union of literals is an enumeration, a union of objects tells the one that fits best', () => {
    const Json = Type.Object({
      k: Type.Union([Type.Literal('a'), Type.Literal('b')]),
      o: Type.Union([Type.Object({ t: Type.Literal('x'), n: Type.Integer() }), Type.Null()]),
    })
    const [first, ...rest] = issuesOf(Json, { k: 'c', o: { t: 'x', n: 'y' } })
    assert.deepEqual([first?.type, first?.ctx], ['literal_error', { expected: "'a' or 'b'" }])
    assert.deepEqual(summary(rest), ['int_type body.o.n'])
  })
})

describe('issues of other libraries', () => {
  test('ArkType', () => {
    assert.deepEqual(summary(issuesOf(ark({ n: 'number>3', s: 'string' }), { n: 'x' })).sort(), [
      'float_type body.n',
      'missing body.s',
    ])
    assert.deepEqual(summary(issuesOf(ark({ n: 'number>3' }), { n: 2 })), ['value_error body.n'])
  })
  test('Valibot', () => {
    const schema = v.object({ n: v.pipe(v.number(), v.minValue(3)), s: v.string() })
    assert.deepEqual(summary(issuesOf(schema, { n: 'x' })).sort(), ['float_type body.n', 'missing body.s'])
    const [issue] = issuesOf(schema, { n: 2, s: '' })
    assert.equal(issue?.type, 'value_error')
    assert.match(issue?.msg ?? '', /Expected >=3/)
  })
})

describe("Zod's compiled parser", () => {
  test('takes over for a schema in use, with the same outputs and the same issues', () => {
    const schema = z.object({ n: z.int().min(1).default(3), items: z.array(z.strictObject({ a: z.string() })) })
    const decoder = compileBody(schema, 'POST / body')
    const run = (input: unknown) => {
      const issues: Issue[] = []
      return { value: decoder.decode(input, issues), issues }
    }
    const inputs = [{ items: [{ a: 'x' }], other: 1 }, { n: 0, items: [{ a: 'x', b: 1 }] }, { n: 'x' }, 5]
    const before = inputs.map(run)
    for (let n = 0; n < 200; n++) run(inputs[0])
    assert.deepEqual(inputs.map(run), before)
  })
})
