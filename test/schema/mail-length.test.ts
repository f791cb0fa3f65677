import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App } from 'millrace'
import { testClient } from 'millrace/testing'
import * as z from 'zod'
import type { Schema } from '../../src/schema/schema.ts'

const schemas = {
  'z.email()': z.object({ to: z.email() }),
  'z.email() with more to it, deep inside': z.object({
    to: z.union([z.email().max(300).meta({ title: 'To' }), z.int()]),
  }),
  'z.string().email()': z.object({ to: z.string().email() }),
  'format: email': { type: 'object', properties: { to: { type: 'string', format: 'email' } }, required: ['to'] },
}

const domain = (length: number) =>
  `${'d'.repeat(60)}.`.repeat(Math.floor((length - 4) / 61)).padEnd(length - 4, 'd') + '.com'

const answer = async (body: Schema, to: string) => {
  const app = new App()
  app.post('/', { body }, () => 1)
  const api = testClient(app)
  const headers = { 'content-type': 'application/json' }
  const { status } = await api.fetch('/', { method: 'POST', headers, body: JSON.stringify({ to }) })
  await api.close()
  return status
}

describe('a mail address', () => {
  for (const [name, schema] of Object.entries(schemas))
    test(`of ${name} has at most 64 characters before the @, 63 in a label, and 254 in all`, async () => {
      for (const to of [
        'a.b+c@x-y.example.com',
        `${'l'.repeat(64)}@b.cd`,
        `a@${'d'.repeat(63)}.com`,
        `a@${domain(252)}`,
      ])
        assert.equal(await answer(schema, to), 200, to)
      for (const to of ['a', `${'l'.repeat(65)}@b.cd`, `a@${'d'.repeat(64)}.com`, `a@${domain(253)}`, 'a@b-.cd'])
        assert.equal(await answer(schema, to), 422, to)
    })

  test('with a pattern of the application’s own is what that says', async () => {
    assert.equal(await answer(z.object({ to: z.email({ pattern: /@/ }) }), `${'l'.repeat(65)}@`), 200)
  })

  test('is looked at in linear time', async () => {
    for (const part of ['a', 'a.', 'a@', '@', 'a-', '.'])
      assert.equal(await answer(schemas['z.email()'], part.repeat(300_000)), 422, part)
  })
})
