import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, Router } from 'millrace'
import { csrf, csrfTokenOf, type CsrfOptions, session } from 'millrace/middleware'
import { onEachSeam, silent } from '../support/seams.ts'

const SECRET = 'a secret of at least 32 bytes, as asked'
const visit = session({ schema: z.object({ user: z.string() }), secrets: [SECRET] })

function appWith(options: CsrfOptions = {}): App {
  const app = new App({ log: silent, use: [csrf(options)] })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)
    app.route({ method, path: '/a', handler: () => 'done' })
  app.post('/hook', () => 'done')
  app.get('/page', { uses: { token: dependency(csrfTokenOf) } }, ({ token }) => token)
  app.post('/login', { uses: { visit } }, ({ visit }) => visit.set({ user: 'ada' }))
  return app
}
async function statusOf(app: App, headers: Record<string, string>, method = 'POST', path = '/a'): Promise<number> {
  return (await app.fetch(new Request(`https://shop.example${path}`, { method, headers }))).status
}

describe('csrf()', () => {
  // What browsers and others send, and whether it may write: Go's table, net/http csrf_test.go.
  const cases: [says: string, headers: Record<string, string>, passes: boolean][] = [
    ['Sec-Fetch-Site same-origin', { 'sec-fetch-site': 'same-origin' }, true],
    ['Sec-Fetch-Site none: the address bar', { 'sec-fetch-site': 'none' }, true],
    ['Sec-Fetch-Site cross-site', { 'sec-fetch-site': 'cross-site' }, false],
    ['Sec-Fetch-Site same-site: another host of ours, or of a neighbour', { 'sec-fetch-site': 'same-site' }, false],
    ['Sec-Fetch-Site that is unknown', { 'sec-fetch-site': 'elsewhere' }, false],
    ['neither: no browser', {}, true],
    ['Origin of our own', { origin: 'https://shop.example' }, true],
    ['Origin of ours behind a proxy that nobody has named', { origin: 'http://shop.example' }, true],
    ['Origin of another', { origin: 'https://evil.example' }, false],
    ['Origin of another port', { origin: 'https://shop.example:8443' }, false],
    ['Origin that only begins alike', { origin: 'https://shop.example.evil.example' }, false],
    ['Origin null', { origin: 'null' }, false],
    [
      'Origin of ours, but from another site',
      { origin: 'https://shop.example', 'sec-fetch-site': 'cross-site' },
      false,
    ],
    ['Origin of another, but same-origin', { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }, true],
    ['an Origin that is trusted', { origin: 'https://admin.example', 'sec-fetch-site': 'cross-site' }, true],
    ['an Origin that is trusted, without the other field', { origin: 'https://admin.example' }, true],
  ]
  for (const [says, headers, passes] of cases)
    test(`a write by ${says} ${passes ? 'passes' : 'is refused'}`, async () => {
      const app = appWith({ origins: ['https://admin.example'] })
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
        assert.equal(await statusOf(app, headers, method), passes ? 200 : 403, method)
      assert.equal(await statusOf(app, headers, 'GET'), 200, 'a read always passes')
    })

  test('leaves what it is told to, and refuses what no route takes as well', async () => {
    const app = appWith({ except: ({ path }) => path === '/hook' })
    assert.equal(await statusOf(app, { 'sec-fetch-site': 'cross-site' }, 'POST', '/hook'), 200)
    assert.equal(await statusOf(app, { 'sec-fetch-site': 'cross-site' }, 'POST', '/nowhere'), 403)
  })

  onEachSeam(
    'around a router is for what is in it',
    () => {
      const app = new App({ log: silent })
      const router = new Router({ prefix: '/r', use: [csrf()] })
      router.post('/a', () => 1)
      app.post('/a', () => 1)
      return app.include(router)
    },
    async ask => {
      const init = { method: 'POST', headers: { origin: 'https://evil.example' } }
      assert.equal((await ask('/r/a', init)).status, 403)
      assert.equal((await ask('/a', init)).status, 200)
    },
  )

  test('refuses, at start, what is no origin, weak secrets, and a session that is none', () => {
    for (const options of [
      { origins: ['shop.example'] },
      { origins: ['https://shop.example/'] },
      { token: { secrets: ['short'] } },
      { token: { secrets: [SECRET], session: dependency(() => 1) as never } },
    ])
      assert.throws(() => csrf(options), { code: 'CSRF_BAD_OPTIONS' })
  })
})

describe('the token of csrf()', () => {
  const token = { secrets: [SECRET], session: visit }
  const ask = (app: App, path: string, headers: Record<string, string>, method = 'GET') =>
    app.fetch(new Request(`https://shop.example${path}`, { method, headers }))
  const pairsOf = (answer: Response) =>
    Object.fromEntries(answer.headers.getSetCookie().map(line => line.split(';')[0]!.split('=') as [string, string]))

  test('comes as a cookie that scripts read, once, and must come back in its field', async () => {
    const app = appWith({ token })
    const first = await ask(app, '/a', {})
    assert.match(first.headers.getSetCookie()[0]!, /^__Host-csrf=[\w.-]+; Path=\/; Secure; SameSite=Strict$/)
    assert.equal(first.headers.get('vary'), 'Cookie')
    assert.equal(first.headers.get('cache-control'), 'no-store')
    const value = pairsOf(first)['__Host-csrf']!
    const cookie = `__Host-csrf=${value}`
    assert.deepEqual((await ask(app, '/a', { cookie })).headers.getSetCookie(), [])
    assert.equal((await ask(app, '/a', { cookie, 'x-csrf-token': value }, 'POST')).status, 200)
    const other = pairsOf(await ask(app, '/a', {}))['__Host-csrf']!
    for (const headers of [
      {},
      { cookie },
      { 'x-csrf-token': value },
      { cookie, 'x-csrf-token': other },
      { cookie, 'x-csrf-token': '' },
      { cookie, 'x-csrf-token': `${value}, ${value}` },
      { cookie: '__Host-csrf=a.b', 'x-csrf-token': 'a.b' },
      { cookie, 'x-csrf-token': value, 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      assert.equal((await ask(app, '/a', headers, 'POST')).status, 403, JSON.stringify(headers))
  })

  test('is there for a page that is made here', async () => {
    const app = appWith({ token })
    const answer = await ask(app, '/page', {})
    assert.equal(await answer.json(), pairsOf(answer)['__Host-csrf'])
    const without = await appWith().fetch(new Request('https://shop.example/page'))
    assert.equal(await without.json(), null)
  })

  test('of before a login is nothing after it, and a new one comes with the login', async () => {
    const app = appWith({ token })
    const before = pairsOf(await ask(app, '/a', {}))['__Host-csrf']!
    const login = await ask(app, '/login', { cookie: `__Host-csrf=${before}`, 'x-csrf-token': before }, 'POST')
    assert.equal(login.status, 200)
    const { '__Host-csrf': after, '__Host-session': own } = pairsOf(login)
    assert.notEqual(after, before)
    const write = (value: string) =>
      ask(app, '/a', { cookie: `__Host-csrf=${value}; __Host-session=${own}`, 'x-csrf-token': value }, 'POST')
    assert.equal((await write(before)).status, 403)
    assert.equal((await write(after!)).status, 200)
  })

  test('has another name, field and no Secure where told to', async () => {
    const app = appWith({ token: { secrets: [SECRET], secure: false, cookie: 'xsrf', header: 'X-XSRF' } })
    const first = await ask(app, '/a', {})
    assert.match(first.headers.getSetCookie()[0]!, /^xsrf=[\w.-]+; Path=\/; SameSite=Strict$/)
    const { xsrf } = pairsOf(first)
    assert.equal((await ask(app, '/a', { cookie: `xsrf=${xsrf}`, 'x-xsrf': xsrf! }, 'POST')).status, 200)
  })

  test('is in the document of routes that write', () => {
    const { paths } = appWith({ token }).openapi() as any
    const { post, get } = paths['/a']
    assert.deepEqual(
      post.parameters.map(({ name }: { name: string }) => name),
      ['x-csrf-token'],
    )
    assert.ok('403' in post.responses)
    assert.ok(!('403' in get.responses))
  })
})
