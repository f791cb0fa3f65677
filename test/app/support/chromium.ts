// The browser of the tests: one that is installed, started without anything that calls out.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

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

/** A page of its own, whose steps may take as long as a machine that runs other tests needs: Playwright's 30 s are soon over there. */
export async function openPage(browser: Browser, options?: BrowserContextOptions): Promise<Page> {
  const page = await browser.newPage(options)
  page.context().setDefaultTimeout(120_000)
  return page
}
