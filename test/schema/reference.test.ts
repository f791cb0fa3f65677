// docs/reference/schemas.md is printed from what is here; the rows of its tables are checked as they are printed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { compileBody, compileFields, type Reading } from '../../src/schema/decode.ts'
import { ISSUE_TYPES, MESSAGES } from '../../src/schema/fastapi-issues.ts'
import type { Issue } from '../../src/schema/issue.ts'
import { describe as describeSchema } from '../../src/schema/json-schema.ts'
import { compileResponse } from '../../src/schema/serialize.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/reference/schemas.md'), 'utf8')

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function printed(expected: string): void {
  if (!page.includes(expected))
    assert.fail(`docs/reference/schemas.md lacks this table; put it there:\n\n${expected}\n`)
}

const code = (text: string) => `\`${text}\``

interface Kind {
  readonly code: string
  readonly schema: z.ZodType
  /** On the wire, as JSON. */
  readonly wire: unknown
  /** In the handler, as it prints. */
  readonly held: string
  readonly print?: (value: never) => string
  readonly document: object
}
const KINDS: readonly Kind[] = [
  {
    code: 'z.date()',
    schema: z.date(),
    wire: '2026-11-26T10:00:00.000Z',
    held: 'Date',
    document: { type: 'string', format: 'date-time' },
  },
  {
    code: 'z.bigint()',
    schema: z.bigint(),
    wire: '9007199254740993',
    held: 'bigint',
    document: { type: 'string', pattern: '^-?\\d+$' },
  },
  {
    code: 'z.set(z.int())',
    schema: z.set(z.int()),
    wire: [1, 2],
    held: 'Set',
    document: { type: 'array', items: { type: 'integer' } },
  },
  {
    code: 'z.tuple([z.int(), z.string()])',
    schema: z.tuple([z.int(), z.string()]),
    wire: [1, 'a'],
    held: 'Array',
    document: {
      type: 'array',
      prefixItems: [{ type: 'integer' }, { type: 'string' }],
      items: false,
      minItems: 2,
      maxItems: 2,
    },
  },
  {
    code: 'z.record(z.string(), z.int())',
    schema: z.record(z.string(), z.int()),
    wire: { a: 1 },
    held: 'Object',
    document: { type: 'object', additionalProperties: { type: 'integer' } },
  },
  {
    code: 'z.int().nullable()',
    schema: z.int().nullable(),
    wire: null,
    held: 'null',
    document: { type: ['integer', 'null'] },
  },
  {
    code: "z.literal(['a', 1])",
    schema: z.literal(['a', 1]),
    wire: 'a',
    held: 'string',
    document: { enum: ['a', 1] },
  },
  {
    code: 'z.codec(z.iso.date(), z.int(), ...)',
    schema: z.codec(z.iso.date(), z.int(), {
      decode: text => Number(text.slice(0, 4)),
      encode: year => `${year}-01-01`,
    }),
    wire: '2026-01-01',
    held: 'number',
    document: { type: 'string', format: 'date' },
  },
  {
    code: 'z.iso.date(), .time(), .datetime(), .duration()',
    schema: z.iso.duration(),
    wire: 'PT5M',
    held: 'string',
    document: { type: 'string', format: 'duration' },
  },
  {
    code: 'z.uuid()',
    schema: z.uuid(),
    wire: 'ebd2c2ea-1f4d-4d0f-9e45-3a5d1a8b9c0d',
    held: 'string',
    document: { type: 'string', format: 'uuid' },
  },
  {
    code: 'z.string().meta({ secret: true })',
    schema: z.string().meta({ secret: true }),
    wire: 'x',
    held: 'string',
    document: { type: 'string', format: 'password' },
  },
]

function decoded(schema: z.ZodType, wire: unknown): unknown {
  const issues: Issue[] = []
  const value = compileBody(z.object({ a: schema }), 'POST /').decode({ a: wire }, issues)
  assert.deepEqual(issues, [])
  return (value as { a: unknown }).a
}

describe('docs/reference/schemas.md', () => {
  test('what JSON Schema lacks: each row is held, sent and documented as it says', () => {
    const rows = KINDS.map(({ code: text, schema, wire, held, document }) => {
      const value = decoded(schema, wire)
      assert.equal(
        value === null
          ? 'null'
          : (value as object).constructor.name
              .replace(/^(?=BigInt|String|Number)./, c => c.toLowerCase())
              .replace('bigInt', 'bigint'),
        held,
        text,
      )
      assert.deepEqual(
        JSON.parse(compileResponse(z.object({ a: schema }), 'GET /').encode({ a: value })),
        { a: wire },
        text,
      )
      const { pattern, ...said } = JSON.parse(
        JSON.stringify(describeSchema(schema, 'input', 'POST /').schema),
        // Of every integer alike; the page says so once.
        (_key, inner: unknown) =>
          inner === Number.MIN_SAFE_INTEGER || inner === Number.MAX_SAFE_INTEGER ? undefined : inner,
      ) as Record<string, unknown>
      const shown = typeof pattern === 'string' && pattern.length < 20 ? { ...said, pattern } : said
      assert.deepEqual(shown, document, text)
      return [code(text), code(held), code(JSON.stringify(wire)), code(JSON.stringify(document))]
    })
    printed(table(['schema', 'in the handler', 'on the wire', 'in OpenAPI'], rows))
  })

  test('how text is read: each row gives what it says, strictly and as FastAPI reads it', () => {
    const TEXTS: readonly [string, z.ZodType, readonly string[]][] = [
      ['z.int()', z.int(), ['7', '+7', '007', ' 7 ', '7.0', '1_000', '7.5', '1e3', '0x10', '12345678901234567890', '']],
      ['z.number()', z.number(), ['1', '1e3', '.5', '1_0', ' 2.5 ', 'nan', 'inf', '']],
      ['z.boolean()', z.boolean(), ['1', '0', 'true', 'TRUE', 't', 'f', 'yes', 'n', 'on', 'off', '2', '']],
      ['z.bigint()', z.bigint(), ['12345678901234567890', '1_0', '1.5']],
      ['z.string()', z.string(), ['', '5']],
      [
        'z.date()',
        z.date(),
        ['2026-11-26T10:00:00Z', '2026-11-26 10:00:00+01:00', '2026-11-26T10:00:00', '2026-11-26', '1577836800'],
      ],
      [
        'z.iso.date()',
        z.iso.date(),
        ['2026-11-26', '2026-11-26T00:00:00', '2026-11-26T10:00:00', '1577836800', '2026-1-1'],
      ],
      ['z.iso.time()', z.iso.time(), ['10:00', '10:00:00.5', '36000']],
      ['z.iso.duration()', z.iso.duration(), ['PT5M', '00:05:00', '1 day, 00:00:01', '300']],
      [
        'z.uuid()',
        z.uuid(),
        [
          'EBD2C2EA-1F4D-4D0F-9E45-3A5D1A8B9C0D',
          'ebd2c2ea1f4d4d0f9e453a5d1a8b9c0d',
          '{ebd2c2ea-1f4d-4d0f-9e45-3a5d1a8b9c0d}',
          'x',
        ],
      ],
      ['z.enum({ one: 1 })', z.enum({ one: 1 }), ['1', '2']],
      ['z.int().nullable()', z.int().nullable(), ['null', '5']],
    ]
    const read = (schema: z.ZodType, text: string, reading: Reading): string => {
      const issues: Issue[] = []
      const value = compileFields(z.object({ a: schema }), 'query', 'GET /', reading).decode({ a: text }, issues) as
        { a: unknown } | undefined
      if (issues.length > 0) return issues[0]!.type
      return code(typeof value!.a === 'bigint' ? `${value!.a}n` : JSON.stringify(value!.a))
    }
    const rows = TEXTS.flatMap(([name, schema, texts]) =>
      texts.map((text, n) => [
        n === 0 ? code(name) : '',
        code(JSON.stringify(text).slice(1, -1) || ' '),
        read(schema, text, 'strict'),
        read(schema, text, 'fastapi'),
      ]),
    )
    printed(table(['schema', 'text', 'value, or the type of the issue', "with `errorFormat: 'fastapi'`"], rows))
  })

  test('issues: every type with its message', () => {
    printed(
      table(
        ['type', "message with `errorFormat: 'fastapi'`"],
        ISSUE_TYPES.map(type => [code(type), MESSAGES[type]!]),
      ),
    )
  })

  test('every type of Pydantic’s is there, or is said to be missing with the reason', () => {
    const NOT_HERE: Readonly<Record<string, string>> = {
      json_type: 'JSON inside a text is a codec here',
      recursion_loop: 'JSON has no cycles',
      invalid_key: 'keys in JSON are texts',
      model_type: 'FastAPI itself says `model_attributes_type`',
      dataclass_type: "dataclasses are Python's",
      frozen_set_type: 'there is one kind of set',
      string_unicode: 'a body that is not UTF-8 is refused as a whole',
      string_not_ascii: 'a pattern says it: `string_pattern_mismatch`',
      bytes_invalid_encoding: 'JSON has no bytes; files have no encoding',
      assertion_error: "`assert` in validators is Python's; a refinement is a `value_error`",
      date_parsing: "said by Pydantic's strict mode alone",
      date_past: 'a refinement says it: `value_error`',
      date_future: 'a refinement says it: `value_error`',
      datetime_past: 'a refinement says it: `value_error`',
      datetime_future: 'a refinement says it: `value_error`',
      timezone_naive: 'a schema that takes no offset takes none off',
      timezone_offset: 'no schema asks for a certain offset',
      url_syntax_violation: "said by Pydantic's strict mode alone",
      url_too_long: '`.max()` says it: `string_too_long`',
      decimal_max_digits: 'decimals are texts with a pattern: `string_pattern_mismatch`',
      decimal_max_places: 'decimals are texts with a pattern: `string_pattern_mismatch`',
      decimal_whole_digits: 'decimals are texts with a pattern: `string_pattern_mismatch`',
    }
    // FEATURES 1.25, in its order.
    const PYDANTIC = `
      json_invalid json_type recursion_loop missing extra_forbidden invalid_key model_type model_attributes_type dataclass_type none_required
      greater_than greater_than_equal less_than less_than_equal multiple_of finite_number too_short too_long string_type string_unicode
      string_too_short string_too_long string_pattern_mismatch string_not_ascii enum dict_type list_type tuple_type set_type bool_type bool_parsing
      int_type int_parsing int_parsing_size int_from_float float_type float_parsing bytes_type bytes_too_short bytes_too_long bytes_invalid_encoding
      value_error assertion_error literal_error date_type date_parsing date_from_datetime_parsing date_from_datetime_inexact date_past date_future
      time_type time_parsing datetime_type datetime_parsing datetime_from_date_parsing datetime_past datetime_future timezone_naive timezone_aware
      timezone_offset time_delta_type time_delta_parsing frozen_set_type union_tag_invalid union_tag_not_found url_type url_parsing
      url_syntax_violation url_too_long url_scheme uuid_type uuid_parsing uuid_version decimal_type decimal_parsing decimal_max_digits
      decimal_max_places decimal_whole_digits`
      .trim()
      .split(/\s+/)
    assert.deepEqual(
      PYDANTIC.filter(type => ISSUE_TYPES.includes(type) === Object.hasOwn(NOT_HERE, type)),
      [],
    )
    assert.deepEqual(
      ISSUE_TYPES.filter(type => !PYDANTIC.includes(type)),
      [],
    )
    printed(
      table(
        ['type', 'why it is never said'],
        Object.entries(NOT_HERE).map(([type, why]) => [code(type), why]),
      ),
    )
  })
})
