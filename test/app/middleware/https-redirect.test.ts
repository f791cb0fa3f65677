import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App } from 'millrace'
import { httpsRedirect, type HttpsRedirectOptions } from 'millrace/middleware'
import { serve } from 'millrace/server'
import { silent } from '../support/seams.ts'

function appWith(options?: HttpsRedirectOptions): App {
  const app = new App({ log: silent, use: [httpsRedirect(options)] })
  app.get('/a', () => 1)
  app.get('/health', () => 1)
  return app
}
const ask = (app: App, url: string, init?: RequestInit) => app.fetch(new Request(url, init))

describe('httpsRedirect()', () => {
  test('sends http to https with 307, path and query kept, the port left out', async () => {
    const answer = await ask(appWith(), 'http://shop.example:8000/a%2520b/%C3%BC?x=1&y=%20')
    assert.equal(answer.status, 307)
    assert.equal(answer.headers.get('location'), 'https://shop.example/a%2520b/%C3%BC?x=1&y=%20')
    const posted = await ask(appWith(), 'http://shop.example/nowhere', { method: 'POST', body: 'x' })
    assert.equal(posted.status, 307)
    assert.equal((await ask(appWith(), 'http://[::1]:8000/%3F')).headers.get('location'), 'https://[::1]/%3F')
  })

  test('leaves https alone', async () => {
    assert.equal((await ask(appWith(), 'https://shop.example/a')).status, 200)
  })

  test('sends with 308, to another port, and not what it is told to leave', async () => {
    const app = appWith({ status: 308, port: 8443, except: ({ path }) => path === '/health' })
    const answer = await ask(app, 'http://shop.example/a')
    assert.equal(answer.status, 308)
    assert.equal(answer.headers.get('location'), 'https://shop.example:8443/a')
    assert.equal((await ask(app, 'http://shop.example/health')).status, 200)
  })

  test('believes the scheme that a trusted proxy tells, and nobody else', async t => {
    const asked = async (settings: object) => {
      const server = await serve(appWith(), { port: 0, host: '127.0.0.1', signals: false, ...settings })
      t.after(() => server.close())
      const headers = { 'x-forwarded-proto': 'https', connection: 'close' }
      return fetch(`${server.url}/a`, { headers, redirect: 'manual' })
    }
    assert.equal((await asked({ trustedProxies: '127.0.0.1' })).status, 200)
    assert.equal((await asked({})).status, 307)
  })

  test('refuses options that make no redirect', () => {
    for (const options of [{ status: 301 as 307 }, { port: 0 }, { port: 65_536 }])
      assert.throws(() => httpsRedirect(options), { code: 'HTTPS_REDIRECT_BAD_OPTIONS' })
  })
})
