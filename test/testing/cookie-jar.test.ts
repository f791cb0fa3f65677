import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CookieJar } from '../../src/testing/cookie-jar.ts'

describe('a cookie jar', () => {
  test('gives back what it was given, and the newer value of a name', () => {
    const jar = new CookieJar()
    jar.store(['a=1; Path=/', 'b=x=y; Path=/; HttpOnly; Secure; SameSite=Lax'], '/')
    jar.store(['a=2; Path=/'], '/')
    assert.equal(jar.field('/'), 'a=2; b=x=y')
    assert.deepEqual(jar.all, { a: '2', b: 'x=y' })
  })

  test('sends a cookie below its path alone, and the longest path first', () => {
    const jar = new CookieJar()
    jar.store(['a=1; Path=/', 'a=2; Path=/shop', 'c=3'], '/shop/cart/items')
    assert.equal(jar.field('/'), 'a=1')
    assert.equal(jar.field('/shop'), 'a=2; a=1')
    assert.equal(jar.field('/shopping'), 'a=1')
    assert.equal(jar.field('/shop/cart/pay'), 'c=3; a=2; a=1')
  })

  test('lets go of a cookie at its time, or when it is told to; Max-Age wins over Expires', () => {
    const jar = new CookieJar()
    const now = Date.UTC(2026, 10, 2)
    jar.store(
      ['a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'b=2; Expires=Mon, 02 Nov 2026 00:00:30 GMT', 'c=3'],
      '/',
      now,
    )
    assert.equal(jar.field('/', now), 'a=1; b=2; c=3')
    assert.equal(jar.field('/', now + 30_000), 'a=1; c=3')
    assert.equal(jar.field('/', now + 60_000), 'c=3')
    jar.store(['c=; Max-Age=0'], '/', now)
    assert.equal(jar.field('/', now + 60_000), undefined)
  })

  test('takes nothing that is no cookie, and can be filled and emptied by hand', () => {
    const jar = new CookieJar()
    jar.store(['', '=1', 'nothing'], '/')
    assert.equal(jar.field('/'), undefined)
    jar.set('a', '1')
    assert.equal(jar.field('/deep/down'), 'a=1')
    jar.clear()
    assert.equal(jar.field('/'), undefined)
  })
})
