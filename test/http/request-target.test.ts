import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '../../src/http/errors.ts'
import { isAuthority, normalPath } from '../../src/http/request-target.ts'

describe('normalPath', () => {
  test('resolves dot segments as the WHATWG URL does', () => {
    // Node 22's URL forgets the dot segments behind a segment like '.a'.
    const isRight = new URL('http://h/a/.a/./b').pathname === '/a/.a/b'
    const part = fc.constantFrom(
      ...(isRight ? ['.a'] : []),
      '.',
      '..',
      '%2e',
      '%2E.',
      '.%2e',
      '%2e%2E',
      '',
      'a',
      'b.c',
      '...',
      'a..',
      '%41',
      '%C3%A9',
    )
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), parts => {
        const path = '/' + parts.join('/')
        // The base keeps a path that starts with '//' from being read as an authority.
        const { pathname } = new URL(`http://host${path}`)
        assert.equal(normalPath(path), decodeURIComponent(pathname))
      }),
      { numRuns: 1000 },
    )
  })

  test('is what fetch() sends, decoded: a path survives the trip', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 20 }).filter(text => !/[/\\\0]|^\.{1,2}$/.test(text)),
        text => {
          const { pathname } = new URL(`http://host/${encodeURIComponent(text)}`)
          assert.equal(normalPath(pathname), '/' + text)
        },
      ),
    )
  })

  test('never yields a slash, a backslash or a NUL that was not a separator on the wire', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('%2f', '%2F', '%5c', '%5C', '\\', '%00', 'a', '.', '%2e', '/'), { maxLength: 10 }),
        parts => {
          const path = '/' + parts.join('')
          const isForbidden = /%2f|%5c|\\|%00/i.test(path)
          if (isForbidden) assert.throws(() => normalPath(path), ProtocolError)
          else assert.ok(normalPath(path).startsWith('/'))
        },
      ),
    )
  })

  test('refuses malformed escapes and invalid UTF-8', () => {
    for (const path of [
      '/%',
      '/%a',
      '/%g0',
      '/%zz',
      '/%u0041',
      '/%ff',
      '/%c0%80',
      '/%e2%82',
      '/%ed%a0%80',
      '/%f5%80%80%80',
      '/a%/b',
    ])
      assert.throws(() => normalPath(path), { code: 'HTTP_BAD_PATH', status: 400 }, path)
  })
})

describe('isAuthority', () => {
  const says = (text: string) => isAuthority(Buffer.from(text, 'latin1'), 0, text.length)

  test('takes names, addresses and ports', () => {
    for (const text of ['a', 'A.b-c_d', 'localhost:0', 'a:65535', 'a:', '10.0.0.1:80', '[::1]', '[::ffff:1.2.3.4]:443'])
      assert.ok(says(text), text)
  })

  test('refuses everything else', () => {
    for (const text of [
      '',
      ':',
      ':80',
      'a:65536',
      'a:-1',
      'a:8o',
      'a:1:2',
      'a b',
      'a,b',
      'u@a',
      'a/b',
      'a?b',
      'a#b',
      'a%41',
      '[',
      '[]',
      '[::1',
      '::1',
      '[::1]x',
      '[::::]',
      '[1.2.3.4]',
      '[1:2:3:4:5:6:7:8:9]',
      '[fe80::1%eth0]',
      'é',
      'a\\b',
    ])
      assert.ok(!says(text), text)
  })
})
