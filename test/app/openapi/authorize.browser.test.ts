// Swagger UI's Authorize in a real browser: OAuth 2 with name and password against the shop, and with a login elsewhere.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { createServer, request as forward, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { App, dependency, fail } from 'millrace'
import { cors } from 'millrace/middleware'
import { bearer, oauth2AuthorizationCode, requireScopes } from 'millrace/security'
import { serve, type Server } from 'millrace/server'
import type { Browser, Page } from 'playwright-core'
import * as z from 'zod'
import shopApp from '../../../examples/shop/app.ts'
import { openShop } from '../../examples/support/shop.ts'
import { chromiumIsMissing, launchChromium, openPage } from '../support/chromium.ts'

const shop = chromiumIsMissing ? undefined : await openShop(0)
const SERVE = { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' } as const
const password = 'correct horse battery'

describe("Swagger UI's Authorize in Chromium", { skip: chromiumIsMissing, timeout: 600_000 }, () => {
  let browser: Browser
  let server: Server
  before(async () => {
    browser = await launchChromium()
    server = await serve(shopApp, SERVE)
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  async function open(url: string): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
    const page = await openPage(browser, { viewport: { width: 1200, height: 1000 } })
    const complaints: string[] = []
    page.on('console', message => {
      // The browser itself notes every 401; nothing else may be said.
      if (message.type() === 'error' && !/status of 401/.test(message.text())) complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(error.message))
    await page.goto(url)
    await page.locator('.opblock').first().waitFor()
    return { page, complaints }
  }

  /** @returns the status and the body of what came */
  async function tryOut(page: Page, operationId: string): Promise<readonly [status: string, body: string]> {
    const operation = page.locator(`[id$="-${operationId}"]`).first()
    if (!(await operation.locator('.opblock-body').isVisible()))
      await operation.locator('.opblock-summary-control').click()
    // Drawn a moment after the click: whether it is there to begin or to cancel can only be asked then.
    await operation.locator('.try-out__btn').first().waitFor()
    const begin = operation.locator('.try-out__btn:not(.cancel)')
    if (await begin.isVisible()) await begin.click()
    const live = operation.locator('.live-responses-table tbody tr').first()
    // The answer of the try before would pass for that of this one.
    const clear = operation.locator('.btn-clear')
    if (await clear.isVisible()) {
      await clear.click()
      await live.waitFor({ state: 'detached' })
    }
    await operation.locator('.execute').click()
    await live.waitFor()
    const status = await live.locator('.response-col_status').textContent()
    return [status?.trim().slice(0, 3) ?? '', (await live.locator('.response-col_description').textContent()) ?? '']
  }

  async function logInWith(page: Page, username: string, secret: string): Promise<void> {
    await page.locator('.auth-wrapper > .authorize, .scheme-container .authorize').first().click()
    const form = page.locator('.auth-container', { hasText: 'OAuth2PasswordBearer' })
    await form.locator('input[name="username"], #oauth_username').fill(username)
    await form.locator('input[name="password"], #oauth_password').fill(secret)
    for (const box of await form.locator('.scopes .checkbox label[for]').all()) await box.click()
    await form.locator('button.authorize').click()
  }

  const shown = async (page: Page, name: string) => {
    const folder = process.env['MILLRACE_SCREENSHOTS']
    if (folder) await page.screenshot({ path: `${folder}/${name}.png` })
  }

  test('with the OAuth 2 password flow an endpoint of the shop answers 200; without it 401; after log-out 401 again', async () => {
    const email = 'browser@example.com'
    const { status } = await shop!.send('POST', '/accounts', { email, password })
    assert.equal(status, 201)
    const { page, complaints } = await open(`${server.url}/docs`)
    const [refused, why] = await tryOut(page, 'getMyAccount')
    assert.equal(refused, '401')
    assert.match(why, /Not authenticated/)
    assert.match(why, /www-authenticate: Bearer scope="account"/)
    await shown(page, 'without')

    await logInWith(page, email, password)
    await page
      .locator('.auth-container', { hasText: 'OAuth2PasswordBearer' })
      .locator('button', { hasText: 'Logout' })
      .waitFor()
    await shown(page, 'authorized')
    await page.locator('.modal-ux .btn-done').last().click()
    const [seen, account] = await tryOut(page, 'getMyAccount')
    assert.equal(seen, '200')
    assert.match(account, /browser@example\.com/)
    await shown(page, 'with')
    assert.equal((await tryOut(page, 'listMyOrders'))[0], '200')

    await page.locator('.scheme-container .authorize').first().click()
    await page
      .locator('.auth-container', { hasText: 'OAuth2PasswordBearer' })
      .locator('button', { hasText: 'Logout' })
      .click()
    await page.locator('.modal-ux .btn-done').last().click()
    assert.equal((await tryOut(page, 'getMyAccount'))[0], '401')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  test('the wrong password is told in the words of the token endpoint', async () => {
    const { page } = await open(`${server.url}/docs`)
    await logInWith(page, 'browser@example.com', 'wrong')
    const told = page.locator('.auth-container .errors').first()
    await told.waitFor()
    assert.match((await told.textContent()) ?? '', /Bad Request|invalid_grant|password is wrong/)
    await shown(page, 'wrong')
    await page.close()
  })

  test("the shopkeeper's API key is sent in its header", async () => {
    const { page } = await open(`${server.url}/docs`)
    await page.locator('.scheme-container .authorize').first().click()
    const form = page.locator('.auth-container', { hasText: 'X-API-Key' })
    await form.locator('input').fill('a key for tests')
    await form.locator('button.authorize').click()
    await page.locator('.modal-ux .btn-done').last().click()
    const [status] = await tryOut(page, 'addProduct')
    assert.equal(status, '201')
    await page.close()
  })

  test('the password flow works behind a proxy that takes a path prefix off', async () => {
    const proxy = await prefixed(server.url)
    try {
      const { port } = proxy.address() as AddressInfo
      const { page, complaints } = await open(`http://127.0.0.1:${port}/shop/docs`)
      await logInWith(page, 'browser@example.com', password)
      await page.locator('.auth-container button', { hasText: 'Logout' }).first().waitFor()
      await page.locator('.modal-ux .btn-done').last().click()
      assert.equal((await tryOut(page, 'getMyAccount'))[0], '200')
      assert.deepEqual(complaints, [])
      await page.close()
    } finally {
      proxy.closeAllConnections()
      proxy.close()
    }
  })

  test('the authorization code flow comes back from a login elsewhere with a token, by PKCE', async () => {
    const issuer = await serve(authorizationServer(), SERVE)
    const api = await serve(guardedBy(issuer.url), SERVE)
    try {
      const { page, complaints } = await open(`${api.url}/docs`)
      assert.equal((await tryOut(page, 'whoAmI'))[0], '401')
      await page.locator('.scheme-container .authorize').first().click()
      const form = page.locator('.auth-container', { hasText: 'OAuth2AuthorizationCodeBearer' })
      assert.equal(await form.locator('input[data-name="clientId"], #client_id_authorizationCode').inputValue(), 'docs')
      await form.locator('button.authorize').click()
      await form.locator('button', { hasText: 'Logout' }).waitFor()
      await shown(page, 'code')
      await page.locator('.modal-ux .btn-done').last().click()
      const [status, body] = await tryOut(page, 'whoAmI')
      assert.equal(status, '200')
      assert.match(body, /ada/)
      assert.deepEqual(complaints, [])
      await page.close()
    } finally {
      await api.close()
      await issuer.close()
    }
  })
})

/** A proxy that serves `url` under /shop. */
async function prefixed(url: string): Promise<HttpServer> {
  const proxy = createServer((incoming, outgoing) => {
    const path = incoming.url!.replace(/^\/shop/, '')
    const onward = forward(url + path, { method: incoming.method, headers: incoming.headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  return proxy
}

/** OAuth 2's authorization endpoint for a person who agrees at once, and a token endpoint that wants the proof (RFC 7636). */
function authorizationServer(): App {
  const codes = new Map<string, { readonly challenge: string; readonly redirect: string }>()
  const app = new App({ title: 'Login', use: [cors({ headers: '*' })] })
  app.get(
    '/authorize',
    {
      query: z.object({
        response_type: z.literal('code'),
        client_id: z.literal('docs'),
        redirect_uri: z.url(),
        state: z.string(),
        code_challenge: z.string(),
        code_challenge_method: z.literal('S256'),
      }),
      returns: { 302: null },
    },
    ({ query, reply }) => {
      const code = randomUUID()
      codes.set(code, { challenge: query.code_challenge, redirect: query.redirect_uri })
      const location = new URL(query.redirect_uri)
      location.searchParams.set('code', code)
      location.searchParams.set('state', query.state)
      return reply(302, null, { headers: { location: location.href } })
    },
  )
  app.post(
    '/token',
    {
      form: z.object({
        grant_type: z.literal('authorization_code'),
        code: z.string(),
        redirect_uri: z.url(),
        code_verifier: z.string(),
      }),
    },
    ({ form }) => {
      const given = codes.get(form.code)
      codes.delete(form.code)
      const challenge = createHash('sha256').update(form.code_verifier).digest('base64url')
      if (given?.challenge !== challenge || given.redirect !== form.redirect_uri) fail(400, 'invalid_grant')
      return { access_token: 'token-of-ada', token_type: 'bearer' }
    },
  )
  return app
}

function guardedBy(issuer: string): App {
  const login = oauth2AuthorizationCode({
    authorizationUrl: `${issuer}/authorize`,
    tokenUrl: `${issuer}/token`,
    scopes: { me: 'Who you are' },
  })
  const user = dependency({ security: login }, ({ token }) => (token === 'token-of-ada' ? 'ada' : fail(401)))
  const other = dependency({ security: bearer() }, () => 1)
  const app = new App({ title: 'Guarded', docs: { oauth: { clientId: 'docs', scopes: ['me'] } } })
  app.get('/me', { operationId: 'whoAmI', uses: { user: requireScopes(user, 'me') } }, ({ user }) => user)
  app.get('/other', { uses: { other } }, () => 1)
  return app
}
