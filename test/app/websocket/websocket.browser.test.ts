// A real browser: compression offered as browsers do, text and bytes, subprotocols, close codes, and pages of another site kept out.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { App } from 'millrace'
import { serve, type Server } from 'millrace/server'
import type { Browser } from 'playwright-core'
import { chromiumIsMissing, launchChromium, openPage } from '../support/chromium.ts'
import { silent } from '../support/seams.ts'

describe('a WebSocket from Chromium', { skip: chromiumIsMissing, timeout: 600_000 }, () => {
  let server: Server
  let other: Server
  let browser: Browser
  before(async () => {
    const app = new App({ log: silent })
    app.get('/', () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }))
    for (const compress of [false, true])
      app.ws(
        compress ? '/packed' : '/plain',
        { messages: 'mixed', subprotocols: ['v2', 'v1'], compress },
        async ({ socket }) => {
          for await (const message of socket)
            if (message === 'close') socket.close(4001, 'as you wish')
            else await socket.send(message)
        },
      )
    server = await serve(app, { host: '127.0.0.1', port: 0, signals: false })
    other = await serve(app, { host: '127.0.0.1', port: 0, signals: false })
    browser = await launchChromium()
  })
  after(async () => {
    await browser?.close()
    await server?.close()
    await other?.close()
  })

  for (const path of ['/plain', '/packed'])
    test(`${path}: what is sent comes back as it was, and the end is told`, async () => {
      const page = await openPage(browser)
      await page.goto(server.url)
      const seen = await page.evaluate(async path => {
        const socket = new WebSocket(location.origin.replace('http', 'ws') + path, ['v1', 'v3'])
        socket.binaryType = 'arraybuffer'
        const next = () =>
          new Promise<MessageEvent>((resolve, reject) => {
            socket.onmessage = resolve
            socket.onclose = event => reject(new Error(`closed with ${event.code}`))
          })
        await new Promise((resolve, reject) => {
          socket.onopen = resolve
          socket.onerror = reject
        })
        const texts: unknown[] = []
        for (const text of ['é€😀', 'long '.repeat(10_000)]) {
          const arrives = next()
          socket.send(text)
          texts.push((await arrives).data === text)
        }
        const arrives = next()
        socket.send(new Uint8Array([0, 1, 255]))
        const bytes = [...new Uint8Array((await arrives).data as ArrayBuffer)]
        const closes = new Promise<CloseEvent>(resolve => (socket.onclose = resolve))
        socket.send('close')
        const { code, reason, wasClean } = await closes
        return { texts, bytes, code, reason, wasClean, protocol: socket.protocol, extensions: socket.extensions }
      }, path)
      const { extensions, ...rest } = seen
      assert.deepEqual(rest, {
        texts: [true, true],
        bytes: [0, 1, 255],
        code: 4001,
        reason: 'as you wish',
        wasClean: true,
        protocol: 'v1',
      })
      assert.equal(extensions.startsWith('permessage-deflate'), path === '/packed')
      await page.close()
    })

  test('a page of another site does not get in', async () => {
    const page = await openPage(browser)
    await page.goto(other.url)
    const code = await page.evaluate(
      url =>
        new Promise<number>(resolve => {
          new WebSocket(url).onclose = event => resolve(event.code)
        }),
      `${server.url.replace('http', 'ws')}/plain`,
    )
    assert.equal(code, 1006)
    await page.close()
  })
})
