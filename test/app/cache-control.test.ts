// Which answers a shared cache may keep, and for how long, by RFC 9111 and RFC 5861.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { directivesOf, secondsOf, sharedLife } from '../../src/app/cache-control.ts'

const none = new Set<string>()
const freshMs = (fields: string[], status = 200, fallbackMs?: number) =>
  sharedLife(status, fields, fallbackMs, none)?.freshMs

test('directives are read in any case, quoted or not, and of one that comes twice the first counts', () => {
  const found = directivesOf('Max-Age="60", private="set-cookie, x-a", S-MAXAGE=7, max-age=1, , no-cache')
  assert.deepEqual(
    [...found],
    [
      ['max-age', '60'],
      ['private', 'set-cookie, x-a'],
      ['s-maxage', '7'],
      ['no-cache', ''],
    ],
  )
  assert.equal(secondsOf(found, 'max-age'), 60)
  for (const odd of ['-1', '1.5', 'soon', '', '99999999999'])
    assert.equal(secondsOf(directivesOf(`max-age=${odd}`), 'max-age'), 0, odd)
  assert.equal(secondsOf(found, 'x'), undefined)
})

describe('an answer is kept', () => {
  const date = new Date().toUTCString()
  const expires = new Date(Date.parse(date) + 90_000).toUTCString()
  for (const [what, fields, expected] of [
    ['for its s-maxage, before max-age', ['cache-control', 'max-age=10, s-maxage=60'], 60_000],
    ['for its max-age, before Expires', ['cache-control', 'max-age=10', 'expires', expires], 10_000],
    ['until Expires, from its Date', ['date', date, 'expires', expires], 90_000],
    ['less what it is old already', ['cache-control', 'max-age=60', 'age', '20'], 40_000],
    ['for the time given, where it says nothing', [], 5_000],
    ['although it varies by what is in the key', ['vary', 'Accept-Language'], 5_000],
  ] as const)
    test(what, () => {
      assert.equal(sharedLife(200, fields, 5_000, new Set(['accept-language']))?.freshMs, expected)
    })

  test('stale for as long as it says, and not at all where it must be asked for anew', () => {
    const said = sharedLife(200, ['cache-control', 'max-age=1, stale-while-revalidate=5, stale-if-error=9'], 0, none)
    assert.deepEqual([said?.staleMs, said?.staleIfErrorMs], [5_000, 9_000])
    const silent = sharedLife(200, ['cache-control', 'max-age=1'], 0, none)
    assert.deepEqual([silent?.staleMs, silent?.staleIfErrorMs], [undefined, undefined])
    for (const strict of ['must-revalidate', 'proxy-revalidate', 's-maxage=3']) {
      const life = sharedLife(200, ['cache-control', `${strict}, max-age=1, stale-while-revalidate=5`], 0, none)
      assert.deepEqual([life?.staleMs, life?.staleIfErrorMs], [0, 0], strict)
    }
  })

  test('by its status: a 404 that says for how long, no 206 and no 500 whatever they say', () => {
    const said = ['cache-control', 'max-age=60']
    for (const status of [200, 301, 404, 410]) assert.equal(freshMs(said, status), 60_000)
    for (const status of [201, 206, 302, 304, 400, 500, 503]) assert.equal(freshMs(said, status), undefined)
  })
})

describe('an answer is not kept', () => {
  for (const [what, fields] of [
    ['private', ['cache-control', 'private, max-age=60']],
    ['no-store', ['cache-control', 'max-age=60', 'Cache-Control', 'No-Store']],
    ['no-cache', ['cache-control', 'no-cache, max-age=60']],
    ['with a cookie', ['cache-control', 'max-age=60', 'Set-Cookie', 'a=b']],
    ['by any field', ['vary', '*']],
    ['by a field that is not in the key', ['vary', 'accept-language, cookie']],
    ['fresh for no time', ['cache-control', 'max-age=0']],
    ['older than it may get', ['cache-control', 'max-age=60', 'age', '60']],
    ['expired', ['expires', '0']],
    ['with a max-age that is none', ['cache-control', 'max-age=soon']],
  ] as const)
    test(`where it is ${what}`, () => {
      assert.equal(sharedLife(200, fields, 5_000, new Set(['accept-language'])), undefined)
    })

  test('where it says nothing and no time is given', () => assert.equal(freshMs([]), undefined))
})
