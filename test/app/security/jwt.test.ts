// Tokens: what is believed, what is not, and what the application is told before it starts.
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { exportJWK, SignJWT } from 'jose'
import * as z from 'zod'
import { App, dependency, MillraceError, UsageError } from 'millrace'
import { bearer, jwt, TokenError } from 'millrace/security'
import { testClient } from 'millrace/testing'
import { RemoteKeys } from '../../../src/app/security/jwks.ts'
import { silent } from '../support/seams.ts'

const secret = 'a secret for tests of 32 bytes!!'
const HS = { algorithms: ['HS256'], secret } as const

const refused =
  (code: 'APP_BAD_TOKEN' | 'APP_TOKEN_EXPIRED') =>
  (error: unknown): boolean =>
    error instanceof TokenError && error.code === code && error.status === 401
const bad = refused('APP_BAD_TOKEN')

const base64url = (of: object) => Buffer.from(JSON.stringify(of)).toString('base64url')

/** Signed by hand, so that anything can be in it. */
function token(header: object, payload: object, key = secret): string {
  const text = `${base64url(header)}.${base64url(payload)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600

describe('a token', () => {
  const tokens = jwt({
    ...HS,
    issuer: 'shop',
    audience: 'shop-api',
    claims: z.object({ sub: z.string(), scope: z.string().default(''), admin: z.boolean().optional() }),
  })

  test('comes back as the claims that were signed, with issuer, audience and times', async () => {
    const signed = await tokens.sign({ sub: 'ada', scope: 'me items' }, { expiresIn: '15m', keyId: 'k1' })
    const claims = await tokens.verify(signed)
    assert.equal(claims.exp - claims.iat!, 900)
    assert.deepEqual(claims, {
      iss: 'shop',
      aud: 'shop-api',
      sub: 'ada',
      scope: 'me items',
      iat: claims.iat,
      exp: claims.exp,
    })
    assert.deepEqual(JSON.parse(Buffer.from(signed.split('.')[0]!, 'base64url').toString()), {
      alg: 'HS256',
      typ: 'JWT',
      kid: 'k1',
    })
  })

  test('is refused with the alg none, however it is spelt', async () => {
    const payload = { sub: 'ada', iss: 'shop', aud: 'shop-api', exp: inAnHour() }
    for (const alg of ['none', 'None', 'NONE', 'nOnE', ''])
      for (const end of ['', '.', '.x'])
        await assert.rejects(tokens.verify(`${base64url({ alg })}.${base64url(payload)}${end}`), bad)
  })

  test('is refused with another algorithm than those named, signed with the right secret or not', async () => {
    const payload = { sub: 'ada', iss: 'shop', aud: 'shop-api', exp: inAnHour() }
    for (const alg of ['HS384', 'HS512', 'RS256', 'ES256', 'hs256'])
      await assert.rejects(tokens.verify(token({ alg }, payload)), bad)
    assert.equal((await tokens.verify(token({ alg: 'HS256' }, payload))).sub, 'ada')
  })

  test('is refused when it was tampered with, cut, or is no token at all', async () => {
    const good = await tokens.sign({ sub: 'ada' }, { expiresIn: '1m' })
    const [head, payload, signature] = good.split('.') as [string, string, string]
    const admin = base64url({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), admin: true })
    for (const text of [
      '',
      'x',
      '..',
      head,
      `${head}.${payload}`,
      `${head}.${payload}.`,
      `${head}.${admin}.${signature}`,
      `${good}x`,
      `${good}.${good}`,
    ])
      await assert.rejects(tokens.verify(text), bad, text)
  })

  test('is refused for another issuer, another audience, or none', async () => {
    const good = { sub: 'ada', iss: 'shop', aud: ['other', 'shop-api'], exp: inAnHour() }
    assert.equal((await tokens.verify(token({ alg: 'HS256' }, good))).sub, 'ada')
    for (const change of [{ iss: 'shop2' }, { iss: undefined }, { aud: 'other' }, { aud: [] }, { aud: undefined }])
      await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, ...change })), bad)
  })

  test('must end: without exp it is refused, after it as expired, before nbf as well', async () => {
    const good = { sub: 'ada', iss: 'shop', aud: 'shop-api', exp: inAnHour() }
    await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, exp: undefined })), bad)
    await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, exp: 'x' })), bad)
    await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, exp: 1 })), refused('APP_TOKEN_EXPIRED'))
    await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, nbf: inAnHour() })), bad)
  })

  test('may be late by the tolerance of clocks, and no more', async () => {
    let now = 1_000_000_000_000
    const timed = jwt({ ...HS, clockTolerance: '10s', now: () => now })
    const signed = await timed.sign({}, { expiresIn: '1m' })
    now += 69_000
    await timed.verify(signed)
    now += 2000
    await assert.rejects(timed.verify(signed), refused('APP_TOKEN_EXPIRED'))
  })

  test('is refused when its claims are not what the schema says, and claims without a name are left out', async () => {
    const good = { sub: 'ada', iss: 'shop', aud: 'shop-api', exp: inAnHour() }
    for (const change of [{ sub: undefined }, { sub: 7 }, { admin: 'yes' }])
      await assert.rejects(tokens.verify(token({ alg: 'HS256' }, { ...good, ...change })), bad)
    const claims = await tokens.verify(token({ alg: 'HS256' }, { ...good, secret: 1 }))
    assert.ok(!('secret' in claims))
    assert.equal(claims.scope, '')
  })

  test('is verified by every secret and signed by the first, so that one can replace another', async () => {
    const next = 'the next secret of 32 bytes or so'
    const before = await jwt(HS).sign({ sub: 'ada' }, { expiresIn: '1m' })
    const rotated = jwt({ algorithms: ['HS256'], secret: [next, secret] })
    assert.equal((await rotated.verify(before)).sub, 'ada')
    const after = await rotated.sign({ sub: 'bob' }, { expiresIn: '1m' })
    assert.equal((await jwt({ algorithms: ['HS256'], secret: next }).verify(after)).sub, 'bob')
    await assert.rejects(jwt(HS).verify(after), bad)
  })
})

describe('key pairs', () => {
  const pairs: readonly (readonly [
    'RS256' | 'PS256' | 'ES256' | 'EdDSA',
    { publicKey: KeyObject; privateKey: KeyObject },
  ])[] = [
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['PS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ]
  for (const [algorithm, { publicKey, privateKey }] of pairs) {
    test(`${algorithm} signs with the private half and verifies with either`, async () => {
      const signer = jwt({ algorithms: [algorithm], privateKey })
      const signed = await signer.sign({ sub: 'ada' }, { expiresIn: '1m' })
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
      for (const verifier of [
        signer,
        jwt({ algorithms: [algorithm], publicKey }),
        jwt({ algorithms: [algorithm], publicKey: pem }),
      ])
        assert.equal((await verifier.verify(signed)).sub, 'ada')
      await assert.rejects(jwt({ algorithms: [algorithm], publicKey }).sign({}, { expiresIn: '1m' }), UsageError)
    })

    test(`${algorithm}: a token signed with HS256 and the public key as the secret is refused (key confusion)`, async () => {
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const forged = token({ alg: 'HS256' }, { sub: 'eve', exp: inAnHour() }, pem)
      await assert.rejects(jwt({ algorithms: [algorithm], publicKey: pem }).verify(forged), bad)
    })
  }
})

describe('what cannot be meant is refused when the application is written', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const mistakes: readonly (readonly [string, RegExp, object])[] = [
    ['no algorithms', /algorithms is empty/, { algorithms: [], secret }],
    ['none', /"none" is no algorithm/, { algorithms: ['none'] }],
    ['none beside another', /"none"/, { algorithms: ['HS256', 'none'], secret }],
    ['algorithms of both kinds', /must not choose/, { algorithms: ['HS256', 'RS256'], secret, publicKey: pem }],
    ['a secret beside a public key', /takes a secret, and/, { algorithms: ['HS256'], secret, publicKey: pem }],
    ['a secret for a signature', /there is a secret/, { algorithms: ['RS256'], secret }],
    ['a public key as the secret', /publicKey/, { algorithms: ['HS256'], secret: pem }],
    ['a short secret', /at least 32/, { algorithms: ['HS256'], secret: 'secret' }],
    ['a secret too short for the longest hash', /at least 64/, { algorithms: ['HS256', 'HS512'], secret }],
    ['no secret', /takes a secret/, { algorithms: ['HS256'] }],
    ['no key', /takes publicKey, privateKey or jwks/, { algorithms: ['ES256'] }],
    ['a key of another kind', /ES256 is not for/, { algorithms: ['ES256'], publicKey: rsa.publicKey }],
    ['a key of another curve', /secp384r1.*ES256 is not for/, { algorithms: ['ES256'], publicKey: ec.publicKey }],
    ['a key that is too short', /1024 bits/, { algorithms: ['RS256'], publicKey: weak.publicKey }],
    ['a public key to sign with', /privateKey is a public key/, { algorithms: ['RS256'], privateKey: rsa.publicKey }],
    ['text that is no key', /cannot be read/, { algorithms: ['RS256'], publicKey: 'x' }],
    ['a URL that is none', /give a URL/, { algorithms: ['RS256'], jwks: 'jwks.json' }],
    ['a set that is none', /no set of keys/, { algorithms: ['RS256'], jwks: { keys: 'x' } }],
  ]
  for (const [name, message, of] of mistakes)
    test(name, () => {
      assert.throws(
        () => jwt(of as never),
        (error: UsageError) => error instanceof UsageError && error.code === 'APP_JWT' && message.test(error.message),
      )
    })
})

describe('keys of others (JWKS)', () => {
  const [first, second] = [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ]
  let server: Server
  let url: string
  let asked = 0
  let answer: { status: number; body: string }
  /** While set, requests wait for it. */
  let gate: Promise<void> | undefined
  const publish = async (...pairs: readonly (readonly [kid: string, typeof first])[]) => {
    const keys = await Promise.all(
      pairs.map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' })),
    )
    answer = { status: 200, body: JSON.stringify({ keys }) }
  }
  const signed = (kid: string, { privateKey }: typeof first) =>
    new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg: 'ES256', kid }).setExpirationTime('1h').sign(privateKey)
  before(async () => {
    server = createServer((_request, response) => {
      asked++
      const { status, body } = answer
      void Promise.resolve(gate).then(() =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(body),
      )
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })

  test('are fetched once for all who wait, and kept', async () => {
    asked = 0
    await publish(['a', first])
    const tokens = jwt({ algorithms: ['ES256'], jwks: url })
    const good = await signed('a', first)
    const all = await Promise.all(Array.from({ length: 20 }, () => tokens.verify(good)))
    assert.deepEqual([all.length, asked], [20, 1])
    await tokens.verify(good)
    assert.equal(asked, 1)
  })

  test('are fetched again for a key id that is new, but not for every one that is made up', async () => {
    let now = 0
    asked = 0
    await publish(['a', first])
    const keys = new RemoteKeys(new URL(url), () => now)
    const find = (kid: string) => keys.find({ alg: 'ES256', kid }, {} as never)
    await find('a')
    await publish(['a', first], ['b', second])
    for (let n = 0; n < 5; n++) await assert.rejects(async () => find('b'), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
    assert.equal(asked, 1)
    now += 31_000
    await find('b')
    for (let n = 0; n < 5; n++) await assert.rejects(async () => find('made up'))
    assert.equal(asked, 2)
  })

  test('go on being used while their URL does not answer, for an hour', async () => {
    let now = 0
    await publish(['a', first])
    const keys = new RemoteKeys(new URL(url), () => now)
    const find = () => keys.find({ alg: 'ES256', kid: 'a' }, {} as never)
    await find()
    answer = { status: 500, body: '' }
    now += 11 * 60_000
    await find()
    now += 60 * 60_000
    await assert.rejects(async () => find(), { code: 'APP_JWKS_UNAVAILABLE', status: 503 })
  })

  test('that cannot be had are a 503 for the client, who has done nothing wrong', async () => {
    for (const wrong of [
      { status: 500, body: '' },
      { status: 200, body: '{' },
      { status: 200, body: '{"keys":1}' },
      { status: 302, body: '' },
    ]) {
      answer = wrong
      const tokens = jwt({ algorithms: ['ES256'], jwks: url })
      const app = new App({ log: silent })
      const user = dependency({ security: bearer() }, ({ token }) => tokens.verify(token))
      app.get('/', { uses: { user } }, ({ user }) => user.sub)
      const client = testClient(app)
      const told = await client.fetch('/', { headers: { authorization: `Bearer ${await signed('a', first)}` } })
      assert.deepEqual(
        [told.status, told.headers.get('retry-after'), told.headers.get('www-authenticate')],
        [503, '5', null],
      )
      await client.close()
    }
  })

  test('are not waited for by a caller who leaves; the others get them', async () => {
    await publish(['a', first])
    const tokens = jwt({ algorithms: ['ES256'], jwks: url })
    const good = await signed('a', first)
    const opened = Promise.withResolvers<void>()
    gate = opened.promise
    const leaving = new AbortController()
    const [left, stayed] = [tokens.verify(good, { signal: leaving.signal }), tokens.verify(good)]
    leaving.abort(new Error('gone'))
    await assert.rejects(left, /gone/)
    opened.resolve()
    gate = undefined
    assert.equal((await stayed).sub, 'ada')
    await assert.rejects(tokens.verify(good, { signal: AbortSignal.abort(new Error('gone before')) }), /gone before/)
  })

  test('of a set at hand are found by their ids, or tried one after the other where they have none', async () => {
    const jwk = async ({ publicKey }: typeof first, kid?: string) => ({
      ...(await exportJWK(publicKey)),
      ...(kid ? { kid } : {}),
    })
    const named = jwt({ algorithms: ['ES256'], jwks: { keys: [await jwk(first, 'a'), await jwk(second, 'b')] } })
    assert.equal((await named.verify(await signed('b', second))).sub, 'ada')
    await assert.rejects(named.verify(await signed('a', second)), bad)
    await assert.rejects(named.verify(await signed('c', first)), bad)
    const unnamed = jwt({ algorithms: ['ES256'], jwks: { keys: [await jwk(first), await jwk(second)] } })
    const third = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const noKid = (pair: typeof first) =>
      new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg: 'ES256' }).setExpirationTime('1h').sign(pair.privateKey)
    assert.equal((await unnamed.verify(await noKid(second))).sub, 'ada')
    await assert.rejects(unnamed.verify(await noKid(third)), bad)
  })
})

test('in a route a bad token is a 401 that says why in two words, and nothing of the details', async () => {
  const tokens = jwt({ ...HS, claims: z.object({ sub: z.string() }) })
  const user = dependency({ security: bearer({ format: 'JWT' }) }, ({ token, signal }) =>
    tokens.verify(token, { signal }),
  )
  const app = new App({ log: silent })
  app.get('/me', { uses: { user } }, ({ user }) => user.sub)
  const client = testClient(app)
  const asked = async (text: string) => {
    const answer = await client.fetch('/me', { headers: { authorization: `Bearer ${text}` } })
    return [
      answer.status,
      answer.headers.get('www-authenticate'),
      ((await answer.json()) as { detail?: string }).detail,
    ]
  }
  const challenge = 'Bearer error="invalid_token"'
  assert.deepEqual(await asked('x'), [401, challenge, 'The token is not valid'])
  assert.deepEqual(await asked(token({ alg: 'HS256' }, { sub: 'ada', exp: 1 })), [
    401,
    challenge,
    'The token has expired',
  ])
  assert.equal((await asked(await tokens.sign({ sub: 'ada' }, { expiresIn: '1m' })))[0], 200)
  await client.close()
})

test('errors of tokens are errors of Millrace', () => {
  assert.ok(new TokenError('APP_BAD_TOKEN', 'x') instanceof MillraceError)
})
