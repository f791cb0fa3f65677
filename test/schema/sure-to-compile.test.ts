// Which JSON Schemas may wait to be compiled: none in which compiling would find a mistake.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { UsageError } from '../../src/core/error.ts'
import type { Described, Node } from '../../src/schema/described.ts'
import { jsonValidator, refuseBrokenJson } from '../../src/schema/json-validator.ts'
import { isSureToCompile } from '../../src/schema/sure-to-compile.ts'

const Part: Node = { type: 'object', properties: { a: { $ref: '#/components/schemas/Part' } }, required: ['a'] }
const KEYWORDS = `
  type const enum default title description examples example deprecated readOnly nullable id $async $comment $dynamicRef $anchor
  minimum exclusiveMaximum multipleOf minLength pattern format formatMinimum minItems uniqueItems minProperties required
  $ref properties patternProperties additionalProperties propertyNames items prefixItems contains anyOf oneOf allOf not if then
  dependentRequired dependentSchemas unevaluatedItems unevaluatedProperties discriminator contentEncoding
`
  .trim()
  .split(/\s+/)
const VALUES: readonly unknown[] = [
  ...[5, -1, 0, 1.5, '', 'x', 'string', '#', '#/x', '#/components/schemas/Part', '#/components/schemas/None'],
  ...['[', '\\Z', 'a\\-b', true, false, null, [], [5], ['a', 'a'], ['string', 'null'], {}, [{}], [{ enum: [] }]],
  ...[{ a: 5 }, { a: {} }, { '[': {} }, { a: { pattern: '[' } }, { not: { nullable: true } }, { propertyName: 'a' }],
  ...[1n, [1n], { a: 1n }, [{ a: [1n] }]],
]

function each(visit: (described: Described) => void): void {
  for (const keyword of KEYWORDS)
    for (const value of VALUES) {
      const odd: Node = { [keyword]: value }
      visit({ schema: odd, components: { Part } })
      visit({ schema: { type: 'object', properties: { a: odd } }, components: { Part } })
      visit({ schema: { $ref: '#/components/schemas/Odd' }, components: { Part, Odd: { type: 'string', ...odd } } })
    }
}

function thrownBy(what: () => unknown): unknown {
  try {
    what()
    return undefined
  } catch (error) {
    return error
  }
}

describe('a JSON Schema that may wait', () => {
  test('is compiled without a word later, whatever stands in it', () => {
    let waiting = 0
    let told = 0
    each(described => {
      const text = inspect(described, { depth: 9 })
      const early = thrownBy(() => refuseBrokenJson(described, 'POST / body'))
      // A description of its own: what is compiled of one is kept.
      const late = thrownBy(() => jsonValidator({ ...described }, 'POST / body'))
      assert.equal(early === undefined, late === undefined, text)
      if (early !== undefined) assert.ok(early instanceof UsageError && early.code === 'SCHEMA_NOT_A_SCHEMA', text)
      if (early !== undefined) told++
      else if (isSureToCompile(described)) waiting++
    })
    assert.ok(waiting > 100 && told > 100, `${waiting} would wait, ${told} were told`)
  })
  test('is the usual one', () => {
    const schema: Node = {
      type: 'object',
      properties: {
        id: { type: 'integer', minimum: 1 },
        name: { type: 'string', pattern: '^[a-z]+$', format: 'email' },
      },
      patternProperties: { '^x-': { anyOf: [{ type: 'string' }, { $ref: '#/components/schemas/Part' }] } },
      additionalProperties: false,
      example: 'as OpenAPI has it',
    }
    assert.ok(isSureToCompile({ schema, components: { Part } }))
    assert.ok(!isSureToCompile({ schema, components: {} }))
    assert.ok(!isSureToCompile({ schema: { ...schema, unevaluatedProperties: false }, components: { Part } }))
  })
})
