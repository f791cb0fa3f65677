import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { addressText, isWithin, parseAddress, parseNetwork, plainAddress } from '../../src/http/ip-address.ts'

const text = (bytes: Uint8Array | undefined) => bytes && addressText(bytes)

describe('an address', () => {
  test('is taken where net.isIP takes it, and only there', () => {
    const characters = fc.string({
      unit: fc.constantFrom('0', '1', '9', 'f', 'F', ':', '::', '.', '255', '256'),
      maxLength: 14,
    })
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), characters), address => {
        assert.equal(parseAddress(address) !== undefined, isIP(address) !== 0, address)
      }),
      { numRuns: 3000 },
    )
  })

  test('has one spelling, that of the WHATWG URL', () => {
    fc.assert(
      fc.property(fc.ipV6(), address => {
        const { hostname } = new URL(`http://[${address}]`)
        const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(hostname)
        if (!mapped) assert.equal(`[${text(parseAddress(address))}]`, hostname)
      }),
    )
    fc.assert(fc.property(fc.ipV4(), address => assert.equal(text(parseAddress(address)), address)))
  })

  test('that IPv6 maps is the IPv4 address', () => {
    for (const spelling of ['::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'])
      assert.equal(text(parseAddress(spelling)), '192.0.2.1', spelling)
    assert.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
    assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
    assert.equal(plainAddress('2001:db8::1'), '2001:db8::1')
  })

  test('in a form that readers disagree about is none', () => {
    for (const spelling of [
      '127.1',
      '0177.0.0.1',
      '01.2.3.4',
      '0x7f.0.0.1',
      '1.2.3.4.',
      ' 1.2.3.4',
      '1.2.3',
      '',
      '::%lo',
      '[::1]',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7::8',
      '1.2.3.4::',
      '::1.2.3.4:1',
    ])
      assert.equal(parseAddress(spelling), undefined, spelling)
  })
})

describe('a network', () => {
  const holds = (network: string, address: string) => isWithin(parseAddress(address)!, parseNetwork(network)!)

  test('holds the addresses that begin with its bits', () => {
    assert.ok(holds('10.0.0.0/8', '10.255.0.1'))
    assert.ok(!holds('10.0.0.0/8', '11.0.0.1'))
    assert.ok(holds('192.0.2.128/25', '192.0.2.255'))
    assert.ok(!holds('192.0.2.128/25', '192.0.2.127'))
    assert.ok(holds('192.0.2.7', '::ffff:192.0.2.7'))
    assert.ok(holds('2001:db8::/33', '2001:db8:7fff::1'))
    assert.ok(!holds('2001:db8::/33', '2001:db8:8000::1'))
    assert.ok(holds('0.0.0.0/0', '203.0.113.9'))
    assert.ok(!holds('0.0.0.0/0', '2001:db8::1'))
    assert.ok(holds('::/0', '203.0.113.9'))
  })

  test('that is malformed is none', () => {
    for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10/8', '::/129', 'example.com', '10.0.0.0/-1', ''])
      assert.equal(parseNetwork(text), undefined, text)
  })
})
