// Schemathesis against the steps of the tour: it makes requests of each document, good ones and bad ones, and holds every answer to it.
//
// It is a Python program; `npm test` gets it where there is Python (scripts/test.ts). Without it these tests are skipped, by name.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { App } from 'millrace'
import { serve } from 'millrace/server'

const root = join(import.meta.dirname, '../../..')
const program = join(root, '.millrace/tools/schemathesis/bin/schemathesis')
const steps = globSync('*.ts', { cwd: join(root, 'examples/tour') }).sort()

/** Nothing to be learned of a step: why it is not run at all. */
const NOT_ASKED: Readonly<Record<string, string>> = {
  '13': 'it takes the schema of the data of an event for that of the whole event',
  '16': 'has WebSockets alone, which OpenAPI does not describe',
  '21': 'its document names a server that is not there',
}

/** What a step does on purpose that no document can say: the checks that would take it for a fault. All others are held against it. */
const ON_PURPOSE: Readonly<Record<string, readonly [why: string, ...checks: string[]]>> = {
  '06': ['answers 503 and 504', 'not_a_server_error'],
  '11': ['answers 428 where If-Match is not sent', 'positive_data_acceptance'],
  '14': ['a page that is gone; no backslash in a path', 'positive_data_acceptance'],
  '19': ['a mount takes any method below its path', 'unsupported_method'],
  '22': ['an item that is sent twice is in the set once', 'negative_data_rejection'],
  '23': ['cookies that it does not know are not its own', 'negative_data_rejection'],
  '24': [
    'takes 0 for false, as forms say it; no control characters in names of parts',
    'negative_data_rejection',
    'positive_data_acceptance',
  ],
  '26': ['two fields must be alike', 'positive_data_acceptance'],
  '29': [
    'a handler throws; Zod takes mail addresses of more than 64 letters before the @, which are none',
    'not_a_server_error',
    'negative_data_rejection',
  ],
  '33': [
    'Zod takes mail addresses of more than 64 letters before the @, which are none',
    'negative_data_rejection',
    'response_schema_conformance',
  ],
}

const run = promisify(execFile)

describe(
  'schemathesis, with all its checks',
  // Two at a time: most of a run is Python's, and half a minute is saved.
  { concurrency: 2, skip: existsSync(program) || process.env['CI'] ? false : 'schemathesis is not installed' },
  () => {
    let folder: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-schemathesis-'))
    })
    after(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))

    for (const step of steps) {
      const number = step.slice(0, 2)
      const [why, ...checks] = ON_PURPOSE[number] ?? ['']
      const title = why === '' ? `finds nothing in ${step}` : `finds nothing in ${step}, but for what it is for: ${why}`
      test(title, { skip: NOT_ASKED[number] ?? false, timeout: 170_000 }, async () => {
        const { default: app } = (await import(join(root, 'examples/tour', step))) as { default: App }
        const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, logLevel: 'error' })
        const args = ['run', `${server.url}/openapi.json`, '--checks', 'all', '--max-examples', '5', '--seed', '1']
        if (checks.length > 0) args.push('--exclude-checks', checks.join(','))
        try {
          await run(program, [...args, '--no-color'], { cwd: folder, maxBuffer: 2 ** 26 }).catch(
            (error: Error & { stdout: string }) => assert.fail(error.stdout),
          )
        } finally {
          await server.close()
        }
      })
    }
  },
)
