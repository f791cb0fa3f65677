import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCookies, setCookie } from '../../src/app/cookie.ts'

describe('cookies', () => {
  test('are read with their odd forms: quotes, percent, later ones win, no prototype', () => {
    const cookies = parseCookies('a=1; b="q q"; c=%20x; d=%zz; a=2; =bad; alone; __proto__=p')
    assert.deepEqual({ ...cookies }, { a: '2', b: 'q q', c: ' x', d: '%zz', ['__proto__']: 'p' })
    assert.equal(Object.getPrototypeOf(cookies), null)
  })

  test('are written with safe defaults', () => {
    assert.equal(setCookie('a', 'b;c'), 'a=b%3Bc; Path=/; SameSite=Lax')
    assert.equal(
      setCookie('a', '', {
        maxAgeSeconds: 0,
        httpOnly: true,
        secure: true,
        sameSite: 'strict',
        domain: 'example.com',
        expires: new Date(0),
      }),
      'a=; Path=/; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict',
    )
    assert.match(setCookie('a', 'b', { sameSite: 'none' }), /; Secure;/)
    assert.match(setCookie('a', 'b', { partitioned: true }), /; Secure;/) // browsers drop one without
  })

  test('cannot smuggle an attribute or a line', () => {
    assert.throws(() => setCookie('a b', 'c'), { code: 'APP_BAD_COOKIE' })
    assert.throws(() => setCookie('a', 'c', { path: '/; HttpOnly' }), { code: 'APP_BAD_COOKIE' })
    assert.throws(() => setCookie('a', 'c', { domain: 'x\r\ny' }), { code: 'APP_BAD_COOKIE' })
    assert.throws(() => setCookie('a', 'c', { sameSite: 'lax; Domain=evil.example' as 'lax' }), {
      code: 'APP_BAD_COOKIE',
    })
    assert.equal(setCookie('a', 'c\r\nset-cookie: x=y'), 'a=c%0D%0Aset-cookie%3A%20x%3Dy; Path=/; SameSite=Lax')
  })
})
