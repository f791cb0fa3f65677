// Schemathesis as a program beside the tests: what it is told about a document, and how it is run against a server.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const program = join(import.meta.dirname, '../../../.millrace/tools/schemathesis/bin/schemathesis')

/** With CI set it has to be there (scripts/test.ts). */
export const skip = existsSync(program) || process.env['CI'] ? false : 'schemathesis is not installed'

/** The statuses that a check takes by itself, where some have to be told besides them. Its own lists; they can only be replaced. */
const TAKEN = {
  not_a_server_error: ['2xx', '3xx', '4xx'],
  positive_data_acceptance: ['2xx', '3xx', '401', '403', '404', '409', '429', '5xx'],
  missing_required_header: ['400', '401', '403', '406', '415', '422'],
} as const

/** How what is wrong may be refused: its own list, and the refusals of what is too large. */
const REFUSED = '400 401 403 404 405 406 409 413 414 415 422 428 429 431 5xx'.split(' ')

/** What one operation does on purpose that no document can say. All else is held against it, as against the others. */
export interface OnPurpose {
  /** 'GET /slow'. */
  readonly operation: string
  /** Goes on from its name, as part of the test's. */
  readonly why: string
  /** Statuses that a check is to take for good beside its own. */
  readonly takes?: { readonly [C in keyof typeof TAKEN]?: readonly number[] }
  /** Checks that cannot be made of it at all. */
  readonly without?: readonly string[]
  /** Further lines of its configuration. */
  readonly settings?: readonly string[]
}

const FOR_ALL = [
  'checks.enabled = true',
  `checks.negative_data_rejection.expected-statuses = ${JSON.stringify(REFUSED)}`,
]

export interface Asked {
  /** Instead of the one that the server gives out. */
  readonly document?: object
  readonly onPurpose?: readonly OnPurpose[]
  /** Lines of its configuration; tables of single operations come last. */
  readonly settings?: readonly string[]
}

/**
 * Holds a server to its document, with all checks.
 *
 * @returns what it printed; fails with that where it found something
 */
export async function holdTo(url: string, { document, onPurpose = [], settings = [] }: Asked): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-schemathesis-'))
  const config = join(folder, 'schemathesis.toml')
  // More by hand, to find what a few examples do not: EXAMPLES=200 SEED=2 npm test -- test/app/openapi/schemathesis.test.ts
  const { EXAMPLES = '20', SEED = '1' } = process.env
  try {
    await writeFile(config, [...FOR_ALL, ...settings, ...onPurpose.flatMap(told)].join('\n'))
    if (document !== undefined) await writeFile(join(folder, 'openapi.json'), JSON.stringify(document))
    const at = document === undefined ? `${url}/openapi.json` : join(folder, 'openapi.json')
    const asked = [at, '--url', url, '--max-examples', EXAMPLES, '--seed', SEED]
    const { stdout } = await run(
      program,
      ['--config-file', config, 'run', ...asked, '--continue-on-failure', '--no-color'],
      { cwd: folder, maxBuffer: 2 ** 26 },
    ).catch((error: Error & { stdout: string }) => assert.fail(error.stdout))
    return stdout
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 20 })
  }
}

function told({ operation, takes = {}, without = [], settings = [] }: OnPurpose): string[] {
  return [
    '[[operations]]',
    `include-name = ${JSON.stringify(operation)}`,
    ...settings,
    ...without.map(check => `checks.${check}.enabled = false`),
    ...(Object.keys(takes) as (keyof typeof TAKEN)[]).map(
      check => `checks.${check}.expected-statuses = ${JSON.stringify([...TAKEN[check], ...takes[check]!.map(String)])}`,
    ),
  ]
}
