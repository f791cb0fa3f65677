// What a request must show, through every seam: statuses, challenges, and what is done before and after.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, type ErrorFormat, dependency, fail, HttpError, Router, UsageError } from 'millrace'
import {
  apiKey,
  basic,
  bearer,
  checkScopes,
  either,
  http,
  oauth2,
  oauth2AuthorizationCode,
  oauth2ClientCredentials,
  oauth2Password,
  openIdConnect,
  optional,
  requireScopes,
  type Security,
  timingSafeEqual,
} from 'millrace/security'
import { cors } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import { get, overSocket } from '../support/over-tcp.ts'
import { onEachSeam, silent } from '../support/seams.ts'

const scopes = { me: 'Read about yourself', items: 'Read items' }
const FORMATS: readonly ErrorFormat[] = ['problem', 'fastapi']

/** One route that gives back what its dependency got. */
function echo(security: Security<any>, errorFormat: ErrorFormat = 'problem'): App {
  const shown = dependency({ security }, ({ signal: _, ...all }: any) => ({
    token: all.token,
    username: all.username,
    password: all.password,
    key: all.key,
    credentials: all.credentials,
    scopes: all.scopes,
  }))
  const app = new App({ log: silent, errorFormat })
  app.get('/', { uses: { shown } }, ({ shown }) => shown)
  return app
}

interface Told {
  readonly status: number
  readonly challenge: string | null
  readonly body: any
}

async function asked(app: App<any, any>, headers: HeadersInit = {}, path: `/${string}` = '/'): Promise<Told> {
  const client = testClient(app)
  try {
    const answer = await client.fetch(path, { headers })
    return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.json() }
  } finally {
    await client.close()
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('what a request must show', () => {
  const kinds: readonly (readonly [name: string, Security<any>, problem: string, fastapi: string])[] = [
    ['bearer()', bearer(), 'Bearer', 'Bearer'],
    ['bearer() with a realm', bearer({ realm: 'a "b"' }), 'Bearer realm="a \\"b\\""', 'Bearer realm="a \\"b\\""'],
    ['basic()', basic(), 'Basic realm="api", charset="UTF-8"', 'Basic'],
    ['basic() with a realm', basic({ realm: 'x' }), 'Basic realm="x", charset="UTF-8"', 'Basic realm="x"'],
    ['http() for Digest', http({ scheme: 'Digest' }), 'Digest', 'Digest'],
    ['apiKey() in a header', apiKey({ in: 'header', name: 'X-API-Key' }), 'APIKey', 'APIKey'],
    ['apiKey() in the query', apiKey({ in: 'query', name: 'api_key' }), 'APIKey', 'APIKey'],
    ['apiKey() in a cookie', apiKey({ in: 'cookie', name: 'key' }), 'APIKey', 'APIKey'],
    ['oauth2Password()', oauth2Password({ tokenUrl: '/token' }), 'Bearer', 'Bearer'],
    [
      'oauth2AuthorizationCode()',
      oauth2AuthorizationCode({ authorizationUrl: 'https://a.example/auth', tokenUrl: 'https://a.example/token' }),
      'Bearer',
      'Bearer',
    ],
    ['oauth2ClientCredentials()', oauth2ClientCredentials({ tokenUrl: '/token' }), 'Bearer', 'Bearer'],
    ['oauth2()', oauth2({ flows: { implicit: { authorizationUrl: '/auth' } } }), 'Bearer', 'Bearer'],
    [
      'openIdConnect()',
      openIdConnect({ url: 'https://a.example/.well-known/openid-configuration' }),
      'Bearer',
      'Bearer',
    ],
  ]
  for (const [name, security, problem, fastapi] of kinds)
    for (const format of FORMATS)
      test(`${name}: without it 401 "Not authenticated" and a challenge (errorFormat ${format})`, async () => {
        const told = await asked(echo(security, format))
        assert.equal(told.status, 401)
        assert.equal(told.challenge, format === 'problem' ? problem : fastapi)
        assert.deepEqual(
          told.body,
          format === 'problem'
            ? { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Not authenticated' }
            : { detail: 'Not authenticated' },
        )
      })

  onEachSeam(
    'a bearer token arrives as it was sent, its scheme in any case',
    () => echo(bearer()),
    async ask => {
      for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
        const answer = await ask('/', { headers: { authorization: `${scheme} a.b-c_d~e+f/g==` } })
        assert.deepEqual(await answer.json(), { token: 'a.b-c_d~e+f/g==', scopes: [] })
      }
    },
  )

  for (const value of ['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b'])
    test(`${JSON.stringify(value)} is no token: 401`, async () => {
      const told = await asked(echo(bearer()), { authorization: value })
      assert.deepEqual([told.status, told.challenge], [401, 'Bearer error="invalid_token"'])
    })

  for (const value of ['Basic YTpi', 'Bearerx a', 'Digest a', 'x'])
    test(`${JSON.stringify(value)} is another scheme than Bearer: 401 as if there was nothing`, async () => {
      const told = await asked(echo(bearer()), { authorization: value })
      assert.deepEqual([told.status, told.challenge], [401, 'Bearer'])
    })

  test('two Authorization lines are refused: another reader might believe the other', () =>
    overSocket(echo(bearer()), async client => {
      client.write(get('/', ['Authorization: Bearer a', 'Authorization: Bearer b']))
      await client.until(({ text }) => text.includes('Not authenticated'))
      assert.match(client.text, /^HTTP\/1.1 401 /)
    }))

  onEachSeam(
    'basic() decodes name and password, colons and UTF-8 included',
    () => echo(basic()),
    async ask => {
      for (const [username, password] of [
        ['ada', 'secret'],
        ['ada', 'a:b:c'],
        ['', ''],
        ['Jürgen', 'пароль €'],
      ] as const) {
        const answer = await ask('/', { headers: { authorization: `Basic ${base64(`${username}:${password}`)}` } })
        assert.deepEqual(await answer.json(), { username, password, scopes: [] })
      }
    },
  )

  for (const encoded of ['', '!!!', 'YTpi=', 'YTp', base64('no colon'), base64('a:b\n'), '/zpi', 'YT pi'])
    test(`basic() refuses ${JSON.stringify(encoded)}`, async () => {
      for (const format of FORMATS) {
        const told = await asked(echo(basic(), format), { authorization: `Basic ${encoded}` })
        assert.equal(told.status, 401)
        assert.match(told.challenge!, /^Basic/)
      }
    })

  test('http() gives the credentials of any scheme as they are', async () => {
    const told = await asked(echo(http({ scheme: 'Digest' })), { authorization: 'digest username="a", response="b"' })
    assert.deepEqual(told.body, { credentials: 'username="a", response="b"', scopes: [] })
  })

  test('API keys come from the header, the query or the cookie of their name', async () => {
    const header = await asked(echo(apiKey({ in: 'header', name: 'X-API-Key' })), { 'x-api-key': 'k' })
    const query = await asked(echo(apiKey({ in: 'query', name: 'api key' })), {}, '/?a=1&api+key=k%20k')
    const cookie = await asked(echo(apiKey({ in: 'cookie', name: 'key' })), { cookie: 'a=1; key=k' })
    assert.deepEqual([header.body.key, query.body.key, cookie.body.key], ['k', 'k k', 'k'])
  })

  test('an empty API key is none, and one that stands twice is refused', async () => {
    const inQuery = () => echo(apiKey({ in: 'query', name: 'k' }))
    const statuses = [
      await asked(echo(apiKey({ in: 'header', name: 'k' })), { k: '' }),
      await asked(inQuery(), {}, '/?k='),
      await asked(inQuery(), {}, '/?k=1&k=2'),
      await asked(echo(apiKey({ in: 'cookie', name: 'k' })), { cookie: 'k=' }),
    ].map(({ status }) => status)
    assert.deepEqual(statuses, [401, 401, 401, 401])
  })

  test('optional() lets a request through without (auto_error=False), and refuses what makes no sense', async () => {
    const app = () => echo(optional(basic()))
    assert.deepEqual((await asked(app())).body, { scopes: [] })
    assert.deepEqual((await asked(app(), { authorization: 'Bearer t' })).body, { scopes: [] })
    assert.equal((await asked(app(), { authorization: `Basic ${base64('a:b')}` })).body.username, 'a')
    assert.equal((await asked(app(), { authorization: 'Basic ?' })).status, 401)
  })

  test('either() takes the first that is shown, and tells all when none is', async () => {
    const app = () => echo(either(bearer(), apiKey({ in: 'header', name: 'X-Key' }), basic()))
    assert.deepEqual((await asked(app(), { authorization: 'Bearer t' })).body, { token: 't', scopes: [] })
    assert.deepEqual((await asked(app(), { 'x-key': 'k' })).body, { key: 'k', scopes: [] })
    assert.equal((await asked(app(), { authorization: 'Bearer t', 'x-key': 'k' })).body.token, 't')
    const none = await asked(app())
    assert.deepEqual([none.status, none.challenge], [401, 'Bearer, APIKey, Basic realm="api", charset="UTF-8"'])
    assert.equal((await asked(echo(optional(either(bearer(), basic()))))).status, 200)
  })
})

describe('what a dependency decides about it', () => {
  const user = dependency({ security: bearer(), returns: { 401: null, 403: null } }, ({ token }) => {
    if (token === 'expired')
      throw new HttpError(401, 'Expired', { headers: { 'WWW-Authenticate': 'Bearer error="x"' } })
    if (token === 'locked') fail(403, 'Locked')
    return token === 'good' ? 'ada' : fail(401, 'Bad token')
  })
  const app = (errorFormat: ErrorFormat = 'problem') => {
    const app = new App({ log: silent, errorFormat })
    app.get('/', { uses: { user } }, ({ user }) => user)
    app.get('/no', { uses: { user } }, () => fail(401, 'Not with this one'))
    return app
  }

  test('a 401 gets the challenge that belongs to it, wherever in the route it is thrown', async () => {
    assert.deepEqual(await asked(app(), { authorization: 'Bearer bad' }), {
      status: 401,
      challenge: 'Bearer error="invalid_token"',
      body: { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Bad token' },
    })
    const handler = await asked(app(), { authorization: 'Bearer good' }, '/no')
    assert.deepEqual([handler.status, handler.challenge], [401, 'Bearer error="invalid_token"'])
    const fastapi = await asked(app('fastapi'), { authorization: 'Bearer bad' })
    assert.deepEqual(fastapi, { status: 401, challenge: 'Bearer', body: { detail: 'Bad token' } })
  })

  test('a challenge of its own stays, and a 403 without scopes has none', async () => {
    assert.equal((await asked(app(), { authorization: 'Bearer expired' })).challenge, 'Bearer error="x"')
    const locked = await asked(app(), { authorization: 'Bearer locked' })
    assert.deepEqual([locked.status, locked.challenge, locked.body.detail], [403, null, 'Locked'])
  })

  test('one error instance thrown for two routes gets the challenge of each', async () => {
    const shared = new HttpError(401, 'no')
    const refuse = () => {
      throw shared
    }
    const app = new App({ log: silent })
    app.get('/a', { uses: { user: dependency({ security: bearer() }, refuse) } }, () => 1)
    app.get('/b', { uses: { user: dependency({ security: apiKey({ in: 'header', name: 'k' }) }, refuse) } }, () => 1)
    const client = testClient(app)
    const a = await client.fetch('/a', { headers: { authorization: 'Bearer t' } })
    const b = await client.fetch('/b', { headers: { k: 't' } })
    await client.close()
    assert.equal(a.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    assert.equal(b.headers.get('www-authenticate'), 'APIKey')
    assert.deepEqual(shared.headers, {})
  })
})

describe('scopes', () => {
  const oauth = oauth2Password({ tokenUrl: '/token', scopes })
  const seen: (readonly string[])[] = []
  const currentUser = dependency({ security: oauth }, ({ token, scopes }) => {
    seen.push(scopes)
    checkScopes(token.replaceAll('.', ' '), scopes)
    return token
  })
  const active = dependency({ uses: { user: requireScopes(currentUser, 'me') } }, ({ user }) => user)

  const app = (errorFormat: ErrorFormat = 'problem') => {
    const app = new App({ log: silent, errorFormat })
    app.get('/none', { uses: { user: currentUser } }, ({ user }) => user)
    app.get('/me', { uses: { active } }, ({ active }) => active)
    app.get('/items', { uses: { user: requireScopes(currentUser, 'items'), active } }, ({ user, active }) => [
      user,
      active,
    ])
    const inner = new Router({ prefix: '/r', uses: { active: requireScopes(active, 'items') } })
    inner.get('/x', () => 1)
    app.include(inner)
    return app
  }

  test('of a route, its routers and its dependencies are merged, and the dependency runs once', async () => {
    seen.length = 0
    const answer = await asked(app(), { authorization: 'Bearer items.me.more' }, '/items')
    assert.deepEqual([answer.status, answer.body], [200, ['items.me.more', 'items.me.more']])
    assert.equal(seen.length, 1)
    assert.deepEqual([...seen[0]!].sort(), ['items', 'me'])
    seen.length = 0
    await asked(app(), { authorization: 'Bearer items.me' }, '/r/x')
    assert.deepEqual(
      seen.map(all => [...all].sort()),
      [['items', 'me']],
    )
    seen.length = 0
    await asked(app(), { authorization: 'Bearer items.me' }, '/none')
    assert.deepEqual(seen, [[]])
  })

  test('are told with the 401 of whoever shows nothing, in both formats', async () => {
    for (const format of FORMATS) {
      const told = await asked(app(format), {}, '/items')
      assert.equal(told.status, 401)
      assert.match(told.challenge!, /^Bearer scope="(items me|me items)"$/)
    }
  })

  test('that a token has not are a 403 with the ones it takes', async () => {
    const told = await asked(app(), { authorization: 'Bearer items' }, '/me')
    assert.deepEqual([told.status, told.body.detail], [403, 'Not enough permissions'])
    assert.equal(told.challenge, 'Bearer error="insufficient_scope", scope="me"')
  })

  test('that the scheme does not list are refused at start-up, naming the route', async () => {
    const app = new App({ log: silent })
    app.get('/a', { uses: { user: requireScopes(currentUser, 'itms') } }, () => 1)
    await assert.rejects(app.start(), (error: UsageError) => {
      assert.equal(error.code, 'APP_UNKNOWN_SCOPE')
      assert.match(error.message, /GET \/a.*itms.*me, items/)
      return true
    })
  })

  test('may be anything where the scheme lists none: bearer(), openIdConnect()', async () => {
    const user = dependency({ security: bearer() }, ({ scopes }) => scopes)
    const app = new App({ log: silent })
    app.get('/', { uses: { user: requireScopes(user, 'a', 'b') } }, ({ user }) => user)
    assert.deepEqual((await asked(app, { authorization: 'Bearer t' })).body, ['a', 'b'])
  })

  test('stay with a dependency that a test puts in its place', async () => {
    const app = new App({ log: silent })
    app.get('/', { uses: { user: requireScopes(currentUser, 'me') } }, ({ user }) => user)
    app.override(currentUser, 'somebody')
    assert.equal((await asked(app)).body, 'somebody')
  })
})

describe('the order of things', () => {
  const Body = z.object({ n: z.int() })
  const key = apiKey({ in: 'header', name: 'X-Key' })

  function shop(opened: string[] = []): App {
    const db = dependency(async function* () {
      opened.push('db')
      yield 'db'
      opened.push('db closed')
    })
    const owner = dependency({ uses: { db }, security: key }, ({ key }) => {
      opened.push('owner')
      return timingSafeEqual(key, 'right') ? 'owner' : fail(401, 'Wrong key')
    })
    const boss = dependency(
      { uses: { owner }, query: z.object({ as: z.string().optional() }), returns: { 403: null } },
      ({ owner, query }) => {
        opened.push('boss')
        return query.as === 'guest' ? fail(403, 'Guests may not') : owner
      },
    )
    const tx = dependency({ uses: { owner } }, async function* () {
      opened.push('tx')
      yield 'tx'
      opened.push('tx closed')
    })
    const app = new App({ log: silent })
    app.post(
      '/',
      { uses: { tx, boss }, body: Body, query: z.object({ q: z.int().optional() }) },
      ({ body, boss, tx }) => [body.n, boss, tx],
    )
    return app
  }
  const post = (body: string, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })

  onEachSeam('credentials come before every other input: 401 and 403 beat 422, 400 and 415', shop, async ask => {
    for (const bad of [
      post('{}'),
      post('{'),
      post('{"n":"x"}'),
      { ...post('a'), headers: { 'content-type': 'text/plain' } },
    ]) {
      const headers = bad.headers as Record<string, string>
      assert.equal((await ask('/', bad)).status, 401)
      assert.equal((await ask('/?q=x', { ...bad, headers: { ...headers, 'x-key': 'wrong' } })).status, 401)
      assert.equal((await ask('/?as=guest', { ...bad, headers: { ...headers, 'x-key': 'right' } })).status, 403)
      const judged = await ask('/', { ...bad, headers: { ...headers, 'x-key': 'right' } })
      assert.ok([400, 415, 422].includes(judged.status), String(judged.status))
    }
    assert.deepEqual(await (await ask('/', post('{"n":1}', { 'x-key': 'right' }))).json(), [1, 'owner', 'tx'])
  })

  test('guards are made first, with what they use; the others when the body is good; all are cleaned up', async () => {
    const opened: string[] = []
    const client = testClient(shop(opened))
    await client.fetch('/', post('{}'))
    assert.deepEqual(opened, [])
    await client.fetch('/', post('{}', { 'x-key': 'wrong' }))
    assert.deepEqual(opened.splice(0), ['db', 'owner'])
    await client.fetch('/', post('{}', { 'x-key': 'right' }))
    assert.deepEqual(opened.splice(0), ['db', 'owner', 'boss'])
    await client.fetch('/', post('{"n":1}', { 'x-key': 'right' }))
    assert.deepEqual(opened.splice(0), ['db', 'owner', 'boss', 'tx', 'tx closed', 'db closed'])
    await client.close()
  })

  test('no byte of the body is asked for before: 401 without 100 Continue, 100 Continue with the right key', () =>
    overSocket(shop(), async client => {
      const fields = ['Content-Type: application/json', 'Content-Length: 1000', 'Expect: 100-continue']
      client.write(get('/', [...fields, 'X-Key: right'], 'POST'))
      await client.until(({ text }) => text.includes('\r\n\r\n'))
      assert.match(client.text, /^HTTP\/1.1 100 /)
    }).then(() =>
      overSocket(shop(), async client => {
        const fields = ['Content-Type: application/json', 'Content-Length: 1000', 'Expect: 100-continue']
        client.write(get('/', [...fields, 'X-Key: wrong'], 'POST'))
        await client.until(({ text }) => text.includes('Wrong key'))
        assert.match(client.text, /^HTTP\/1.1 401 /)
      }),
    ))

  test('nobody without credentials takes a permit', async () => {
    const gate = Promise.withResolvers<void>()
    const user = dependency({ security: bearer() }, ({ token }) => token)
    const app = new App({ log: silent })
    app.get('/', { uses: { user }, limit: { concurrent: 1 } }, async ({ user }) => {
      await gate.promise
      return user
    })
    const client = testClient(app)
    const first = client.fetch('/', { headers: { authorization: 'Bearer t' } })
    const [second, without] = await Promise.all([
      client.fetch('/', { headers: { authorization: 'Bearer t' } }),
      client.fetch('/'),
    ])
    assert.deepEqual([second.status, without.status], [503, 401])
    gate.resolve()
    assert.equal((await first).status, 200)
    await client.close()
  })

  test('inputs of a guard are judged with it: 422 for them alone, before the body', async () => {
    const tenant = dependency(
      { security: key, headers: z.object({ 'x-tenant': z.string() }) },
      ({ headers }) => headers['x-tenant'],
    )
    const app = new App({ log: silent })
    app.post('/', { uses: { tenant }, body: Body }, ({ tenant }) => tenant)
    const client = testClient(app)
    const asked = async (body: string, headers: Record<string, string>) => {
      const answer = await client.fetch('/', post(body, headers))
      const { errors } = (await answer.json()) as { errors?: { loc: string[] }[] }
      return [answer.status, errors?.map(({ loc }) => loc.join('.'))]
    }
    assert.deepEqual(await asked('{', {}), [401, undefined])
    assert.deepEqual(await asked('{}', { 'x-key': 'k' }), [422, ['header.x-tenant']])
    assert.deepEqual(await asked('{}', { 'x-key': 'k', 'x-tenant': 't' }), [422, ['body.n']])
    await client.close()
  })

  test("a browser's preflight needs no credentials, and it can read the 401", async () => {
    const app = echo(bearer())
    app.use(cors({ origins: ['https://shop.example'], headers: ['authorization'] }))
    const client = testClient(app)
    const origin = { origin: 'https://shop.example' }
    const preflight = await client.fetch('/', {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    assert.ok(preflight.ok, String(preflight.status))
    const refused = await client.fetch('/', { headers: origin })
    assert.deepEqual(
      [refused.status, refused.headers.get('access-control-allow-origin')],
      [401, 'https://shop.example'],
    )
    await client.close()
  })

  test('HEAD asks for the same as GET, another method is a 405 without credentials', async () => {
    const client = testClient(echo(bearer()))
    const statuses = await Promise.all(
      (
        [
          ['HEAD', {}],
          ['HEAD', { authorization: 'Bearer t' }],
          ['DELETE', {}],
        ] as const
      ).map(async ([method, headers]) => (await client.fetch('/', { method, headers })).status),
    )
    assert.deepEqual(statuses, [401, 200, 405])
    await client.close()
  })

  test('a 401 passes through the middleware of the route', async () => {
    const app = echo(bearer())
    app.use(async (_context, next) => {
      const answer = await next()
      answer.headers.set('x-seen', String(answer.status))
      return answer
    })
    const client = testClient(app)
    const answer = await client.fetch('/')
    assert.deepEqual([answer.status, answer.headers.get('x-seen')], [401, '401'])
    await client.close()
  })
})

describe('mistakes of the programmer are told at once', () => {
  const mistakes: readonly (readonly [string, code: string, () => unknown])[] = [
    ['security that is none', 'APP_NOT_SECURITY', () => dependency({ security: {} as never }, () => 1)],
    ['security of a worker', 'APP_WORKER_INPUT', () => dependency({ scope: 'worker', security: bearer() }, () => 1)],
    [
      'a used dependency called like a credential',
      'APP_RESERVED_NAME',
      () => dependency({ uses: { token: dependency(() => 1) }, security: bearer() }, () => 1),
    ],
    ['an API key without a name', 'APP_SECURITY', () => apiKey({ in: 'header', name: '' })],
    ['an API key in a body', 'APP_SECURITY', () => apiKey({ in: 'body' as never, name: 'a' })],
    ['a header with a space', 'APP_SECURITY', () => apiKey({ in: 'header', name: 'a b' })],
    ['a scheme with a space', 'APP_SECURITY', () => http({ scheme: 'a b' })],
    ['a scope with a space', 'APP_SECURITY', () => oauth2Password({ tokenUrl: '/t', scopes: { 'a b': '' } })],
    ['a URL that is none', 'APP_SECURITY', () => oauth2Password({ tokenUrl: 'http://[' })],
    ['no flow', 'APP_SECURITY', () => oauth2({ flows: {} })],
    ['no discovery document', 'APP_SECURITY', () => openIdConnect({ url: 'http://[' })],
    ['one alternative', 'APP_SECURITY', () => either(bearer())],
    [
      'a cache on a route that asks who it is',
      'APP_CACHE',
      () => {
        const user = dependency({ security: bearer() }, () => 1)
        const app = new App()
        app.get('/', { uses: { user }, cache: { ttl: '1s' } }, () => 1)
        return app.manifest()
      },
    ],
    ['scopes of what is no dependency', 'APP_NOT_A_DEPENDENCY', () => requireScopes({} as never, 'a')],
  ]
  for (const [name, code, make] of mistakes)
    test(name, () => {
      assert.throws(make, (error: UsageError) => error instanceof UsageError && error.code === code)
    })
})

test('timingSafeEqual compares texts of any length', () => {
  assert.equal(timingSafeEqual('abc', 'abc'), true)
  assert.equal(timingSafeEqual('', ''), true)
  for (const [a, b] of [
    ['abc', 'abd'],
    ['abc', 'ab'],
    ['', 'a'],
    ['é', 'e\u0301'],
  ] as const)
    assert.equal(timingSafeEqual(a, b), false)
})
