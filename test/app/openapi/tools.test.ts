// The document before the tools that people will read it with: Redocly's linter, swagger-parser, and a client generator.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import SwaggerParser from '@apidevtools/swagger-parser'
import { createClient } from '@hey-api/openapi-ts'
import { App } from 'millrace'
import { representativeApp } from './representative-app.ts'

const run = promisify(execFile)
const require = createRequire(import.meta.url)

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-openapi-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function write(name: string, app: App<any, any>): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, JSON.stringify(app.openapi()))
  return file
}

async function lint(file: string): Promise<string[]> {
  const redocly = join(require.resolve('@redocly/cli/package.json'), '../bin/cli.js')
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: '1' }
  const arguments_ = [redocly, 'lint', file, '--extends', 'recommended', '--format', 'json']
  // It leaves with 1 where it found something; what it found is on stdout either way.
  const { stdout } = await run(process.execPath, arguments_, { env, cwd: folder }).catch(
    (error: Error & { stdout: string }) => error,
  )
  const { problems } = JSON.parse(stdout) as { problems: { ruleId: string; message: string }[] }
  return problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)
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

  test('is valid to swagger-parser', async () => {
    for (const errorFormat of ['problem', 'fastapi'] as const)
      await SwaggerParser.validate(structuredClone(representativeApp({ errorFormat }).openapi()) as never)
  })

  test(
    'gives openapi-ts a client that type-checks and gets typed answers from the app',
    { timeout: 120_000 },
    async () => {
      const app = representativeApp()
      const input = await write('client.json', app)
      const output = join(folder, 'client')
      await createClient({ input, output: { path: output, module: { extension: '.ts' } }, logs: { level: 'silent' } })
      await writeFile(
        join(folder, 'use.ts'),
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
      await writeFile(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            target: 'es2024',
            module: 'nodenext',
            lib: ['es2024', 'dom', 'dom.iterable'],
            types: [],
            strict: true,
            noEmit: true,
            skipLibCheck: false,
            allowImportingTsExtensions: true,
            erasableSyntaxOnly: true,
          },
          include: ['use.ts'],
        }),
      )
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      const tsc = require.resolve('typescript/bin/tsc')
      await run(process.execPath, [tsc, '-p', folder]).catch((error: Error & { stdout: string }) =>
        assert.fail(error.stdout),
      )
      const { use } = (await import(pathToFileURL(join(folder, 'use.ts')).href)) as {
        use: (fetch: App['fetch']) => Promise<any>
      }
      const answers = await use(app.fetch)
      assert.equal(answers.product.id, 7)
      assert.equal(answers.price, 1)
      assert.equal(answers.refused, 422)
      assert.equal(answers.made.name, 'n')
      assert.deepEqual(answers.paid, { kind: 'card', number: '1' })
    },
  )
})
