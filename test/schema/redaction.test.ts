import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { compileBody, compileFields } from '../../src/schema/decode.ts'
import type { Issue } from '../../src/schema/issue.ts'
import { describe as describeSchema } from '../../src/schema/json-schema.ts'
import { MASK } from '../../src/schema/redaction.ts'
import type { Schema } from '../../src/schema/schema.ts'

function told(schema: Schema, input: unknown): string {
  const issues: Issue[] = []
  for (const reading of ['strict', 'fastapi'] as const)
    void compileBody(schema, 'POST / body', reading).decode(input, issues)
  assert.ok(issues.length > 0)
  return JSON.stringify(issues)
}

const Password = z.string().min(12).meta({ secret: true })

describe('secrets in what is told of an input', () => {
  const SCHEMAS: Readonly<Record<string, Schema>> = {
    'a field with .meta({ secret: true })': z.object({ name: z.string(), password: Password }),
    "a field of format 'password'": z.object({ password: z.string().min(12).meta({ format: 'password' }) }),
    'an optional one': z.object({ password: Password.optional() }),
    'one that may be null': z.object({ password: Password.nullable() }),
    'one with a default': z.object({ password: Password.default('correct horse battery') }),
    'one named by an id': z.object({ password: z.string().min(12).meta({ id: 'Password', secret: true }) }),
    'a JSON Schema with format: password': {
      type: 'object',
      properties: { password: { type: 'string', format: 'password', minLength: 12 } },
    },
    "a JSON Schema with 'x-secret'": {
      type: 'object',
      properties: { password: { type: 'string', minLength: 12, 'x-secret': true } },
    },
  }
  for (const [what, schema] of Object.entries(SCHEMAS))
    test(`${what} is masked where it is wrong`, () => {
      assert.doesNotMatch(told(schema, { password: 'hunter2' }), /hunter2/)
      assert.match(told(schema, { password: 'hunter2' }), /\*{10}/)
    })

  test('is masked in the object that is told because a key is missing, at any depth', () => {
    const User = z.object({ login: z.object({ name: z.string(), password: Password }), keys: z.array(Password) })
    const text = told(z.object({ users: z.array(User), more: z.record(z.string(), User) }), {
      users: [{ login: { password: 'hunter2-long-enough' }, keys: ['hunter2-in-a-list'] }],
      more: { a: { login: { password: 'hunter2-in-a-record' } } },
    })
    assert.doesNotMatch(text, /hunter2/)
    assert.match(text, /"input":\{"password":"\*{10}"\}/)
  })

  test('is masked in unions, intersections and recursive schemas', () => {
    const Token = z.union([z.object({ token: Password }), z.object({ other: z.int() })])
    const Tree = z.object({
      key: Password,
      get inner(): z.ZodOptional<typeof Tree> {
        return Tree.optional()
      },
    })
    for (const [schema, value] of [
      [Token, { token: 'hunter2', other: 'x' }],
      [z.intersection(z.object({ a: z.int() }), z.object({ token: Password })), { token: 'hunter2' }],
      [Tree, { key: 'long enough for it', inner: { key: 'hunter2' } }],
      [z.tuple([z.int(), Password]), ['x', 'hunter2']],
    ] as const)
      assert.doesNotMatch(told(schema, value), /hunter2/)
  })

  test('is masked in a query, a header and a cookie; Authorization and Cookie always', () => {
    const fields = { key: 'hunter2', authorization: 'Bearer hunter2', list: ['hunter2', 'hunter2'] }
    const schema = z.object({ key: Password, list: z.array(Password), other: z.int() })
    for (const place of ['query', 'header', 'cookie'] as const) {
      const issues: Issue[] = []
      void compileFields(schema, place, 'GET /').decode(fields, issues)
      assert.equal(issues.length, 4)
      assert.doesNotMatch(JSON.stringify(issues), /hunter2/)
    }
    const issues: Issue[] = []
    void compileFields(z.object({ authorization: z.string().max(3) }), 'header', 'GET /').decode(fields, issues)
    assert.equal(issues[0]?.input, MASK)
  })

  test('what is not secret is told as it came', () => {
    assert.match(told(z.object({ name: z.string().max(3), password: Password }), { name: 'Adaline' }), /Adaline/)
  })

  test('is a password in the document, and its mark is not there', () => {
    const { schema } = describeSchema(z.object({ password: Password }), 'input', 'POST /')
    assert.deepEqual(JSON.parse(JSON.stringify(schema.properties)), {
      password: { type: 'string', minLength: 12, format: 'password' },
    })
  })
})
