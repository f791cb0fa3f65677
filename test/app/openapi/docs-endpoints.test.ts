import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { App, dependency } from 'millrace'
import { oauth2AuthorizationCode } from 'millrace/security'

function get(app: App<any, any>, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return app.fetch(new Request(`http://api.test${path}`, { headers }))
}

function hello(options: ConstructorParameters<typeof App>[0] = {}): App {
  const app = new App({ title: 'Hello', ...options } as object)
  app.get('/', () => ({ message: 'hello' }))
  return app
}

describe('the docs endpoints', () => {
  test('serve the document, both pages and their files from the package', async () => {
    const app = hello()
    const types = {
      '/openapi.json': 'application/json',
      '/docs': 'text/html; charset=utf-8',
      '/docs/page.js': 'text/javascript; charset=utf-8',
      '/docs/page.css': 'text/css; charset=utf-8',
      '/docs/swagger-ui.css': 'text/css; charset=utf-8',
      '/docs/swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
      '/docs/oauth2-redirect': 'text/html; charset=utf-8',
      '/docs/oauth2-redirect.js': 'text/javascript; charset=utf-8',
      '/docs/favicon.png': 'image/png',
      '/redoc': 'text/html; charset=utf-8',
      '/redoc/page.js': 'text/javascript; charset=utf-8',
      '/redoc/page.css': 'text/css; charset=utf-8',
      '/redoc/redoc.standalone.js': 'text/javascript; charset=utf-8',
      '/redoc/favicon.png': 'image/png',
    }
    for (const [path, type] of Object.entries(types)) {
      const answer = await get(app, path)
      assert.equal(answer.status, 200, path)
      assert.equal(answer.headers.get('content-type'), type, path)
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', path)
      assert.ok((await answer.arrayBuffer()).byteLength > 0, path)
    }
    const document = (await (await get(app, '/openapi.json')).json()) as { paths: object }
    assert.deepEqual(Object.keys(document.paths), ['/'], 'its own endpoints are not part of the API')
  })

  test('name no other host in the pages, and a policy that lets none in', async () => {
    const app = hello({ servers: [{ url: 'https://api.shop.test/v1' }, { url: '/v2' }] })
    for (const path of ['/docs', '/redoc']) {
      const answer = await get(app, path)
      assert.doesNotMatch(await answer.text(), /https?:|src="\/|href="\//)
      const policy = answer.headers.get('content-security-policy')!
      assert.match(policy, /default-src 'none'; script-src 'self';/)
      assert.match(policy, /connect-src 'self' https:\/\/api\.shop\.test;/, 'servers that the app names can be tried')
    }
    const redoc = await (await get(app, '/redoc/redoc.standalone.js')).text()
    assert.doesNotMatch(redoc, /cdn\.redoc\.ly/)
  })

  test('let Authorize ask whoever gives out the tokens, and nobody else', async () => {
    const security = oauth2AuthorizationCode({
      authorizationUrl: 'https://login.test/authorize',
      tokenUrl: 'https://tokens.test/token',
      refreshUrl: '/refresh',
    })
    const app = hello({ docs: { oauth: { clientId: 'docs</script>', scopes: ['a'] } } })
    app.get('/me', { uses: { user: dependency({ security }, () => 1) } }, () => 1)
    for (const path of ['/docs', '/docs/oauth2-redirect']) {
      const policy = (await get(app, path)).headers.get('content-security-policy')!
      assert.match(
        policy,
        /connect-src 'self' https:\/\/tokens\.test;/,
        'a login is a page of its own, not asked from here',
      )
    }
    assert.doesNotMatch(await (await get(app, '/docs/oauth2-redirect')).text(), /https?:|src="\//)
    const script = await (await get(app, '/docs/page.js')).text()
    assert.match(
      script,
      /initOAuth\(\{"clientId":"docs<\/script>","scopes":\["a"\],"usePkceWithAuthorizationCodeGrant":true\}\)/,
    )
    assert.doesNotMatch(await (await get(hello(), '/docs/page.js')).text(), /initOAuth/)
  })

  test('escape the title', async () => {
    const page = await (await get(hello({ title: '<script>"&' }), '/docs')).text()
    assert.match(page, /<title>&lt;script&gt;&quot;&amp;<\/title>/)
  })

  test('gzip for who takes it, under a tag of its own, and answer 304 to a known tag', async () => {
    const app = hello()
    const path = '/docs/swagger-ui.css'
    const plain = await get(app, path)
    const zipped = await get(app, path, { 'accept-encoding': 'br;q=1.0, gzip;q=0.8' })
    assert.equal(plain.headers.get('content-encoding'), null)
    assert.equal(zipped.headers.get('content-encoding'), 'gzip')
    assert.equal(zipped.headers.get('vary'), 'accept-encoding')
    assert.equal(plain.headers.get('vary'), 'accept-encoding')
    assert.notEqual(plain.headers.get('etag'), zipped.headers.get('etag'))
    assert.equal(gunzipSync(await zipped.arrayBuffer()).toString(), await plain.text())
    for (const refusal of ['gzip;q=0', 'br', 'identity'])
      assert.equal(
        (await get(app, path, { 'accept-encoding': refusal })).headers.get('content-encoding'),
        null,
        refusal,
      )
    const etag = plain.headers.get('etag')!
    const again = await get(app, path, { 'if-none-match': `"other", W/${etag}` })
    assert.equal(again.status, 304)
    assert.equal(again.headers.get('etag'), etag)
    assert.equal((await get(app, path, { 'if-none-match': '"other"' })).status, 200)
  })

  test('move, and each can be turned off', async () => {
    const app = hello({ docs: { openapi: '/api/v1/schema.json', docs: '/help/api', redoc: false } })
    assert.equal((await get(app, '/api/v1/schema.json')).status, 200)
    const page = await (await get(app, '/help/api')).text()
    assert.match(page, /src="\.\/api\/swagger-ui-bundle\.js"/)
    const script = await (await get(app, '/help/api/page.js')).text()
    assert.match(script, /new URL\("\.\/\.\.\/api\/v1\/schema\.json"/)
    for (const gone of ['/docs', '/redoc', '/openapi.json']) assert.equal((await get(app, gone)).status, 404)
    const without = hello({ docs: { openapi: false } })
    for (const gone of ['/docs', '/redoc', '/openapi.json']) assert.equal((await get(without, gone)).status, 404)
  })

  test('a page at the root takes its files from there', async () => {
    const app = new App({ docs: { docs: '/' } })
    assert.match(await (await get(app, '/')).text(), /src="\.\/swagger-ui-bundle\.js"/)
    assert.equal((await get(app, '/swagger-ui-bundle.js')).status, 200)
  })
})
