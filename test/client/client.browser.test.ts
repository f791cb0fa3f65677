// The typed client in a browser: what it loads is free of Node, and it works in a page of its own origin and of another.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import ts from 'typescript'
import * as z from 'zod'
import { App, event, events, text } from 'millrace'
import type * as millraceClient from 'millrace/client'
import { cors } from 'millrace/middleware'
import { serve, type Server } from 'millrace/server'
import { chromiumIsMissing, launchChromium, openPage } from '../app/support/chromium.ts'
import { silent } from '../app/support/seams.ts'

const SRC = join(import.meta.dirname, '../../src')

/** A file of src as JavaScript: types and what is imported for them alone are gone. */
function script(file: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  return ts.transpileModule(readFileSync(join(SRC, file), 'utf8'), { compilerOptions }).outputText
}

test('the client loads nothing of Node, of other packages, or of the server', () => {
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const { fileName } of ts.preProcessFile(script(file), true, true).importedFiles) {
      assert.ok(fileName.startsWith('.'), `${file} imports ${fileName}`)
      visit(normalize(join(dirname(file), fileName)))
    }
  }
  visit('client/index.ts')
  const folders = new Set([...seen].map(file => dirname(file)))
  assert.deepEqual([...folders].sort(), ['app', 'client', 'core', 'flow', 'http'])
  const bytes = [...seen].reduce((sum, file) => sum + script(file).length, 0)
  assert.ok(bytes < 60_000, `${seen.size} files of ${bytes} bytes`)
})

const app = new App({ log: silent, docs: false })
app.get('/', () => text('<!doctype html><title>Client</title>', { type: 'text/html' }))
app.get('/m/{file*}', ({ params }) => text(script(params.file), { type: 'text/javascript' }))
const seen = app.post('/seen', { body: z.object({ at: z.date() }) }, ({ body, request }) => ({
  at: body.at.getTime(),
  key: request.headers.get('idempotency-key'),
  timeout: request.headers.get('request-timeout-ms'),
}))
const upload = app.post('/upload', { files: { one: {} } }, async ({ files }) => [files.one.name, files.one.size])
const ticks = app.get(
  '/ticks',
  { headers: z.object({ 'last-event-id': z.int().default(0) }), returns: events(z.int(), { retry: 1 }) },
  async function* ({ headers }) {
    const n = headers['last-event-id'] + 1
    yield event(n, { id: n })
    throw new Error('lost')
  },
)
const missing = app.get('/missing', { returns: { 404: z.object({ title: z.string() }) } }, ({ reply }) =>
  reply(404, { title: 'Not here' }),
)
export const routes = { seen, upload, ticks, missing }

describe('the typed client in Chromium', { skip: chromiumIsMissing, timeout: 600_000 }, () => {
  let server: Server
  let other: Server
  let browser: Browser
  let page: Page
  before(async () => {
    const local = { host: '127.0.0.1', port: 0, signals: false } as const
    server = await serve(app, local)
    // The same routes for pages of other origins, which may send what every page may and nothing else.
    const open = new App({ log: silent, docs: false, use: [cors({ methods: ['GET', 'POST'] })] })
    open.include(seen)
    other = await serve(open, local)
    browser = await launchChromium()
    page = await openPage(browser)
    await page.goto(server.url)
  })
  after(async () => {
    await browser?.close()
    await Promise.all([server?.close(), other?.close()])
  })

  test('calls, uploads, narrows and explains', async () => {
    const found = await page.evaluate(async () => {
      const module = '/m/client/index.ts'
      const { client, unwrap } = (await import(module)) as typeof millraceClient
      const api: millraceClient.Client<typeof routes> = client('')
      const at = new Date(7)
      return {
        seen: await unwrap(api.post('/seen', { body: { at } })),
        upload: await unwrap(api.post('/upload', { files: { one: new File(['abc'], 'a.txt') } })),
        missing: await unwrap(api.get('/missing')).catch((error: Error) => error.message),
      }
    })
    assert.equal(found.seen.at, 7)
    assert.match(found.seen.key ?? '', /^[0-9a-f-]{36}$/)
    assert.ok(Number(found.seen.timeout) > 0)
    assert.deepEqual(found.upload, ['a.txt', 3])
    assert.equal(found.missing, 'GET /missing answered 404 Not here')
  })

  test('reads events on after each lost connection', async () => {
    const found = await page.evaluate(async () => {
      const module = '/m/client/index.ts'
      const { client } = (await import(module)) as typeof millraceClient
      const api: millraceClient.Client<typeof routes> = client('')
      const answer = await api.get('/ticks')
      const found: number[] = []
      if (answer.status === 200)
        for await (const { data } of answer.body) {
          found.push(data)
          if (data === 4) break
        }
      return found
    })
    assert.deepEqual(found, [1, 2, 3, 4])
  })

  test('sends another origin nothing that its CORS would have to allow first', async () => {
    const found = await page.evaluate(async url => {
      const module = '/m/client/index.ts'
      const { client, unwrap } = (await import(module)) as typeof millraceClient
      const plain: millraceClient.Client<typeof routes> = client(url)
      const asking: millraceClient.Client<typeof routes> = client(url, { idempotencyKeys: true, retry: false })
      return {
        plain: await unwrap(plain.post('/seen', { body: { at: new Date(7) } })),
        asking: await asking
          .post('/seen', { body: { at: new Date(7) } })
          .catch((error: { code: string }) => error.code),
      }
    }, other.url)
    assert.deepEqual(found.plain, { at: 7, key: null, timeout: null })
    assert.equal(found.asking, 'CLIENT_NO_ANSWER')
  })
})
