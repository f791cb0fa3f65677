// Schemathesis against the steps of the tour: it makes requests of each document, good ones and bad ones, and holds every answer to it.
//
// It is a Python program; `npm test` gets it where there is Python (scripts/test.ts). Without it these tests are skipped, by name.
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App } from 'millrace'
import { serve } from 'millrace/server'
import { type Asked, holdTo, skip } from './schemathesis.ts'

const tour = join(import.meta.dirname, '../../../examples/tour')
const steps = globSync('*.ts', { cwd: tour }).sort()

/** OpenAPI has no words for WebSockets: the document of a step that has nothing else has no operation. */
const WITHOUT_OPERATIONS = '16'

/** Only OpenAPI 3.2 has words for events: the document of this step is asked for in them. */
const WITH_EVENTS = '13'

/** By the number of a step: what it is for that no document can say, and what schemathesis has to know of it. */
const ASKED: Readonly<Record<string, Asked>> = {
  '06': {
    onPurpose: [
      { operation: 'GET /report', why: 'is full with three', takes: { not_a_server_error: [503] } },
      { operation: 'GET /slow', why: 'is too late', takes: { not_a_server_error: [504] } },
    ],
  },
  '11': {
    onPurpose: [
      {
        operation: 'PUT /note',
        why: 'changes only what its client has seen',
        takes: { positive_data_acceptance: [412], missing_required_header: [428] },
      },
    ],
  },
  // They never end: one event is read of them, and none where nothing comes.
  '13': {
    settings: ['[[operations]]', 'include-name = "GET /bids"', 'max-stream-events = 1', 'request-timeout = 3'],
  },
  '14': { onPurpose: [{ operation: 'GET /gone', why: 'is gone', takes: { positive_data_acceptance: [410] } }] },
  '19': {
    onPurpose: [
      { operation: 'GET /pages/hello', why: 'leaves other methods to a mount', without: ['unsupported_method'] },
    ],
  },
  // A route of one host: its name leads nowhere, so that the request goes where all go, and says it.
  '21': { settings: ['[[operations]]', 'include-name = "GET /"', 'headers = { Host = "harbour.shop.example" }'] },
  '23': {
    onPurpose: [
      // Beside a header that is a list, it no longer sees that what it sent too much is a cookie, which anybody may have set.
      { operation: 'GET /me', why: 'ignores other cookies', settings: ['generation.allow-extra-parameters = false'] },
    ],
  },
  // A name that ends in a backslash is refused: some readers take what follows for a part of it.
  '24': {
    onPurpose: [
      {
        operation: 'POST /login',
        // And an object for its text, in a form.
        why: 'takes 0 for false, and no backslash before a quote',
        takes: { positive_data_acceptance: [400] },
        without: ['negative_data_rejection'],
      },
      {
        operation: 'POST /albums',
        why: 'takes any bytes for files, and no backslash before a quote',
        takes: { positive_data_acceptance: [400] },
        settings: ['phases.fuzzing.checks.negative_data_rejection.enabled = false'],
      },
    ],
  },
  '26': {
    onPurpose: [
      { operation: 'POST /accounts', why: 'wants two fields alike', takes: { positive_data_acceptance: [422] } },
      { operation: 'GET /items/{id}', why: 'fails at 6', takes: { not_a_server_error: [500] } },
    ],
  },
  '29': { onPurpose: [{ operation: 'POST /mails/broken', why: 'is broken', takes: { not_a_server_error: [500] } }] },
}

/** All that a step is asked. @returns what schemathesis printed */
async function ask(step: string): Promise<string> {
  const number = step.slice(0, 2)
  const { default: app } = (await import(join(tour, step))) as { default: App }
  const document = number === WITH_EVENTS ? { document: app.openapi({ openapiVersion: '3.2.0' }) } : {}
  const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, logLevel: 'error' })
  try {
    return await holdTo(server.url, { ...ASKED[number], ...document })
  } finally {
    await server.close()
  }
}

// Two at a time: most of a run is Python's, and half a minute is saved.
describe('schemathesis, with all its checks', { concurrency: 2, skip, timeout: 1_200_000 }, () => {
  for (const step of steps) {
    const number = step.slice(0, 2)
    if (number === WITHOUT_OPERATIONS)
      test(`has nothing to ask of ${step}`, () =>
        assert.rejects(ask(step), /0 selected \/ 0 total[^]*The schema defines no API operations/))
    else {
      const but = ASKED[number]?.onPurpose?.map(({ operation, why }) => `${operation} ${why}`).join('; ')
      test(`finds nothing in ${step}${but === undefined ? '' : ` (${but})`}`, { timeout: 170_000 }, async () =>
        assert.match(await ask(step), / (\d+) generated, \1 passed/),
      )
    }
  }
})
