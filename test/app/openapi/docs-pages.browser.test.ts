// The docs pages in a real browser: they work, follow light and dark, fit a phone, and ask nobody but their own host.
import assert from 'node:assert/strict'
import { createServer, request as forward, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { serve, type Server } from 'millrace/server'
import { chromiumIsMissing, launchChromium, openPage } from '../support/chromium.ts'
import { representativeApp } from './representative-app.ts'

/** Everything a page did that it should not have. */
interface Visit {
  readonly page: Page
  readonly outside: string[]
  readonly complaints: string[]
}

describe('the docs pages in Chromium', { skip: chromiumIsMissing, timeout: 600_000 }, () => {
  let server: Server
  let browser: Browser
  let proxy: HttpServer
  before(async () => {
    server = await serve(representativeApp(), { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' })
    proxy = createServer((incoming, outgoing) => {
      const path = incoming.url!.replace(/^\/shop/, '')
      const onward = forward(server.url + path, { method: incoming.method, headers: incoming.headers }, answer => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    })
    await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
    browser = await launchChromium()
  })
  after(async () => {
    await browser?.close()
    await new Promise(resolve => (proxy ? proxy.close(resolve) : resolve(undefined)))
    await server?.close()
  })

  async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const page = await openPage(browser, options)
    const outside: string[] = []
    const complaints: string[] = []
    const { origin } = new URL(url)
    page.on('request', request => {
      const at = request.url()
      if (!at.startsWith(`${origin}/`) && !at.startsWith(`blob:${origin}/`) && !at.startsWith('data:')) outside.push(at)
    })
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(error.message))
    await page.goto(url)
    return { page, outside, complaints }
  }

  async function tryItOut({ page }: Visit): Promise<string> {
    const operation = page.locator('[id$="getProductsById"]').first()
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('.try-out__btn').click()
    await operation.locator('input[placeholder="id"]').fill('7')
    await operation.locator('.execute').click()
    return (await operation.locator('.live-responses-table tbody .response-col_status').first().textContent()) ?? ''
  }

  function isQuiet({ outside, complaints }: Visit): void {
    assert.deepEqual(outside, [], 'no request leaves the host')
    assert.deepEqual(complaints, [], 'the console stays empty, security policy included')
  }

  test('Swagger UI lists every operation, and "Try it out" gets an answer', async () => {
    const visited = await visit(`${server.url}/docs`)
    await visited.page.locator('.opblock').first().waitFor()
    assert.match(await visited.page.title(), /Shop/)
    assert.match(await tryItOut(visited), /^200/)
    isQuiet(visited)
    await visited.page.close()
  })

  test('Swagger UI works behind a proxy that takes a path prefix off', async () => {
    const { port } = proxy.address() as AddressInfo
    const visited = await visit(`http://127.0.0.1:${port}/shop/docs`)
    await visited.page.locator('.opblock').first().waitFor()
    assert.match(await tryItOut(visited), /^200/)
    assert.match((await visited.page.locator('.request-url').first().textContent()) ?? '', /\/shop\/products\/7/)
    isQuiet(visited)
    await visited.page.close()
  })

  test('Swagger UI fits a phone with "Try it out" open and answered', async () => {
    const { page, ...visited } = await visit(`${server.url}/docs`, { viewport: { width: 390, height: 844 } })
    await page.locator('.opblock').first().waitFor()
    assert.match(await tryItOut({ page, ...visited }), /^200/)
    const { width, reset, download, text } = await page.evaluate(() => {
      const box = (selector: string) => document.querySelector(selector)!.getBoundingClientRect()
      const code = document.querySelector('.live-responses-table .highlight-code code')!
      return {
        width: document.documentElement.scrollWidth,
        reset: box('.btn.reset, .try-out__btn.cancel').right,
        download: box('.download-contents').top,
        text: code.getBoundingClientRect().bottom,
      }
    })
    assert.ok(width <= 390, `${width} px wide`)
    assert.ok(reset <= 390, `a button ends at ${reset} px`)
    assert.ok(download >= text, `Download begins at ${download} px, the text ends at ${text} px`)
    await page.close()
  })

  test('ReDoc shows the operations and finds them by its search', async () => {
    const visited = await visit(`${server.url}/redoc`)
    await visited.page.locator('[data-section-id="tag/catalog"]').first().waitFor()
    await visited.page.locator('input[type="text"]').first().fill('category')
    await visited.page.locator('[data-role="search:results"] label', { hasText: 'category' }).first().waitFor()
    isQuiet(visited)
    await visited.page.close()
  })

  for (const [where, ready] of [
    ['/docs', '.opblock'],
    ['/redoc', '[data-section-id="tag/catalog"]'],
  ] as const) {
    test(`${where} follows the reader's choice of light or dark, also when it changes`, async () => {
      const { page } = await visit(`${server.url}${where}`, { colorScheme: 'dark' })
      await page.locator(ready).first().waitFor()
      const becomes = (isDark: boolean) =>
        page.waitForFunction(dark => document.documentElement.classList.contains('dark-mode') === dark, isDark)
      await becomes(true)
      await page.emulateMedia({ colorScheme: 'light' })
      await becomes(false)
      await page.locator(ready).first().waitFor()
      await page.close()
    })

    if (where === '/redoc')
      test(`${where} can be read in the dark`, async () => {
        const { page } = await visit(`${server.url}${where}`, { colorScheme: 'dark' })
        await page.locator(ready).first().waitFor()
        // Folded parts too: nested tables are where the library's own white comes through.
        for (const folded of await page.locator('td > button').all()) await folded.click()
        const { pale, seen } = await page.evaluate(paleTexts)
        for (const text of ['Payload', 'application/json', '^[A-Z]{3}$', 'Array']) assert.ok(seen.includes(text), text)
        assert.deepEqual(pale, [])
        await page.close()
      })

    test(`${where} fits the width of a phone`, async () => {
      const visited = await visit(`${server.url}${where}`, { viewport: { width: 390, height: 844 } })
      await visited.page.locator(ready).first().waitFor({ state: 'attached' })
      const width = await visited.page.evaluate(() => document.documentElement.scrollWidth)
      assert.ok(width <= 390, `${width} px wide`)
      isQuiet(visited)
      await visited.page.close()
    })
  }
})

/** Runs in the page. @returns texts with less contrast than WCAG 2.2 AA wants (4.5), each with its ratio, and all texts that were looked at */
function paleTexts(): { pale: string[]; seen: string[] } {
  type Color = readonly [number, number, number, number]
  const colorOf = (css: string): Color => {
    const [r = 0, g = 0, b = 0, a = 1] = css.match(/[\d.]+/g)!.map(Number)
    return [r, g, b, a]
  }
  const over = (top: Color, under: Color): Color => {
    const mix = (n: 0 | 1 | 2) => top[n] * top[3] + under[n] * (1 - top[3])
    return [mix(0), mix(1), mix(2), 1]
  }
  const luminance = ([r, g, b]: Color): number => {
    const linear = (of: number) => (of / 255 <= 0.04045 ? of / 255 / 12.92 : ((of / 255 + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  }
  const pale = new Set<string>()
  const seen = new Set<string>()
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes]
      .map(node => (node.nodeType === Node.TEXT_NODE ? node.nodeValue! : ''))
      .join('')
      .trim()
    if (text === '' || /^(SCRIPT|STYLE|OPTION)$/.test(element.tagName) || !element.checkVisibility()) continue
    seen.add(text)
    const layers: Color[] = []
    for (let at: Element | null = element; at; at = at.parentElement)
      layers.push(colorOf(getComputedStyle(at).backgroundColor))
    const behind = layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1] as Color)
    const shown = over(colorOf(getComputedStyle(element).color), behind)
    const [dark, light] = [luminance(shown), luminance(behind)].sort((a, b) => a - b) as [number, number]
    const ratio = (light + 0.05) / (dark + 0.05)
    if (ratio < 4.5) pale.add(`${ratio.toFixed(2)} ${text.slice(0, 40)}`)
  }
  return { pale: [...pale], seen: [...seen] }
}
