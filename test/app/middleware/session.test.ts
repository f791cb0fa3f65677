import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import * as z from 'zod'
import { App, fail, Router } from 'millrace'
import { session, type SessionOptions } from 'millrace/middleware'
import { onEachSeam, silent } from '../support/seams.ts'

const SECRET = 'a secret of at least 32 bytes, as asked'
const NEWER = 'a newer secret of at least 32 bytes too'
const Visit = z.object({ count: z.int(), note: z.string().optional() })

function appWith(options: Partial<SessionOptions<typeof Visit>> = {}): App {
  const app = new App({ log: silent })
  const visit = session({ schema: Visit, secrets: [SECRET], ...options })
  const spec = { uses: { visit } }
  app.get('/read', spec, ({ visit }) => ({ id: visit.id ?? null, data: visit.data ?? null }))
  app.get('/count', spec, ({ visit }) => {
    visit.set({ count: (visit.data?.count ?? 0) + 1 })
    return visit.data
  })
  app.get('/again', spec, ({ visit }) => {
    visit.regenerate()
    return { id: visit.id ?? null }
  })
  app.get('/end', spec, ({ visit }) => visit.destroy())
  app.get('/throws', spec, ({ visit }) => {
    visit.set({ count: 99 })
    fail(409)
  })
  app.get('/large', spec, ({ visit }) => visit.set({ count: 1, note: 'x'.repeat(4096) }))
  app.get('/wrong', spec, ({ visit }) => visit.set({ count: 'one' as never }))
  app.get('/extra', spec, ({ visit }) => visit.set({ count: 1, secret: 'not declared' } as never))
  app.get('/cached', spec, ({ visit, reply }) => {
    visit.set({ count: 1 })
    return reply(200, 1, { headers: { 'cache-control': 'private' } })
  })
  app.get('/plain', () => 1)
  return app
}

/** A browser of one visitor. */
function visitor(app: App) {
  let jar: string | undefined
  return {
    get cookie() {
      return jar
    },
    take(cookie: string | undefined) {
      jar = cookie
    },
    async ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
      const cookie: Record<string, string> = jar === undefined ? {} : { cookie: jar }
      const answer = await app.fetch(new Request(`http://a${path}`, { headers: { ...cookie, ...headers } }))
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(';')
        jar = line.includes('Max-Age=0') ? undefined : pair
      }
      return answer
    },
  }
}
async function countOf(who: ReturnType<typeof visitor>): Promise<unknown> {
  return ((await (await who.ask('/read')).json()) as { data: { count: number } | null }).data?.count
}

describe('session()', () => {
  for (const encrypted of [false, true])
    test(`remembers a visitor from one request to the next, ${encrypted ? 'encrypted' : 'signed'}`, async () => {
      const who = visitor(appWith({ encrypted }))
      for (const count of [1, 2, 3]) assert.deepEqual(await (await who.ask('/count')).json(), { count })
      const { id, data } = (await (await who.ask('/read')).json()) as { id: string; data: unknown }
      assert.match(id, /^[\w-]{22}$/)
      assert.deepEqual(data, { count: 3 })
      const [, value] = who.cookie!.split('=')
      assert.equal(Buffer.from(value!.split('.')[0]!, 'base64url').toString().includes('"count":3'), !encrypted)
    })

  test('sets a cookie that scripts, other sites and plain http do not get', async () => {
    const [line] = (await visitor(appWith()).ask('/count')).headers.getSetCookie()
    assert.match(line!, /^__Host-session=[\w.-]+; Path=\/; Max-Age=1209600; HttpOnly; Secure; SameSite=Lax$/)
    const options = {
      secure: false,
      maxAge: '1h',
      sameSite: 'strict',
      domain: 'a.example',
      path: '/x',
      name: 'own',
    } as const
    const [other] = (await visitor(appWith(options)).ask('/count')).headers.getSetCookie()
    assert.match(other!, /^own=[\w.-]+; Path=\/x; Domain=a\.example; Max-Age=3600; HttpOnly; SameSite=Strict$/)
    const [plain] = (await visitor(appWith({ secure: false })).ask('/count')).headers.getSetCookie()
    assert.match(plain!, /^session=/)
  })

  test('sets it only when something changed, and varies by it', async () => {
    const who = visitor(appWith())
    const first = await who.ask('/read')
    assert.deepEqual(first.headers.getSetCookie(), [])
    assert.equal(first.headers.get('vary'), 'Cookie')
    assert.equal(first.headers.get('cache-control'), null)
    const changed = await who.ask('/count')
    assert.equal(changed.headers.get('cache-control'), 'no-store')
    assert.equal((await who.ask('/cached')).headers.get('cache-control'), 'private')
    assert.deepEqual((await who.ask('/read')).headers.getSetCookie(), [])
    const other = await who.ask('/plain')
    assert.equal(other.headers.get('vary'), null)
  })

  test('has a new id when told to, and nothing when ended', async () => {
    const who = visitor(appWith())
    await who.ask('/count')
    const before = (await (await who.ask('/read')).json()) as { id: string }
    const { id } = (await (await who.ask('/again')).json()) as { id: string }
    assert.notEqual(id, before.id)
    assert.deepEqual(await (await who.ask('/read')).json(), { id, data: { count: 1 } })
    const [line] = (await who.ask('/end')).headers.getSetCookie()
    assert.match(line!, /^__Host-session=; Path=\/; Max-Age=0; HttpOnly; Secure; SameSite=Lax$/)
    assert.deepEqual(await (await who.ask('/read')).json(), { id: null, data: null })
    assert.deepEqual((await who.ask('/end')).headers.getSetCookie(), [], 'there was none')
    assert.deepEqual(await (await who.ask('/again')).json(), { id: null })
  })

  test('keeps nothing of a request that failed', async () => {
    const who = visitor(appWith())
    await who.ask('/count')
    assert.equal((await who.ask('/throws')).status, 409)
    assert.equal(await countOf(who), 1)
  })

  test('is nobody’s that was changed, made with another secret, or made for another cookie', async () => {
    const app = appWith()
    const who = visitor(app)
    await who.ask('/count')
    const [name, value] = who.cookie!.split('=') as [string, string]
    const [coded, mac] = value.split('.') as [string, string]
    const forged = Buffer.from(Buffer.from(coded, 'base64url').toString().replace('"count":1', '"count":9')).toString(
      'base64url',
    )
    for (const cookie of [
      `${name}=${forged}.${mac}`,
      `${name}=${coded}`,
      `${name}=.`,
      `${name}=`,
      `${name}=${coded}.`,
    ]) {
      who.take(cookie)
      assert.equal(await countOf(who), undefined, cookie)
    }
    const elsewhere = visitor(appWith({ secrets: [NEWER] }))
    elsewhere.take(`${name}=${value}`)
    assert.equal(await countOf(elsewhere), undefined)
    const renamed = visitor(appWith({ name: 'other' }))
    renamed.take(`other=${value}`)
    assert.equal(await countOf(renamed), undefined)
  })

  test('is opened by an older secret, and made anew with the newest', async () => {
    const before = visitor(appWith())
    await before.ask('/count')
    const who = visitor(appWith({ secrets: [NEWER, SECRET] }))
    who.take(before.cookie)
    assert.equal(await countOf(who), 1)
    assert.notEqual(who.cookie, before.cookie)
    const after = visitor(appWith({ secrets: [NEWER] }))
    after.take(who.cookie)
    assert.equal(await countOf(after), 1)
  })

  test('ends with its time, whatever the browser keeps, and is prolonged by use', async t => {
    mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
    t.after(() => mock.timers.reset())
    const day = 86_400_000
    const rolling = visitor(appWith({ maxAge: '10d' }))
    const fixed = visitor(appWith({ maxAge: '10d', rolling: false }))
    for (const who of [rolling, fixed]) await who.ask('/count')
    mock.timers.tick(day - 1000)
    for (const who of [rolling, fixed]) assert.deepEqual((await who.ask('/read')).headers.getSetCookie(), [])
    mock.timers.tick(1000)
    assert.equal((await rolling.ask('/read')).headers.getSetCookie().length, 1, 'a tenth of it is over')
    assert.deepEqual((await fixed.ask('/count')).headers.getSetCookie().length, 1)
    mock.timers.tick(9 * day)
    assert.equal(await countOf(fixed), undefined, 'ten days from the first')
    assert.equal(await countOf(rolling), 1)
    const kept = rolling.cookie
    mock.timers.tick(10 * day)
    rolling.take(kept)
    assert.equal(await countOf(rolling), undefined)
  })

  test('that a browser would not keep is refused, and so is what its schema does not declare', async () => {
    const lines: { err: { code: string; message: string } }[] = []
    const log = { ...silent, error: (facts: unknown) => void lines.push(facts as never) }
    const app = new App({ log })
    const visit = session({ schema: Visit, secrets: [SECRET] })
    app.get('/large', { uses: { visit } }, ({ visit }) => visit.set({ count: 1, note: 'x'.repeat(4096) }))
    app.get('/wrong', { uses: { visit } }, ({ visit }) => visit.set({ count: 'one' as never }))
    for (const path of ['/large', '/wrong']) {
      const answer = await app.fetch(new Request(`http://a${path}`))
      assert.equal(answer.status, 500)
      assert.deepEqual(answer.headers.getSetCookie(), [])
    }
    assert.equal(lines[0]!.err.code, 'SESSION_TOO_LARGE')
    assert.match(lines[0]!.err.message, /cookie of \d{4} bytes, and browsers keep 4096/)
    assert.equal(lines[1]!.err.code, 'SCHEMA_BAD_RESPONSE')
    const who = visitor(appWith())
    await who.ask('/extra')
    assert.deepEqual(((await (await who.ask('/read')).json()) as { data: unknown }).data, { count: 1 })
  })

  test('that no longer fits its schema is as if it were not there', async () => {
    const before = visitor(appWith())
    await before.ask('/count')
    const app = new App({ log: silent })
    const visit = session({ schema: z.object({ userId: z.int() }), secrets: [SECRET] })
    app.get('/read', { uses: { visit } }, ({ visit }) => visit.data ?? 'none')
    const who = visitor(app)
    who.take(before.cookie)
    assert.equal(await (await who.ask('/read')).json(), 'none')
  })

  test('holds what its schema makes of it: dates, and cannot be changed in place', async () => {
    const app = new App({ log: silent })
    const when = z.codec(z.iso.datetime(), z.date(), {
      decode: text => new Date(text),
      encode: date => date.toISOString(),
    })
    const visit = session({ schema: z.object({ when }), secrets: [SECRET], encrypted: true })
    app.get('/set', { uses: { visit } }, ({ visit }) => visit.set({ when: new Date(0) }))
    app.get('/read', { uses: { visit } }, ({ visit }) => visit.data!.when instanceof Date && visit.data!.when.getTime())
    app.get('/change', { uses: { visit } }, ({ visit }) => {
      assert.throws(() => ((visit.data as { when: Date }).when = new Date(1)), TypeError)
    })
    const who = visitor(app)
    await who.ask('/set')
    assert.equal(await (await who.ask('/read')).json(), 0)
    assert.equal((await who.ask('/change')).status, 200)
  })

  onEachSeam(
    'is used by an app, a router or a route, and two of them side by side',
    () => {
      const visit = session({ schema: Visit, secrets: [SECRET], secure: false })
      const cart = session({
        schema: z.object({ items: z.array(z.int()) }),
        secrets: [SECRET],
        secure: false,
        name: 'cart',
      })
      const app = new App({ log: silent, uses: { visit } })
      const router = new Router({ prefix: '/r', uses: { cart } })
      router.get('/a', { uses: { visit } }, ({ visit, cart }) => {
        visit.set({ count: 1 })
        cart.set({ items: [7] })
        return 1
      })
      app.get('/a', ({ visit }) => visit.data?.count ?? 0)
      return app.include(router)
    },
    async ask => {
      const cookies = (await ask('/r/a')).headers.getSetCookie()
      assert.deepEqual(cookies.map(line => line.split('=')[0]).sort(), ['cart', 'session'])
      const cookie = cookies.map(line => line.split(';')[0]).join('; ')
      assert.equal(await (await ask('/a', { headers: { cookie } })).json(), 1)
    },
  )

  test('is replaced by a fake in tests, and told of in the document', async () => {
    const visit = session({ schema: Visit, secrets: [SECRET] })
    const app = new App({ log: silent })
    app.get('/read', { uses: { visit } }, ({ visit }) => visit.data?.count ?? null)
    const { paths } = app.openapi() as any
    assert.deepEqual(
      paths['/read'].get.parameters.map(({ name, in: place }: { name: string; in: string }) => [name, place]),
      [['__Host-session', 'cookie']],
    )
    app.override(visit, { id: 'fake', data: { count: 7 }, set() {}, regenerate() {}, destroy() {} })
    const answer = await app.fetch(new Request('http://a/read'))
    assert.equal(await answer.json(), 7)
    assert.equal(answer.headers.get('vary'), null)
  })

  test('refuses, at start, weak secrets and cookies that no browser takes', () => {
    for (const options of [
      { secrets: [] },
      { secrets: ['short'] },
      { secrets: [SECRET, 'short'] },
      { maxAge: 1 },
      { name: '__Host-a', domain: 'a.example' },
      { name: '__host-a', secure: false },
    ] as const)
      assert.throws(() => session({ schema: Visit, secrets: [SECRET], ...options }), { code: 'SESSION_BAD_OPTIONS' })
    assert.throws(() => session({ schema: Visit, secrets: [SECRET], name: 'a b' }), { code: 'APP_BAD_COOKIE' })
  })
})
