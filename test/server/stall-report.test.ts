import assert from 'node:assert/strict'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { heldBy, heldUntilReport, whatHolds } from '../../src/server/stall-report.ts'

const place = (path: string) => pathToFileURL(join(process.cwd(), path)).href

test('what holds an event loop is told in one line, the innermost frames of the application first', () => {
  const frames = [
    'at JSON.parse (<anonymous>)',
    `at parse (${place('node_modules/slow/index.js')}:9:1)`,
    `at async crunch (${place('lib/crunch.ts')}:12:7)`,
    `at ${place('app.ts')}:30:3`,
    `at third (${place('app.ts')}:31:3)`,
    `at fourth (${place('app.ts')}:32:3)`,
    'at listOnTimeout (node:internal/timers:605:17)',
  ]
  assert.equal(heldBy(frames), 'crunch (lib/crunch.ts:12) < anonymous (app.ts:30) < third (app.ts:31)')
})

test("where no frame is the application's, those that are there are told", () => {
  const frames = [
    `at parse (${place('node_modules/slow/index.js')}:9:1)`,
    'at listOnTimeout (node:internal/timers:605:17)',
  ]
  assert.equal(heldBy(frames), 'parse (node_modules/slow/index.js:9) < listOnTimeout (node:internal/timers:605)')
})

test('a report that is older than the silence is of an earlier one, and is not told', async context => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-stall-'))
  context.after(() => rm(folder, { recursive: true, maxRetries: 20 }))
  const file = join(folder, 'worker-1-2.json')
  await writeFile(file, JSON.stringify({ javascriptStack: { stack: [`at spin (${place('app.ts')}:3:1)`] } }))
  assert.equal(heldUntilReport(file, 10), `held by spin (app.ts:3); report: ${file}`)
  const before = new Date(Date.now() - 13_000)
  await utimes(file, before, before)
  assert.equal(heldUntilReport(file, 10), undefined)
  assert.equal(whatHolds(process.pid, file, 10), 'its event loop is blocked in a call of the system')
  assert.equal(heldUntilReport(file, 60), `held by spin (app.ts:3); report: ${file}`)
})
