// `millrace dev` and a browser: what somebody sees who looks at a page while the code is broken, and when it is mended.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { chromiumIsMissing, launchChromium, openPage } from '../app/support/chromium.ts'
import { APPS, freePort, RunningCommand, temporaryFolder } from './running-server.ts'

const page = (title: string) => `import { App, html } from 'millrace'

const app = new App({ title: 'Seen' })
app.get('/', async () => html('<!doctype html><title>${title}</title><h1>${title}</h1>'))
app.get('/price', async () => '${title}')
export default app
`

/** A bracket is missing, which shows in line 5. */
const unfinished = page('half done').replace("</h1>'))", "</h1>')")

describe('dev in a browser', { skip: chromiumIsMissing, timeout: 240_000 }, () => {
  let browser: Browser
  before(async () => {
    browser = await launchChromium()
  })
  after(() => browser.close())

  test('a page shows why the code does not run, file and line, and is itself again when the code is mended', async context => {
    const directory = await temporaryFolder(context, APPS)
    const file = join(directory, 'app.ts')
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    await writeFile(file, unfinished)
    const command = new RunningCommand(['dev', 'app.ts', '--port', String(port), '--admin', 'off'], { directory })
    context.after(async () => {
      command.child.kill('SIGKILL')
      await command.exited
    })

    // Nothing has ever run: the address says why, to people and to programs.
    await command.says(new RegExp(`error: app\\.ts:5: [^]*waiting for a change; ${url} shows this too`))
    const visitor = await openPage(browser)
    assert.equal((await visitor.goto(url))?.status(), 503)
    assert.match((await visitor.locator('#error').textContent())!, /^app\.ts:5: /)
    const answer = await fetch(`${url}/price`)
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [503, 'application/problem+json'])
    assert.match(((await answer.json()) as { detail: string }).detail, /^app\.ts:5: /)
    await writeFile(file, page('one'))
    await visitor.locator('h1', { hasText: /^one$/ }).waitFor()

    // An open page stays, and its calls are answered by the code that runs.
    await writeFile(file, `throw new Error('<b>not yet</b>')\n${page('two')}`)
    await command.says(/not reloaded, the old workers go on: app\.ts:1: <b>not yet<\/b>/)
    assert.equal(await visitor.locator('h1').textContent(), 'one')
    assert.equal(await visitor.evaluate('fetch("/price").then(answer => answer.json())'), 'one')
    assert.equal((await visitor.reload())?.status(), 500)
    assert.match((await visitor.locator('#error').textContent())!, /^app\.ts:1: <b>not yet<\/b>/)
    await writeFile(file, `throw new Error('nor now')\n${page('two')}`)
    await visitor.locator('#error', { hasText: 'nor now' }).waitFor()
    await writeFile(file, page('three'))
    await visitor.locator('h1', { hasText: /^three$/ }).waitFor()
    command.signal('SIGTERM')
    assert.deepEqual(await command.exited, { code: 0, signal: null })
  })
})
