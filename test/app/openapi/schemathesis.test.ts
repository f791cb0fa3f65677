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

/** In these it finds nothing. */
const CLEAN: ReadonlySet<string> = new Set(['01', '04', '05', '18', '20', '30', '31', '32', '35'])

/** What a step does on purpose, or asks for, that no document can say. */
const NOT_ASKED: Readonly<Record<string, string>> = {
  '02': 'whole numbers over 2^53 are refused, and the document does not say so',
  '03': 'its text has no media type in the document',
  '06': 'answers 503 and 504 on purpose',
  '19': 'a mount takes any method below its path, that of a route beside it too',
  '21': 'has routes on a host that is not there',
  '29': 'fails on purpose; and Zod knows mail addresses that its checker does not',
  '33': 'Zod knows mail addresses that its checker does not',
  '34': 'fails on purpose, in a form of its own',
}

function skipped(step: string): string | false {
  const number = step.slice(0, 2)
  return CLEAN.has(number) ? false : (NOT_ASKED[number] ?? 'nobody has looked yet')
}

const run = promisify(execFile)

describe(
  'schemathesis, with all its checks',
  { skip: existsSync(program) || process.env['CI'] ? false : 'schemathesis is not installed' },
  () => {
    let folder: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-schemathesis-'))
    })
    after(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))

    for (const step of steps)
      test(`finds nothing in ${step}`, { skip: skipped(step), timeout: 170_000 }, async () => {
        const { default: app } = (await import(join(root, 'examples/tour', step))) as { default: App }
        const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, logLevel: 'error' })
        const args = ['run', `${server.url}/openapi.json`, '--checks', 'all', '--max-examples', '10', '--seed', '1']
        try {
          await run(program, [...args, '--no-color'], { cwd: folder, maxBuffer: 2 ** 26 }).catch(
            (error: Error & { stdout: string }) => assert.fail(error.stdout),
          )
        } finally {
          await server.close()
        }
      })
  },
)
