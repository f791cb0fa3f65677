// Documents before the tools that people will read them with: Redocly's linter, swagger-parser, and a client generator.
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import SwaggerParser from '@apidevtools/swagger-parser'
import * as z from 'zod'
import { App, events, jsonLines } from 'millrace'
import { lint, withGeneratedClient } from './outside-tools.ts'
import { representativeApp } from './representative-app.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-openapi-'))
})
after(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))

async function write(name: string, app: App<any, any>): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, JSON.stringify(app.openapi()))
  return file
}

describe('the document of a whole API', () => {
  test("passes Redocly's recommended rules without a word", async () => {
    assert.deepEqual(await lint(await write('shop.json', representativeApp())), [])
  })

  test('passes them in the FastAPI error format too', async () => {
    assert.deepEqual(await lint(await write('fastapi.json', representativeApp({ errorFormat: 'fastapi' }))), [])
  })

  test('of the smallest app lacks nothing but the licence, which only its author can give', async () => {
    const app = new App({ title: 'Hello' })
    app.get('/', () => ({ message: 'hello' }))
    const found = await lint(await write('hello.json', app))
    assert.deepEqual(
      found.map(text => text.split(':')[0]),
      ['info-license'],
    )
  })

  test('passes them in the words of OpenAPI 3.2 too, with streams and QUERY', async () => {
    const app = representativeApp({ openapiVersion: '3.2.0' })
    const Line = z.object({ n: z.int() }).meta({ id: 'Line' })
    app.get('/lines', { returns: { 200: jsonLines(Line), 404: null } }, async function* () {})
    app.get('/ticks', { returns: { 200: events(Line), 404: null } }, async function* () {})
    app.route({ method: 'QUERY', path: '/lines', body: Line, returns: { 200: Line }, handler: ({ body }) => body })
    assert.deepEqual(await lint(await write('next.json', app)), [])
  })

  test('is valid to swagger-parser', async () => {
    for (const errorFormat of ['problem', 'fastapi'] as const)
      await SwaggerParser.validate(structuredClone(representativeApp({ errorFormat }).openapi()) as never)
  })

  test('gives a client that type-checks and gets typed answers from the app', { timeout: 240_000 }, async () => {
    const app = representativeApp()
    const { use } = await withGeneratedClient<{ use(fetch: App['fetch']): Promise<any> }>(
      folder,
      app.openapi(),
      `import { client } from './client/client.gen.ts'
import { getProductsById, postPayments, postProducts } from './client/sdk.gen.ts'
import type { Product } from './client/types.gen.ts'

export async function use(fetch: typeof globalThis.fetch) {
  client.setConfig({ baseUrl: 'http://shop.test', fetch })
  const found = await getProductsById({ path: { id: 7 } })
  const product: Product | undefined = found.data
  const price: number | undefined = found.data?.priceCents
  const refused = await getProductsById({ path: { id: -1 } })
  const made = await postProducts({
    headers: { 'x-api-key': 'k' },
    body: { name: 'n', priceCents: 5, reviews: [{ stars: 5 }], createdAt: '2026-01-01T00:00:00Z' },
  })
  const paid = await postPayments({ body: { kind: 'card', number: '1' } })
  // @ts-expect-error: a card has a number
  void (() => postPayments({ body: { kind: 'card' } }))
  return { product, price, refused: refused.response?.status, made: made.data, paid: paid.data }
}
`,
    )
    const answers = await use(app.fetch)
    assert.equal(answers.product.id, 7)
    assert.equal(answers.price, 1)
    assert.equal(answers.refused, 422)
    assert.equal(answers.made.name, 'n')
    assert.deepEqual(answers.paid, { kind: 'card', number: '1' })
  })
})

describe('the documents of the tour', () => {
  const steps = globSync(join(import.meta.dirname, '../../../examples/tour/*.ts')).sort()
  const written: string[] = []
  before(async () => {
    // All in this one process, where they share the registry of schemas: what one app names is not in the way of the next.
    for (const step of steps) {
      const { default: app } = (await import(step)) as { default: App<any, any> }
      written.push(await write(`${basename(step, '.ts')}.json`, app))
    }
  })

  test("pass Redocly's recommended rules, but for the licence that only one of them gives", async () => {
    const [first, ...more] = written
    assert.ok(first)
    const found = await lint(first, ...more)
    const isLicence = (text: string) => text.startsWith('info-license:')
    assert.deepEqual(
      found.filter(text => !isLicence(text)),
      [],
    )
    assert.equal(found.filter(isLicence).length, steps.length - 1)
  })

  for (const step of steps)
    test(`${basename(step)} is valid to swagger-parser`, async () => {
      const file = written.find(file => basename(file, '.json') === basename(step, '.ts'))
      assert.ok(file)
      await SwaggerParser.validate(file)
    })
})
