import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encrypting, isEqual, signing } from '../../src/app/seal.ts'

const OLD = 'old secret of at least 32 bytes, as asked'
const NEW = 'new secret of at least 32 bytes, as asked'
const TEXT = '{"a":"ü","b":[1,2]}'

for (const [name, made] of [
  ['signed', signing],
  ['encrypted', encrypting],
] as const)
  describe(`a text that is ${name}`, () => {
    test('comes back as it was, of any length', () => {
      const seal = made([NEW], 'a')
      for (const text of ['', 'x', TEXT, 'long '.repeat(1000)])
        assert.deepEqual(seal.open(seal.seal(text)), { text, secret: 0 })
      assert.match(seal.seal(TEXT), /^[\w.-]+$/, 'a cookie carries it as it is')
    })

    test('is nothing when any one character of it is changed, cut or added', () => {
      const seal = made([NEW], 'a')
      const sealed = seal.seal(TEXT)
      for (let n = 0; n < sealed.length; n++) {
        const other = sealed[n] === 'A' ? 'B' : 'A'
        const changed = `${sealed.slice(0, n)}${other}${sealed.slice(n + 1)}`
        // The last character of base64 has bits that mean nothing.
        if (Buffer.from(changed, 'base64url').equals(Buffer.from(sealed, 'base64url'))) continue
        if (name === 'signed' && sameParts(changed, sealed)) continue
        assert.equal(seal.open(changed), undefined, `${n} of ${sealed}`)
        assert.equal(seal.open(sealed.slice(0, n)), undefined)
      }
      for (const junk of ['', '.', '..', 'a.b', 'ü', '\0'.repeat(60), sealed.repeat(2)])
        assert.equal(seal.open(junk), undefined, junk)
    })

    test('is opened by every secret that made some, and by no other', () => {
      const before = made([OLD], 'a').seal(TEXT)
      const rotated = made([NEW, OLD], 'a')
      assert.deepEqual(rotated.open(before), { text: TEXT, secret: 1 })
      assert.deepEqual(rotated.open(rotated.seal(TEXT)), { text: TEXT, secret: 0 })
      assert.equal(made([NEW], 'a').open(before), undefined)
    })

    test('is nothing to another purpose', () => {
      assert.equal(made([NEW], 'b').open(made([NEW], 'a').seal(TEXT)), undefined)
    })
  })

describe('what is encrypted', () => {
  test('cannot be read, and is another text each time', () => {
    const seal = encrypting([NEW], 'a')
    const [one, other] = [seal.seal(TEXT), seal.seal(TEXT)]
    assert.notEqual(one, other)
    assert.ok(!Buffer.from(one, 'base64url').toString('latin1').includes('"a"'))
  })

  test('and what is signed are nothing to each other', () => {
    assert.equal(signing([NEW], 'a').open(encrypting([NEW], 'a').seal(TEXT)), undefined)
    assert.equal(encrypting([NEW], 'a').open(signing([NEW], 'a').seal(TEXT)), undefined)
  })
})

test('bytes of different lengths are not equal', () => {
  assert.equal(isEqual(Buffer.from('a'), Buffer.from('ab')), false)
  assert.equal(isEqual(Buffer.from('ab'), Buffer.from('ab')), true)
  assert.equal(isEqual(Buffer.from('ab'), Buffer.from('ac')), false)
})

function sameParts(one: string, other: string): boolean {
  const bytes = (text: string) => text.split('.').map(part => Buffer.from(part, 'base64url').toString('hex'))
  return JSON.stringify(bytes(one)) === JSON.stringify(bytes(other))
}
