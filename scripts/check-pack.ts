// Packs the package, installs it into an application in a temporary folder, and uses it there as a newcomer would.
//
//   node scripts/check-pack.ts
//
// What it asserts: the list of packed files and every target of `exports`; an app that type-checks against the packed declarations with
// nothing skipped; `millrace serve` answering the app, the document, the docs page and its files; an orderly end.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'millrace-pack-'))

const MAY_BE_PACKED = [
  /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|THIRD-PARTY-NOTICES\.md)$/,
  /^bin\/millrace\.js$/,
  /^dist\/[\w/-]+\.(?:js|d\.ts)$/,
  /^dist\/assets\/[\w.-]+$/,
  /^docs\/reference\/[\w-]+\.md$/,
]
const MUST_BE_PACKED = [
  'package.json',
  'README.md',
  'LICENSE',
  'THIRD-PARTY-NOTICES.md',
  'bin/millrace.js',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cli/main.js',
  'dist/assets/swagger-ui-bundle.js',
  'dist/assets/redoc.standalone.js',
  'dist/assets/swagger-ui.LICENSE.txt',
  'dist/assets/redoc.LICENSE.txt',
]
const MOST_BYTES = 6 * 1024 * 1024

const APP = `import { App, dependency } from 'millrace'
import { compress, cors } from 'millrace/middleware'
import * as z from 'zod'

const Product = z.object({ id: z.int(), name: z.string() }).meta({ id: 'Product' })
const visitor = dependency({ headers: z.object({ 'x-visitor': z.string().default('nobody') }) }, ({ headers }) => headers['x-visitor'])

const app = new App({ title: 'Packed', version: '1.0.0', use: [cors(), compress()] })
app.get('/', () => ({ message: 'hello' }))
app.get('/products/{id}', { params: z.object({ id: z.int() }), returns: { 200: Product }, uses: { visitor } },
  ({ params, visitor }) => ({ id: params.id, name: visitor }))

export default app
`

const USES = `import app from './app.ts'
import { serve, type Server } from 'millrace/server'
import { cache } from 'millrace/cache'
import { client } from 'millrace/client'
import { testClient } from 'millrace/testing'
import * as http from 'millrace/http'
import * as postgres from 'millrace/postgres'
import * as security from 'millrace/security'
import { run } from 'millrace/cli'

export const server: Promise<Server> = serve(app, { port: 0 })
export const all = [cache, client, testClient, http, postgres, security, run]
`

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
  },
}

function run(command: string, args: readonly string[], cwd: string): string {
  // No shell: npm is found as a program, and its output is wanted whole when it fails.
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (error) throw error
  assert.equal(status, 0, `${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
  return stdout
}

function pack(): { tarball: string; files: readonly string[]; bytes: number } {
  const out = run('npm', ['pack', '--json', '--pack-destination', folder], root)
  // The build prints before the JSON does.
  const [packed] = JSON.parse(out.slice(out.search(/^\[/m))) as {
    filename: string
    files: { path: string }[]
    unpackedSize: number
  }[]
  return {
    tarball: join(folder, packed!.filename),
    files: packed!.files.map(file => file.path),
    bytes: packed!.unpackedSize,
  }
}

function checkFiles(files: readonly string[], bytes: number): void {
  const stray = files.filter(file => !MAY_BE_PACKED.some(pattern => pattern.test(file)))
  assert.deepEqual(stray, [], 'files that no user needs')
  for (const file of MUST_BE_PACKED) assert.ok(files.includes(file), `${file} is not in the package`)
  assert.ok(bytes < MOST_BYTES, `${bytes} bytes unpacked, more than ${MOST_BYTES}`)
}

function checkManifest(files: readonly string[]): void {
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/millrace/package.json'), 'utf8')) as Record<
    string,
    unknown
  > & { exports: Record<string, string | Record<string, string>> }
  for (const field of ['scripts', 'devDependencies', 'workspaces', 'allowScripts'])
    assert.ok(!(field in manifest), `${field} is ours alone`)
  for (const [name, conditions] of Object.entries(manifest.exports)) {
    const targets = typeof conditions === 'string' ? { default: conditions } : conditions
    assert.ok(!('millrace-source' in targets), `${name} still has the source condition`)
    for (const target of Object.values(targets))
      assert.ok(files.includes(target.slice(2)), `${name} points to ${target}, which is not in the package`)
  }
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
  assert.ok('scripts' in own, 'packing left package.json stripped: run node scripts/pack.ts restore')
}

function install(tarball: string): void {
  const { version: zod } = require('zod/package.json') as { version: string }
  const { version: node } = require('@types/node/package.json') as { version: string }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'packed-app', private: true, type: 'module' }))
  const packages = [tarball, `zod@${zod}`, `@types/node@${node}`]
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], folder)
  writeFileSync(join(folder, 'app.ts'), APP)
  writeFileSync(join(folder, 'uses.ts'), USES)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
}

async function checkServing(): Promise<void> {
  const bin = join(folder, 'node_modules/.bin/millrace')
  const child = spawn(
    bin,
    ['serve', 'app.ts', '--port', '0', '--host', '127.0.0.1', '--workers', '2', '--admin', 'off'],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = once(child, 'exit')
  try {
    const url = await urlPrinted(child)
    await expectAnswer(`${url}/`, 200, 'application/json', /"hello"/)
    await expectAnswer(`${url}/products/7`, 200, 'application/json', /"id":7,"name":"nobody"/)
    await expectAnswer(`${url}/products/x`, 422, 'application/problem+json', /"path","id"/)
    await expectAnswer(`${url}/openapi.json`, 200, 'application/json', /"getProductsById"/)
    await expectAnswer(`${url}/docs`, 200, 'text/html', /swagger-ui-bundle\.js/)
    await expectAnswer(`${url}/docs/swagger-ui-bundle.js`, 200, 'text/javascript', /SwaggerUI/)
    await expectAnswer(`${url}/redoc/redoc.standalone.js`, 200, 'text/javascript', /Redoc/)
    child.kill('SIGINT')
    const [code] = (await ended) as [number | null]
    assert.equal(code, 0, 'millrace serve ends with 0 after INT')
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL')
  }
}

function urlPrinted(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`no URL within 30 s:\n${output}`)), 30_000)
    const look = (piece: Buffer) => {
      output += piece.toString()
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)
      if (!url) return
      clearTimeout(timer)
      resolve(url[0])
    }
    child.stdout!.on('data', look)
    child.stderr!.on('data', look)
    child.on('exit', code => {
      clearTimeout(timer)
      reject(new Error(`millrace serve ended with ${code}:\n${output}`))
    })
  })
}

async function expectAnswer(url: string, status: number, type: string, body: RegExp): Promise<void> {
  const answer = await fetch(url)
  assert.equal(answer.status, status, url)
  assert.ok(answer.headers.get('content-type')!.startsWith(type), `${url}: ${answer.headers.get('content-type')}`)
  assert.match(await answer.text(), body, url)
}

try {
  const { tarball, files, bytes } = pack()
  checkFiles(files, bytes)
  install(tarball)
  checkManifest(files)
  run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', folder], folder)
  await checkServing()
  console.log(
    `packed: ${files.length} files, ${(bytes / 1024 / 1024).toFixed(1)} MiB; installed, type-checked and served`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
