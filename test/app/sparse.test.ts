import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, sparse } from 'millrace'
import { onEachSeam, silent } from './support/seams.ts'

const Part = z.object({ name: z.string(), note: z.string().nullable() }).meta({ id: 'Part' })
const Item = z
  .object({
    id: z.int(),
    note: z.string().nullable(),
    stock: z.int().default(0),
    tags: z.array(z.string()).default([]),
    parts: z.array(Part),
    either: z.union([Part, z.string()]).nullable(),
    at: z.date().nullable(),
    any: z.unknown(),
    maybe: z.string().optional(),
  })
  .meta({ id: 'Item' })
const full = {
  id: 1,
  note: null,
  stock: 0,
  tags: [],
  parts: [
    { name: 'a', note: null },
    { name: 'b', note: 'x' },
  ],
  either: { name: 'c', note: null },
  at: null,
  any: { kept: null },
  maybe: undefined,
  secret: 'never',
}

const make = () => {
  const app = new App({ log: silent })
  app.get('/both', { returns: sparse(Item) }, () => full)
  app.get('/nulls', { returns: sparse(Item, { defaults: false }) }, () => full)
  app.get('/defaults', { returns: { 201: sparse(z.array(Item), { nulls: false }) } }, () => [full])
  app.get('/said', { returns: sparse(Item) }, () => ({ ...full, note: 'n', stock: 1, tags: ['t'], at: new Date(0) }))
  app.get('/misfit', { returns: sparse(Item) }, () => ({ id: 'x' }) as never)
  return app
}

describe('sparse', () => {
  onEachSeam('leaves out nulls and defaults at any depth, and what is declared nowhere', make, async ask => {
    assert.deepEqual(await (await ask('/both')).json(), {
      id: 1,
      parts: [{ name: 'a' }, { name: 'b', note: 'x' }],
      either: { name: 'c' },
      any: { kept: null },
    })
  })

  onEachSeam('leaves out only what it is told to', make, async ask => {
    const nulls = (await (await ask('/nulls')).json()) as object
    assert.deepEqual(Object.keys(nulls), ['id', 'stock', 'tags', 'parts', 'either', 'any'])
    const answer = await ask('/defaults')
    assert.equal(answer.status, 201)
    const [defaults] = (await answer.json()) as object[]
    assert.deepEqual(Object.keys(defaults!), ['id', 'note', 'parts', 'either', 'at', 'any'])
  })

  onEachSeam('sends what differs from them, in its wire form, and checks it as ever', make, async ask => {
    const said = (await (await ask('/said')).json()) as Record<string, unknown>
    assert.deepEqual(
      [said['note'], said['stock'], said['tags'], said['at']],
      ['n', 1, ['t'], '1970-01-01T00:00:00.000Z'],
    )
    assert.equal((await ask('/misfit')).status, 500)
  })

  test('is described without what may be absent among the required, beside the whole schema', () => {
    const app = make()
    app.get('/whole', { returns: Item }, () => full)
    const { components } = app.openapi() as unknown as {
      components: { schemas: Record<string, { required: string[] }> }
    }
    assert.deepEqual(components.schemas['Item-Sparse']!.required, ['id', 'parts'])
    assert.deepEqual(components.schemas['Part-Sparse']!.required, ['name'])
    assert.ok(components.schemas['Item']!.required.includes('note'))
  })
})
