import assert from 'node:assert/strict'
import { describe as suite, test } from 'node:test'
import { Type as Type0 } from '@sinclair/typebox'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormatsModule from 'ajv-formats'
import { type as ark } from 'arktype'
import fc from 'fast-check'
import { Type } from 'typebox'
import * as v from 'valibot'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { UsageError } from '../../src/core/error.ts'
import { type Node, resolve } from '../../src/schema/described.ts'
import { type Described, describe } from '../../src/schema/json-schema.ts'
import type { Schema } from '../../src/schema/schema.ts'
import { compileResponse } from '../../src/schema/serialize.ts'
import { kind } from './zod-kinds.ts'

const addFormats = addFormatsModule as unknown as (ajv: Ajv2020) => void
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

/** A validator for what was described, strict about keywords: a typing error in one must not pass. */
function validator({ schema, components }: Described): (value: unknown) => boolean {
  const ajv = new Ajv2020({
    strictSchema: true,
    strictTypes: false,
    strictTuples: false,
    allowUnionTypes: true,
    validateFormats: true,
    ownProperties: true,
  })
  addFormats(ajv)
  ajv.addVocabulary(['components', 'discriminator', 'example'])
  return ajv.compile({ ...schema, components: { schemas: components } })
}

/** Past the name that it has in the document. */
function whole({ schema, components }: Described): Node {
  return resolve(schema, components)
}

/** What Zod says of every integer: that a number holds it exactly. */
const INTEGER = { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }

suite('describing Zod', () => {
  test('what leaves fits its description, for any schema and value', () => {
    fc.assert(
      fc.property(
        kind.chain(of => of.value.map(value => ({ of, value }))),
        ({ of, value }) => {
          const described = describe(of.schema, 'output', 'x')
          const text = compileResponse(of.schema, 'x').encode(value)
          assert.ok(validator(described)(JSON.parse(text)), `${text} does not fit ${JSON.stringify(described)}`)
        },
      ),
      { numRuns: 60 },
    )
  })

  const CASES: readonly [string, z.ZodType, unknown][] = [
    ['string', z.string().min(1).max(3), { type: 'string', minLength: 1, maxLength: 3 }],
    ['int, within what a number holds exactly', z.int(), INTEGER],
    ['int with bounds', z.int().min(1).max(5), { type: 'integer', minimum: 1, maximum: 5 }],
    ['int beside other types', z.union([z.int(), z.string()]), { anyOf: [INTEGER, { type: 'string' }] }],
    ['int beside number', z.union([z.int(), z.number()]), { anyOf: [INTEGER, { type: 'number' }] }],
    ['number', z.number().gt(0).multipleOf(0.5), { type: 'number', exclusiveMinimum: 0, multipleOf: 0.5 }],
    ['boolean', z.boolean(), { type: 'boolean' }],
    ['enum', z.enum(['a', 'b']), { type: 'string', enum: ['a', 'b'] }],
    ['literal', z.literal(5), { type: 'number', const: 5 }],
    ['null', z.null(), { type: 'null' }],
    ['unknown', z.unknown(), {}],
    ['never', z.never(), { not: {} }],
    ['date', z.date(), { type: 'string', format: 'date-time' }],
    ['bigint', z.bigint(), { type: 'string', pattern: '^-?\\d+$' }],
    [
      'set of several, which repeats do not make',
      z.set(z.string()).min(2),
      { type: 'array', items: { type: 'string' }, uniqueItems: true, minItems: 2 },
    ],
    ['file', z.file(), { type: 'string', format: 'binary', contentEncoding: 'binary' }],
    ['array', z.array(z.boolean()).length(2), { type: 'array', items: { type: 'boolean' }, minItems: 2, maxItems: 2 }],
    [
      'tuple',
      z.tuple([z.boolean(), z.boolean().optional()]),
      {
        type: 'array',
        prefixItems: [{ type: 'boolean' }, { type: 'boolean' }],
        items: false,
        minItems: 1,
        maxItems: 2,
      },
    ],
    [
      'tuple with rest',
      z.tuple([z.boolean()], z.null()),
      { type: 'array', prefixItems: [{ type: 'boolean' }], items: { type: 'null' }, minItems: 1 },
    ],
    ['record', z.record(z.string(), z.boolean()), { type: 'object', additionalProperties: { type: 'boolean' } }],
    [
      'record of an enum',
      z.record(z.enum(['a', 'b']), z.boolean()),
      {
        type: 'object',
        propertyNames: { type: 'string', enum: ['a', 'b'] },
        additionalProperties: { type: 'boolean' },
        required: ['a', 'b'],
      },
    ],
    ['nullable', z.string().min(1).nullable(), { type: ['string', 'null'], minLength: 1 }],
    ['nullable enum', z.enum(['a']).nullable(), { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }] }],
    ['union of bare types', z.union([z.string(), z.boolean()]), { type: ['string', 'boolean'] }],
    ['union with undefined', z.union([z.string(), z.undefined()]), { type: 'string' }],
    [
      'union',
      z.union([z.string().min(1), z.boolean()]),
      { anyOf: [{ type: 'string', minLength: 1 }, { type: 'boolean' }] },
    ],
    [
      'strict object',
      z.strictObject({ a: z.null() }),
      { type: 'object', properties: { a: { type: 'null' } }, required: ['a'], additionalProperties: false },
    ],
    [
      'loose object',
      z.looseObject({ a: z.null() }),
      { type: 'object', properties: { a: { type: 'null' } }, required: ['a'], additionalProperties: {} },
    ],
    [
      'intersection',
      z.intersection(z.strictObject({ a: z.null() }), z.strictObject({ b: z.null() })),
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'null' } }, required: ['a'] },
          { type: 'object', properties: { b: { type: 'null' } }, required: ['b'] },
        ],
        unevaluatedProperties: false,
      },
    ],
    [
      'meta',
      z.string().meta({ title: 'T', description: 'D', examples: ['a'], deprecated: true }),
      { type: 'string', title: 'T', description: 'D', examples: ['a'], deprecated: true },
    ],
    [
      'custom with its own JSON Schema',
      z.custom<string>().meta({ type: 'string', format: 'ipv4' }),
      { type: 'string', format: 'ipv4' },
    ],
    ['readonly, catch, lazy', z.lazy(() => z.boolean().catch(true).readonly()), { type: 'boolean' }],
    [
      'mini',
      mini.object({ n: mini.optional(mini.number()) }) as unknown as z.ZodType,
      { type: 'object', properties: { n: { type: 'number' } } },
    ],
  ]
  for (const [name, schema, expected] of CASES)
    test(name, () => {
      for (const direction of ['input', 'output'] as const) {
        const described = describe(schema, direction, 'x')
        assert.deepEqual(plain(described.schema), expected)
        validator(described)
      }
    })

  // They are not converted by Zod's toJSONSchema but by its first half.
  test('leaves are described as Zod describes them', () => {
    const leaves: readonly z.core.$ZodType[] = [
      z.string().min(1).max(9).regex(/^a/).regex(/z$/).startsWith('a').lowercase(),
      z.string().length(3).trim().describe('with a parent'),
      z.email().min(6),
      z.uuid(),
      z.url(),
      z.base64(),
      z.base64url().max(8),
      z.iso.datetime(),
      z.iso.date(),
      z.iso.duration(),
      z.ipv4(),
      z.cidrv6(),
      z.jwt(),
      z.number().gt(1).lte(5).multipleOf(0.5).multipleOf(0.25),
      z.number().min(-Infinity),
      z.int32().positive().max(7),
      z.float64(),
      z.boolean().meta({ id: 'ignored by both' }),
      z.null(),
      z.any(),
      z.unknown(),
      z.never(),
      z.literal(['a', 1, true, null]),
      z.literal([]),
      z.enum(['a', 'b']),
      z.enum({ One: 1, Two: 2, Three: 'three' }),
      z.file().min(1).mime(['text/plain', 'image/png']),
      z.templateLiteral(['id-', z.int()]),
      mini.string().check(mini.minLength(2)),
    ]
    const metadata = z.registry<object>()
    for (const leaf of leaves)
      for (const io of ['input', 'output'] as const) {
        const { $schema: _, ...expected } = z.core.toJSONSchema(leaf, { io, metadata })
        const { description: __, ...described } = whole(describe(leaf, io, 'x'))
        assert.deepEqual(plain(described), plain(expected))
      }
  })

  const Code = z.codec(z.string().min(1), z.int(), { decode: text => text.length, encode: n => 'x'.repeat(n) })
  const DIRECTIONS: readonly [string, z.ZodType, input: unknown, output: unknown][] = [
    [
      'set, whose items may be sent twice',
      z.set(z.string()).min(1),
      { type: 'array', items: { type: 'string' }, minItems: 1 },
      { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
    ],
    [
      'set of objects, where two may be equal',
      z.set(z.object({})).min(2),
      { type: 'array', items: { type: 'object', properties: {} }, minItems: 2 },
      { type: 'array', items: { type: 'object', properties: {} }, minItems: 2 },
    ],
    ['default', z.int().default(1), { ...INTEGER, default: 1 }, INTEGER],
    [
      'default made by a function',
      z.string().default(() => String(Math.random())),
      { type: 'string' },
      { type: 'string' },
    ],
    [
      'object with a default',
      z.object({ a: z.int().default(1) }),
      { type: 'object', properties: { a: { ...INTEGER, default: 1 } } },
      { type: 'object', properties: { a: INTEGER }, required: ['a'] },
    ],
    [
      'codec',
      z.object({ a: Code }),
      { type: 'object', properties: { a: { type: 'string', minLength: 1 } }, required: ['a'] },
      { type: 'object', properties: { a: { type: 'string', minLength: 1 } }, required: ['a'] },
    ],
    [
      'codec with a default',
      z.object({ a: Code.default(3) }),
      { type: 'object', properties: { a: { type: 'string', minLength: 1 } } },
      { type: 'object', properties: { a: { type: 'string', minLength: 1 } }, required: ['a'] },
    ],
    ['pipe', z.string().pipe(z.enum(['a'])), { type: 'string' }, { type: 'string', enum: ['a'] }],
  ]
  for (const [name, schema, input, output] of DIRECTIONS)
    test(`${name}: input and output`, () => {
      assert.deepEqual(plain(describe(schema, 'input', 'x').schema), input)
      assert.deepEqual(plain(describe(schema, 'output', 'x').schema), output)
    })
  test('one-way transforms describe what they take', () => {
    assert.deepEqual(plain(describe(z.string().transform(Number), 'input', 'x').schema), { type: 'string' })
    assert.deepEqual(
      plain(
        describe(
          z.preprocess(x => x, z.boolean()),
          'input',
          'x',
        ).schema,
      ),
      { type: 'boolean' },
    )
  })

  const Product = z.object({ id: z.int() }).meta({ id: 'Product', description: 'For sale' })
  test('schemas with an id are components, at the root and inside', () => {
    const ref = { $ref: '#/components/schemas/Product' }
    const Product1 = {
      type: 'object',
      properties: { id: INTEGER },
      required: ['id'],
      description: 'For sale',
    }
    assert.deepEqual(plain(describe(Product, 'input', 'x')), { schema: ref, components: { Product: Product1 } })
    assert.deepEqual(
      plain(describe(z.object({ a: z.array(Product), b: Product.nullable(), c: Product.optional() }), 'output', 'x')),
      {
        schema: {
          type: 'object',
          properties: { a: { type: 'array', items: ref }, b: { anyOf: [ref, { type: 'null' }] }, c: ref },
          required: ['a', 'b'],
        },
        components: { Product: Product1 },
      },
    )
  })
  test('a description added to a schema with an id stands beside the reference', () => {
    assert.deepEqual(plain(describe(Product.describe('Another'), 'input', 'x').schema), {
      description: 'Another',
      $ref: '#/components/schemas/Product',
    })
  })
  test('a union told apart by a tag names it where its members are components', () => {
    const A = z.object({ k: z.literal('a') }).meta({ id: 'A' })
    const B = z.object({ k: z.enum(['b', 'c']) }).meta({ id: 'B' })
    assert.deepEqual(plain(describe(z.discriminatedUnion('k', [A, B]), 'input', 'x').schema), {
      oneOf: [{ $ref: '#/components/schemas/A' }, { $ref: '#/components/schemas/B' }],
      discriminator: {
        propertyName: 'k',
        mapping: { a: '#/components/schemas/A', b: '#/components/schemas/B', c: '#/components/schemas/B' },
      },
    })
  })
  test('two different schemas of one id are refused', () => {
    const other = z.object({ x: z.string() })
    z.globalRegistry.add(other, { id: 'Twice' })
    const another = z.object({ y: z.string() })
    z.globalRegistry.remove(other)
    const both = z.object({ a: other.meta({ id: 'Twice' }), b: another.meta({ id: 'Also' }) })
    assert.doesNotThrow(() => describe(both, 'input', 'x'))
    assert.throws(
      () =>
        describe(
          z.object({ a: z.string().meta({ id: 'Same one' }), b: z.int().meta({ id: 'Same_one' }) }),
          'input',
          'GET /x query',
        ),
      /GET \/x query: two different schemas have the id "Same_one"/,
    )
  })
  test('recursive schemas, with and without an id', () => {
    const Named = z
      .object({
        n: z.int(),
        get kids() {
          return z.array(Named).optional()
        },
      })
      .meta({ id: 'Named' })
    const Bare = z.object({
      n: z.int(),
      get next(): z.ZodOptional<typeof Bare> {
        return Bare.optional()
      },
    })
    for (const [schema, name] of [
      [Bare, 'Recursive'],
      [z.json(), 'Recursive'],
    ] as const) {
      const described = describe(schema, 'input', 'x')
      assert.deepEqual(described.schema, { $ref: `#/components/schemas/${name}` })
      assert.ok(validator(described)({ n: 1, next: { n: 2 } }))
    }
    const described = describe(Named, 'output', 'x')
    assert.ok(Object.hasOwn(described.components, 'Named'))
    assert.ok(validator(described)({ n: 1, kids: [{ n: 2 }] }))
    assert.ok(!validator(describe(Bare, 'input', 'x'))({ n: 1, next: { n: 'x' } }))
  })

  for (const [name, schema, place] of [
    ['custom', z.object({ a: z.custom() }), 'a: z.custom()'],
    ['instanceof', z.array(z.instanceof(URL)), '[]: z.custom()'],
    ['symbol', z.object({ a: z.object({ b: z.symbol() }) }), 'a.b: z.symbol()'],
    ['nan', z.record(z.string(), z.nan()), '*: z.nan()'],
    ['map', z.tuple([z.map(z.string(), z.string())]), '0: a Map'],
    ['promise', z.object({ a: z.union([z.string(), z.promise(z.string())]) }), 'a|1: z.promise()'],
    ['bigint literal', z.object({ a: z.literal(5n) }), 'a: '],
  ] as const)
    test(`${name} is refused, naming route and place`, () => {
      assert.throws(
        () => describe(schema, 'input', 'POST /orders body'),
        (error: unknown) => {
          assert.ok(error instanceof UsageError)
          assert.equal(error.code, 'SCHEMA_NOT_DESCRIBABLE')
          assert.ok(
            error.message.startsWith(`POST /orders body: the schema cannot be described at ${place}`),
            error.message,
          )
          return true
        },
      )
    })
})

suite('describing JSON Schema and TypeBox', () => {
  test('a plain schema stays as it is', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: ['string', 'null'], format: 'email', 'x-any': 1 } },
      required: ['a'],
      additionalProperties: false,
    }
    assert.deepEqual(describe(schema, 'input', 'x'), { schema, components: {} })
  })
  test('$defs, definitions, $id and # become components and references to them', () => {
    const schema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        a: { $ref: '#/$defs/Part' },
        b: { $ref: 'https://x.example/Deep.json' },
        c: { $ref: '#' },
        d: { $ref: '#/definitions/O~1ld' },
      },
      $defs: {
        Part: { type: 'string' },
        Unused: { type: 'null' },
        Holder: { $id: 'https://x.example/Deep.json', type: 'integer' },
      },
      definitions: { 'O/ld': { type: 'boolean' } },
    }
    const described = describe(schema, 'input', 'x')
    assert.deepEqual(Object.keys(described.components).sort(), ['Deep', 'O_ld', 'Part', 'Recursive'])
    const fits = validator(described)
    assert.ok(fits({ a: 'x', b: 1, d: true, c: { a: 'y', c: {} } }))
    assert.ok(!fits({ c: { c: { b: 'x' } } }))
    assert.ok(!JSON.stringify(described).includes('$defs'))
  })
  test('TypeBox 1 and 0.34, recursive and with an id', () => {
    const cyclic = Type.Cyclic({ Node: Type.Object({ id: Type.String(), kids: Type.Array(Type.Ref('Node')) }) }, 'Node')
    const recursive = Type0.Recursive(This => Type0.Object({ id: Type0.String(), kids: Type0.Array(This) }), {
      $id: 'Node',
    })
    for (const schema of [cyclic, recursive] as Schema[]) {
      const described = describe(schema, 'output', 'x')
      assert.deepEqual(Object.keys(described.components), ['Node'])
      assert.ok(validator(described)({ id: 'a', kids: [{ id: 'b', kids: [] }] }))
      assert.ok(!validator(described)({ id: 'a', kids: [{ id: 5, kids: [] }] }))
      assert.equal(
        compileResponse(schema, 'x').encode({ id: 'a', x: 1, kids: [{ id: 'b', y: 1, kids: [] }] }),
        '{"id":"a","kids":[{"id":"b","kids":[]}]}',
      )
    }
  })
  for (const [name, schema, message] of [
    ['a type that JSON has not', Type0.Object({ a: Type0.Date() }), /at \/properties\/a: type "Date" has no JSON form/],
    ['a bigint of TypeBox 1', Type.Object({ a: Type.BigInt() }), /type "bigint" has no JSON form/],
    [
      'a transform of TypeBox',
      Type0.Transform(Type0.String()).Decode(Number).Encode(String),
      /transforms and refinements/,
    ],
    ['a codec of TypeBox', Type.Codec(Type.String()).Decode(Number).Encode(String), /transforms and refinements/],
    ['a reference to nothing', { $ref: '#/$defs/Nope' }, /refers to nothing/],
    ['a reference elsewhere', { properties: { a: { $ref: 'https://elsewhere.example/x.json' } } }, /refers to nothing/],
    ['items as a list', { type: 'array', items: [{ type: 'string' }] }, /use "prefixItems"/],
    ['what ajv would answer with a promise', { $async: true, type: 'object' }, /\$async is no keyword/],
    ['what is no schema', 5, /not a schema/],
  ] as const)
    test(`${name} is refused`, () => {
      assert.throws(
        () => describe(schema as Schema, 'input', 'GET /x query'),
        (error: unknown) =>
          error instanceof UsageError && message.test(error.message) && error.message.startsWith('GET /x query: '),
      )
    })
})

suite('describing any Standard Schema', () => {
  test('ArkType tells its JSON Schema', () => {
    assert.deepEqual(describe(ark({ n: 'number>0', 's?': 'string' }), 'input', 'x').schema, {
      type: 'object',
      properties: { n: { type: 'number', exclusiveMinimum: 0 }, s: { type: 'string' } },
      required: ['n'],
    })
  })
  test('one that tells none is anything', () => {
    assert.deepEqual(describe(v.object({ n: v.number() }), 'input', 'x'), { schema: {}, components: {} })
  })
})
