// The browser of the tests: one that is installed, started without anything that calls out.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const executablePath = [
  process.env['MILLRACE_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find(path => path !== undefined && existsSync(path))

/** Why tests are skipped, or false. */
export const chromiumIsMissing =
  executablePath === undefined && !process.env['CI']
    ? 'no Chromium found: install one, or say where with MILLRACE_CHROMIUM'
    : false

export function launchChromium(): Promise<Browser> {
  assert.ok(executablePath, 'CI must have a Chromium')
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
