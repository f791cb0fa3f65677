// Tools of other people that read an OpenAPI document, as tests call them: a linter, and two client generators with the compiler after them.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createClient } from '@hey-api/openapi-ts'
import openapiTS, { astToString } from 'openapi-typescript'

const run = promisify(execFile)
const require = createRequire(import.meta.url)

/** What Redocly's recommended rules say of documents in one folder, as 'rule: message (file#/where)'. */
export async function lint(...files: readonly [string, ...string[]]): Promise<string[]> {
  const redocly = join(require.resolve('@redocly/cli/package.json'), '../bin/cli.js')
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const args = [redocly, 'lint', ...files, '--extends', 'recommended', '--format', 'json']
  // It leaves with 1 where it found something; what it found is on stdout either way.
  const { stdout } = await run(process.execPath, args, { env, cwd: join(files[0], '..') }).catch(
    (error: Error & { stdout: string }) => error,
  )
  // One object for each file, with nothing in between.
  const reports = stdout.split(/(?<=^\})(?=\{)/m)
  assert.equal(reports.length, files.length)
  const problems = reports.flatMap(text => (JSON.parse(text) as { problems: Problem[] }).problems)
  return problems.map(({ ruleId, message, location: [at] }) => `${ruleId}: ${message} (${at.source.ref}${at.pointer})`)
}

interface Problem {
  readonly ruleId: string
  readonly message: string
  readonly location: readonly [{ readonly source: { readonly ref: string }; readonly pointer: string }]
}

/**
 * Has openapi-ts make a client in `folder`/client, type-checks `code` against it with nothing skipped, and imports that.
 *
 * @param code  a module that imports './client/sdk.gen.ts' and its like
 */
export async function withGeneratedClient<T>(folder: string, document: object, code: string): Promise<T> {
  const input = join(folder, 'openapi.json')
  await writeFile(input, JSON.stringify(document))
  await createClient({
    input,
    output: { path: join(folder, 'client'), module: { extension: '.ts' } },
    logs: { level: 'silent' },
  })
  return checked(folder, code)
}

/**
 * The same with openapi-typescript: types alone, in `folder`/types.d.ts, for openapi-fetch to call by.
 *
 * @param code  a module that imports './types.d.ts' and 'openapi-fetch'
 */
export async function withGeneratedTypes<T>(folder: string, document: object, code: string): Promise<T> {
  await mkdir(folder)
  const types = await openapiTS(JSON.stringify(document))
  await writeFile(join(folder, 'types.d.ts'), astToString(types))
  await symlink(join(import.meta.dirname, '../../../node_modules'), join(folder, 'node_modules'), 'junction')
  return checked(folder, code)
}

async function checked<T>(folder: string, code: string): Promise<T> {
  await writeFile(join(folder, 'use.ts'), code)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT, include: ['use.ts'] }))
  await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', folder]).catch(
    (error: Error & { stdout: string }) => assert.fail(error.stdout),
  )
  return (await import(pathToFileURL(join(folder, 'use.ts')).href)) as T
}

const STRICT = {
  target: 'es2024',
  module: 'nodenext',
  lib: ['es2024', 'dom', 'dom.iterable'],
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  allowImportingTsExtensions: true,
  erasableSyntaxOnly: true,
}
