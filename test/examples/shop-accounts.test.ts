// The shop's accounts: signing up, signing in by OAuth 2's password grant, and what only the customer gets to see.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jwt } from 'millrace/security'
import * as z from 'zod'
import { openShop, TOKEN_SECRET } from './support/shop.ts'

const shop = await openShop(0)
const password = 'correct horse battery'
let people = 0

async function signUp(email = `customer-${++people}@example.com`): Promise<{ id: string; email: string }> {
  const made = await shop.send('POST', '/accounts', { email, password })
  assert.equal(made.status, 201)
  return made.body as { id: string; email: string }
}

async function askToken(fields: Record<string, string>) {
  const response = await shop.api.fetch('/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'password', ...fields }).toString(),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

async function logIn(email: string, scope = ''): Promise<{ authorization: string }> {
  const { status, body } = await askToken({ username: email, password, scope })
  assert.equal(status, 200)
  return { authorization: `Bearer ${body.access_token}` }
}

async function buy(headers: Record<string, string>, email?: string) {
  const product = await shop.product()
  const cart = await shop.cart([product.id, 1])
  return shop.send('POST', '/orders', { cartId: cart, ...(email === undefined ? {} : { email }) }, headers)
}

describe('signing up', () => {
  test('makes an account, without a word of the password in the answer or the database', async () => {
    const made = await shop.send('POST', '/accounts', { email: 'Ada@example.com', password })
    assert.equal(made.status, 201)
    assert.deepEqual(Object.keys(made.body as object).sort(), ['createdAt', 'email', 'id'])
    const kept = await shop.db.sql<{ password_hash: string }>`
      select password_hash from accounts where id = ${made.body.id}`.one()
    assert.match(kept.password_hash, /^\$scrypt\$ln=15,r=8,p=3\$/)
  })

  test('is refused with 409 for an address that has an account, however it is written', async () => {
    const { email } = await signUp()
    for (const same of [email, email.toUpperCase().replace('EXAMPLE.COM', 'example.com')])
      assert.equal((await shop.send('POST', '/accounts', { email: same, password })).status, 409)
  })

  test('once, of many who sign up with one address at the same time', async () => {
    const body = { email: 'rush@example.com', password }
    const all = await Promise.all(Array.from({ length: 5 }, () => shop.send('POST', '/accounts', body)))
    assert.deepEqual(all.map(({ status }) => status).sort(), [201, 409, 409, 409, 409])
  })

  for (const [body, place] of [
    [{ email: 'ada', password }, 'body.email'],
    [{ email: 'a@example.com', password: 'short' }, 'body.password'],
    [{ email: 'a@example.com' }, 'body.password'],
    [{ email: 'a@example.com', password, admin: true }, 'body.admin'],
  ] as const)
    test(`refuses ${JSON.stringify(body)}`, async () => {
      const refused = await shop.send('POST', '/accounts', body)
      assert.equal(refused.status, 422)
      assert.deepEqual(
        (refused.body.errors as { loc: string[] }[]).map(({ loc }) => loc.join('.')),
        [place],
      )
    })
})

describe('signing in', () => {
  test('gives a token for an hour, which nobody may keep', async () => {
    const { email } = await signUp()
    const { status, headers, body } = await askToken({ username: email.toUpperCase(), password })
    assert.equal(status, 200)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.deepEqual(Object.keys(body as object), ['access_token', 'token_type', 'expires_in', 'scope'])
    assert.deepEqual([body.token_type, body.expires_in, body.scope], ['bearer', 3600, 'account orders'])
  })

  test('tells the wrong password and the unknown address in the same words', async () => {
    const { email } = await signUp()
    const wrong = await askToken({ username: email, password: 'wrong password' })
    const unknown = await askToken({ username: 'nobody@example.com', password })
    assert.deepEqual([wrong.status, wrong.body], [unknown.status, unknown.body])
    assert.deepEqual(wrong.body, { error: 'invalid_grant', error_description: 'The email or the password is wrong' })
    assert.equal(wrong.status, 400)
  })

  test('refuses a scope that there is not, another grant, and a form with fields missing', async () => {
    const { email } = await signUp()
    const scope = await askToken({ username: email, password, scope: 'orders admin' })
    assert.deepEqual([scope.status, scope.body], [400, { error: 'invalid_scope' }])
    assert.equal((await askToken({ username: email, password, grant_type: 'client_credentials' })).status, 422)
    assert.equal((await askToken({ username: email })).status, 422)
  })

  test('keeps a new hash where the one there is was made at lower costs', async () => {
    const { id, email } = await signUp()
    const { passwords } = await import('millrace/security')
    const old = await passwords({ cost: { ln: 10, r: 8, p: 1 } }).hash(password)
    await shop.db.sql`update accounts set password_hash = ${old} where id = ${id}`.count()
    await logIn(email)
    const { hash } = await shop.db.sql<{ hash: string }>`
      select password_hash as hash from accounts where id = ${id}`.one()
    assert.match(hash, /ln=15/)
    await logIn(email)
  })
})

describe('what only the customer sees', () => {
  test('the account, with a token and not without', async () => {
    const { id, email } = await signUp()
    const found = await shop.send('GET', '/accounts/me', undefined, await logIn(email))
    assert.deepEqual([found.status, found.body.id, found.body.email], [200, id, email])
    const without = await shop.send('GET', '/accounts/me')
    assert.deepEqual([without.status, without.headers.get('www-authenticate')], [401, 'Bearer scope="account"'])
  })

  test('needs the scope: 403 says which', async () => {
    const { email } = await signUp()
    const refused = await shop.send('GET', '/accounts/me/orders', undefined, await logIn(email, 'account'))
    assert.equal(refused.status, 403)
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer error="insufficient_scope", scope="orders"')
  })

  test('takes no token of somebody else, of another time, or with another signature', async () => {
    const { id } = await signUp()
    const claims = z.object({ sub: z.string(), scope: z.string() })
    const of = { algorithms: ['HS256'], claims } as const
    const own = { sub: id, scope: 'account' }
    const hour = { expiresIn: '1h' } as const
    for (const forged of [
      await jwt({ ...of, secret: TOKEN_SECRET, issuer: 'other' }).sign(own, hour),
      await jwt({ ...of, secret: TOKEN_SECRET, issuer: 'millrace-shop', now: () => 0 }).sign(own, hour),
      await jwt({ ...of, secret: TOKEN_SECRET.replace('a', 'b'), issuer: 'millrace-shop' }).sign(own, hour),
      await jwt({ ...of, secret: TOKEN_SECRET, issuer: 'millrace-shop' }).sign({ ...own, sub: '7' }, hour),
    ]) {
      const refused = await shop.send('GET', '/accounts/me', undefined, { authorization: `Bearer ${forged}` })
      assert.equal(refused.status, 401)
      assert.match(refused.headers.get('www-authenticate')!, /error="invalid_token"/)
    }
  })

  test('my orders: mine alone, the newest first, page by page', async () => {
    const [ada, bob] = [await signUp(), await signUp()]
    const [adas, bobs] = [await logIn(ada.email), await logIn(bob.email)]
    const placed: string[] = []
    for (let n = 0; n < 5; n++) {
      const order = await buy(adas)
      assert.deepEqual([order.status, order.body.email], [201, ada.email])
      placed.unshift(order.body.id as string)
    }
    const other = await buy(bobs, 'elsewhere@example.com')
    assert.deepEqual([other.status, other.body.email], [201, 'elsewhere@example.com'])

    const list = (query: string, headers = adas) => shop.send('GET', `/accounts/me/orders${query}`, undefined, headers)
    const found: string[] = []
    for (let cursor = ''; ;) {
      const page = await list(`?limit=2${cursor}`)
      assert.equal(page.status, 200)
      found.push(...(page.body.items as { id: string }[]).map(({ id }) => id))
      if (page.body.nextCursor === null) break
      cursor = `&cursor=${page.body.nextCursor}`
    }
    assert.deepEqual(found, placed)
    assert.equal((await list(`?cursor=${other.body.id}`)).status, 400)
    assert.deepEqual(
      ((await list('', bobs)).body.items as { id: string }[]).map(({ id }) => id),
      [other.body.id],
    )
    assert.equal((await list('?limit=0')).status, 422)
  })
})

describe('checkout', () => {
  test('takes guests with an email, and nobody without one or the other', async () => {
    const guest = await buy({}, 'guest@example.com')
    assert.equal(guest.status, 201)
    const nobody = await buy({})
    assert.deepEqual([nobody.status, nobody.body.detail], [422, 'Give an email for the confirmation, or sign in'])
  })

  test('tells who asks again for an order of theirs, and a guest with the same address nothing', async () => {
    const { email } = await signUp()
    const headers = await logIn(email)
    const product = await shop.product()
    const cartId = await shop.cart([product.id, 1])
    const placed = await shop.send('POST', '/orders', { cartId }, headers)
    const again = await shop.send('POST', '/orders', { cartId }, headers)
    assert.deepEqual([placed.status, again.status, again.body.orderId], [201, 409, placed.body.id])
    assert.equal((await shop.send('POST', '/orders', { cartId, email })).body.orderId, undefined)
  })

  test('takes no customer whose account is gone, with an address of their own or without', async () => {
    const { id, email } = await signUp()
    const headers = await logIn(email)
    await shop.db.sql`delete from accounts where id = ${id}`.count()
    for (const given of [undefined, 'elsewhere@example.com']) {
      const refused = await buy(headers, given)
      assert.deepEqual([refused.status, refused.body.detail], [401, 'This account is gone'])
    }
  })

  test('takes no customer whose token has expired for a guest', async () => {
    const refused = await buy({ authorization: 'Bearer x.y.z' }, 'guest@example.com')
    assert.equal(refused.status, 401)
  })
})

test("the shopkeeper's key comes before the body: 401 for a wrong one with a body that is none", async () => {
  for (const body of ['{', '{"name":1}', '[]'])
    for (const headers of [{}, { 'x-api-key': 'wrong' }] as Record<string, string>[]) {
      const refused = await shop.send('POST', '/products', body, headers)
      assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'APIKey realm="shop"'])
    }
})
