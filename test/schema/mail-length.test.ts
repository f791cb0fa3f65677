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

const ask = async (api: ReturnType<typeof testClient>, path: `/${string}`, to?: string) => {
  const headers = { 'content-type': 'application/json' }
  return (await api.fetch(path, { method: 'POST', headers, body: JSON.stringify({ to }) })).status
}

const answer = async (body: Schema, to: string) => {
  const app = new App()
  app.post('/', { body }, () => 1)
  const api = testClient(app)
  const status = await ask(api, '/', to)
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

  test('is the same by the parser that is compiled for a busy route', async () => {
    const app = new App()
    app.post('/', { body: schemas['z.email()'] }, () => 1)
    const api = testClient(app)
    for (let n = 0; n < 100; n++) assert.equal(await ask(api, '/', 'a@b.cd'), 200)
    assert.equal(await ask(api, '/', `${'l'.repeat(65)}@b.cd`), 422)
    assert.equal(await ask(api, '/', `${'l'.repeat(64)}@b.cd`), 200)
    await api.close()
  })

  test('is for the application’s own use of the schema, too, what it is for a route, from when it starts', async () => {
    const to = `${'l'.repeat(65)}@b.cd`
    const Mail = z.email()
    const body = z.object({ to: Mail })
    const app = new App()
    app.post('/', { body }, () => 1)
    const api = testClient(app)
    assert.equal(await ask(api, '/elsewhere'), 404)
    assert.ok(!Mail.safeParse(to).success && !body.safeParse({ to }).success)
    assert.equal(await ask(api, '/', to), 422)
    assert.ok(!Mail.safeParse(to).success && !body.safeParse({ to }).success)
    await api.close()
  })

  test('is looked at in linear time', async () => {
    for (const part of ['a', 'a.', 'a@', '@', 'a-', '.'])
      assert.equal(await answer(schemas['z.email()'], part.repeat(300_000)), 422, part)
  })
})
