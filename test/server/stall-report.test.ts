import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { heldBy } from '../../src/server/stall-report.ts'

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
