// Swagger UI's "Try it out" in a real browser, against the step of the tour about forms and files: files go up, and who sends what does
// not fit reads why.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { serve, type Server } from 'millrace/server'
import type { Browser, Locator, Page } from 'playwright-core'
import app from '../../../examples/tour/24-forms-and-files.ts'
import { chromiumIsMissing, launchChromium, openPage } from '../support/chromium.ts'

describe('"Try it out" with forms and files, in Chromium', { skip: chromiumIsMissing, timeout: 600_000 }, () => {
  let server: Server
  let browser: Browser
  before(async () => {
    server = await serve(app, { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' })
    browser = await launchChromium()
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  for (const [reader, width] of [
    ['on a desk', 1280],
    ['on a phone', 390],
  ] as const) {
    test(`uploads files and shows the answer, ${reader}`, async () => {
      const { page, operation, complaints } = await open(width)
      await fill(operation, { title: 'Blue', year: '1971' })
      const cover = { name: 'blue.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47]) }
      await operation.locator('[data-property-name="cover"] input[type="file"]').setInputFiles(cover)
      const songs = operation.locator('[data-property-name="songs"]')
      for (const [n, name] of ['carey.mp3', 'river.mp3'].entries()) {
        await songs.locator('.json-schema-form-item-add').click()
        const song = { name, mimeType: 'audio/mpeg', buffer: Buffer.alloc(100 + n) }
        await songs.locator('input[type="file"]').nth(n).setInputFiles(song)
      }
      const { status, body } = await execute(operation)
      assert.equal(status, '200')
      assert.deepEqual(body, { title: 'Blue', year: 1971, cover: 4, songs: ['carey.mp3 100', 'river.mp3 101'] })
      assert.ok(await isSeen(operation), 'the answer can be scrolled to, and nothing is wider than the page')
      assert.deepEqual(complaints, [])
      await page.close()
    })

    test(`leaves out the files that nobody chose, ${reader}`, async () => {
      const { page, operation } = await open(width)
      const cover = { name: 'blue.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47]) }
      await operation.locator('[data-property-name="cover"] input[type="file"]').setInputFiles(cover)
      const { status, body } = await execute(operation)
      assert.equal(status, '200')
      assert.deepEqual(body['songs'], [])
      await page.close()
    })

    test(`shows a 422 with all its errors, ${reader}`, async () => {
      const { page, operation, complaints } = await open(width)
      await fill(operation, { title: 'Blue', year: 'soon' })
      const cover = { name: 'blue.txt', mimeType: 'text/plain', buffer: Buffer.from('blue') }
      await operation.locator('[data-property-name="cover"] input[type="file"]').setInputFiles(cover)
      const { status, body } = await execute(operation)
      assert.equal(status, '422')
      const errors = body['errors'] as { loc: unknown[]; msg: string }[]
      assert.deepEqual(
        errors.map(({ loc }) => loc.join('.')),
        ['body.year', 'body.cover'],
      )
      for (const { msg } of errors) assert.ok(msg.length > 0)
      assert.ok(await isSeen(operation), 'the answer can be scrolled to, and nothing is wider than the page')
      // The browser itself notes every 422; nothing else may be said.
      assert.deepEqual(
        complaints.filter(text => !/status of 422/.test(text)),
        [],
      )
      await page.close()
    })
  }

  async function open(width: number): Promise<{ page: Page; operation: Locator; complaints: readonly string[] }> {
    const page = await openPage(browser, { viewport: { width, height: 844 } })
    const complaints: string[] = []
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(error.message))
    await page.goto(`${server.url}/docs`)
    const operation = page.locator('[id$="-postAlbums"]').first()
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('.try-out__btn').click()
    return { page, operation, complaints }
  }
})

async function fill(operation: Locator, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(fields))
    await operation.locator(`[data-property-name="${name}"] input[type="text"]`).fill(text)
}

/** @returns what the page shows of the answer, not what came over the wire */
async function execute(operation: Locator): Promise<{ status: string; body: Record<string, unknown> }> {
  await operation.locator('.execute').click()
  const live = operation.locator('.live-responses-table tbody tr').first()
  const status = await live.locator('.response-col_status').textContent()
  const body = await live.locator('.highlight-code code').first().textContent()
  return { status: status?.trim().slice(0, 3) ?? '', body: JSON.parse(body ?? '') as Record<string, unknown> }
}

async function isSeen(operation: Locator): Promise<boolean> {
  const code = operation.locator('.live-responses-table .highlight-code code').first()
  await code.scrollIntoViewIfNeeded()
  return code.evaluate(
    element =>
      element.checkVisibility() && document.documentElement.scrollWidth <= document.documentElement.clientWidth,
  )
}
