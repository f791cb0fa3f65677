import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { json, sql, type SqlValue } from '../../../src/data/postgres/index.ts'
import { compileSql, encodeParameters } from '../../../src/data/postgres/sql.ts'
import { testServer } from '../support/server.ts'

const compile = (strings: TemplateStringsArray, ...values: SqlValue[]) => compileSql(strings, values)

const db = await (await testServer()).open()

describe('statements', () => {
  test('values become numbered parameters, never text', () => {
    assert.deepEqual(compile`select ${1}, ${"'; drop table x"}`, {
      text: 'select $1, $2',
      values: [1, "'; drop table x"],
    })
  })

  test('fragments nest, and their parameters are numbered through', () => {
    const cheap = sql`price < ${100}`
    const where = sql.join([cheap, sql`name = ${'a'}`, sql`stock > ${0}`], sql` and `)
    assert.deepEqual(compile`select ${'x'} where ${where} limit ${5}`, {
      text: 'select $1 where price < $2 and name = $3 and stock > $4 limit $5',
      values: ['x', 100, 'a', 0, 5],
    })
  })

  test('an empty fragment and an empty join add nothing', () => {
    assert.deepEqual(compile`select 1${sql.empty}${sql.join([])}`, { text: 'select 1', values: [] })
  })

  test('names chosen at run time are quoted, whatever they hold', async () => {
    const hostile = 'a"; drop table users; --'
    const row = await db.sql<Record<string, number>>`select 7 as ${sql.identifier(hostile)}`.one()
    assert.deepEqual(row, { [hostile]: 7 })
    assert.equal(compile`${sql.identifier('shop', 'orders')}`.text, '"shop"."orders"')
    assert.throws(() => sql.identifier(''), { code: 'POSTGRES_BAD_IDENTIFIER' })
    assert.throws(() => sql.identifier('a\0b'), { code: 'POSTGRES_BAD_IDENTIFIER' })
  })

  test('undefined is refused with the number of the parameter', () => {
    assert.throws(() => encodeParameters([1, undefined]), { code: 'POSTGRES_UNDEFINED_VALUE', message: /\$2/ })
    assert.throws(() => encodeParameters([() => 1]), { code: 'POSTGRES_BAD_VALUE' })
    assert.throws(() => encodeParameters([new Date(NaN)]), { code: 'POSTGRES_BAD_VALUE' })
    assert.throws(() => encodeParameters([sql`x`]), { code: 'POSTGRES_BAD_VALUE' })
    assert.throws(() => encodeParameters([json(undefined)]), { code: 'POSTGRES_UNDEFINED_VALUE', message: /\$1/ })
    assert.throws(() => encodeParameters([{ toJSON: () => undefined }]), { code: 'POSTGRES_UNDEFINED_VALUE' })
  })

  test('what would be an empty object in JSON, and is not empty, is refused by its name', () => {
    const forgotten = db.sql`select 1`
    const refused = [new Map([[1, 2]]), new Set([1]), Promise.resolve(1), forgotten, /a/, new Float32Array(2)]
    for (const value of refused)
      for (const parameter of [value, json(value), [value]])
        assert.throws(() => encodeParameters([1, parameter]), {
          code: 'POSTGRES_BAD_VALUE',
          message: /^parameter \$2 is a (Map|Set|Promise|Query|RegExp|Float32Array), /,
        })
    class Empty {}
    assert.deepEqual(encodeParameters([{}, new Empty(), json({}), json([])]), ['{}', '{}', '{}', '[]'])
  })
})

describe('values', () => {
  test('any text comes back as it went, alone and in arrays', async () => {
    const text = fc.string({ unit: 'grapheme' }).map(value => value.replaceAll('\0', ''))
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.option(text)), async (one, many) => {
        const row = await db.sql`select ${one}::text as one, ${many}::text[] as many`.one()
        assert.deepEqual(row, { one, many })
      }),
      { numRuns: 100, examples: [["'; drop table users; --", ['{', '}', ',', '"', '\\', 'NULL', '', null]]] },
    )
  })

  test('any JSON comes back as it went', async () => {
    const clean = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', ''))
    await fc.assert(
      fc.asyncProperty(fc.jsonValue().map(clean), async value => {
        assert.deepEqual((await db.sql`select ${json(value)}::jsonb as value`.one())['value'], value)
      }),
      { numRuns: 100 },
    )
  })

  test('a text parameter cannot leave its place', async () => {
    const attack = "x' or '1'='1"
    assert.deepEqual(await db.sql`select 1 as found where ${attack} = 'x'`, [])
  })

  test('integers and floats arrive as numbers, bigint and numeric as strings', async () => {
    const row = await db.sql`select 1::int2 as a, ${-2}::int4 as b, 2.5::float8 as c, ${2n ** 60n}::int8 as d,
      1.50::numeric as e, count(*) as f, array[12345678901234567890.10, null] as g, array[9007199254740993] as h
      from generate_series(1, 3)`.one()
    assert.deepEqual(row, {
      ...{ a: 1, b: -2, c: 2.5, d: '1152921504606846976', e: '1.50', f: '3' },
      g: ['12345678901234567890.10', null],
      h: ['9007199254740993'],
    })
  })

  test('moments arrive as ISO strings in UTC with their microseconds, whatever the time zone of the session', async () => {
    const expected = {
      instant: '2026-01-31T18:30:00.123456Z',
      local: '2026-02-01T00:00:00.5',
      day: '2026-02-01',
      days: ['2026-02-01', null],
      span: 'P1Y1DT2H0.5S',
      never: 'infinity',
    }
    for (const zone of ['UTC', 'Asia/Kolkata', 'America/St_Johns']) {
      const row = await db.transaction(async tx => {
        await tx.query(`set local time zone '${zone}'`)
        return tx.sql`select '2026-02-01 00:00:00.123456+05:30'::timestamptz as instant,
          '2026-02-01 00:00:00.5'::timestamp as local, '2026-02-01'::date as day,
          array['2026-02-01'::date, null] as days, interval '1 year 1 day 2:00:00.5' as span, 'infinity'::timestamptz as never`.one()
      })
      assert.deepEqual(row, expected)
    }
  })

  test('a Date, bytes, booleans, null and nested arrays are understood', async () => {
    const when = new Date('2026-02-01T10:00:00.250Z')
    const row = await db.sql`select ${when}::timestamptz as "when", ${new Uint8Array([0, 255])}::bytea as bytes,
      ${true}::bool as yes, ${null}::int as nothing, ${[
        [1, 2],
        [3, 4],
      ]}::int[] as grid,
      ${[new Uint8Array([1])]}::bytea[] as chunks, ${{ a: 1 }}::jsonb as object`.one()
    assert.deepEqual(row, {
      when: '2026-02-01T10:00:00.25Z',
      bytes: Buffer.from([0, 255]),
      yes: true,
      nothing: null,
      grid: [
        [1, 2],
        [3, 4],
      ],
      chunks: [Buffer.from([1])],
      object: { a: 1 },
    })
  })
})
