import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import type { Coerce } from '../../src/schema/coerce.ts'
import { compileConversion, conversionSource, type Field } from '../../src/schema/convert-fields.ts'

const asNumber: Coerce = (text, failed) => {
  if (Number.isNaN(Number(text))) failed('int_parsing', [])
  return Number(text)
}
const failed: string[] = []
const field = (name: string, wire = name, coerce: Coerce = text => text): Field => ({
  name,
  wire,
  coerce,
  failed: type => void failed.push(`${name} ${type}`),
})
const fields = [
  field('page', 'page', asNumber),
  field('requestId', 'x-request-id'),
  field('__proto__'),
  field('a"b\u2028\n`${x}'),
  field('constructor'),
]

describe('converting fields', () => {
  test('is this text', () => {
    assert.equal(
      conversionSource(fields.slice(0, 3)),
      [
        'const { coerce: c0, failed: f0 } = fields[0]',
        'const { coerce: c1, failed: f1 } = fields[1]',
        'const { coerce: c2, failed: f2 } = fields[2]',
        'return texts => {',
        '  const values = {}',
        '  const t0 = texts["page"]',
        '  if (t0 !== undefined) values["page"] = c0(t0, f0)',
        '  const t1 = texts["x-request-id"]',
        '  if (t1 !== undefined) values["requestId"] = c1(t1, f1)',
        '  const t2 = texts["__proto__"]',
        '  if (t2 !== undefined) put(values, "__proto__", c2(t2, f2))',
        '  return values',
        '}',
      ].join('\n'),
    )
  })
  for (const mayGenerate of [true, false])
    describe(mayGenerate ? 'by generated code' : 'by the loop', () => {
      const convert = compileConversion(fields, mayGenerate)
      const texts = (of: object) => Object.assign(Object.create(null) as Record<string, string>, of)

      test('has what is there, under its own name, and nothing else', () => {
        assert.deepEqual(convert(texts({})), {})
        const given = texts({ page: '2', 'x-request-id': 'r', 'a"b\u2028\n`${x}': 'odd', other: 'x' })
        given['__proto__'] = 'p'
        const values = convert(given)
        assert.deepEqual(Object.entries(values), [
          ['page', 2],
          ['requestId', 'r'],
          ['__proto__', 'p'],
          ['a"b\u2028\n`${x}', 'odd'],
        ])
        assert.equal(Object.getPrototypeOf(values), Object.prototype)
      })
      test('tells of each field what could not be read', () => {
        failed.length = 0
        convert(texts({ page: 'two' }))
        assert.deepEqual(failed, ['page int_parsing'])
      })
    })
  test('works where generating code is not allowed', () => {
    const file = new URL('../../src/schema/decode.ts', import.meta.url).href
    const code = `import * as z from 'zod'; import { compileFields } from '${file}'
      console.log(JSON.stringify(compileFields(z.object({ a: z.int() }), 'query', 'x').decode({ a: '1', b: '2' }, [])))`
    const flags = [
      '--disallow-code-generation-from-strings',
      '--conditions=millrace-source',
      '--input-type=module',
      '--eval',
      code,
    ]
    const cwd = new URL('../..', import.meta.url)
    assert.equal(execFileSync(process.execPath, flags, { cwd, encoding: 'utf8' }), '{"a":1}\n')
  })
})
