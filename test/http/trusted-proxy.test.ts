import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { FieldLines } from '../../src/http/exchange.ts'
import { HeadFields } from '../../src/http/field-lines.ts'
import {
  FORWARDED_FIELDS,
  isProxyName,
  type Origin,
  parseForwarded,
  TrustedProxies,
} from '../../src/http/trusted-proxy.ts'

const PROXY = { address: '10.0.0.1', port: 4000, encrypted: false }
const trusted = new TrustedProxies(['10.0.0.0/8', 'fd00::/8', 'loopback', 'unix'], FORWARDED_FIELDS)

function fieldsOf(...lines: readonly string[]): FieldLines {
  const text = Buffer.from(lines.map(line => `${line}\r\n`).join(''), 'latin1')
  return new HeadFields(text, 0, text.length)
}

function origin(lines: readonly string[], peer = PROXY, of = trusted): Origin {
  return of.origin({ peer, scheme: peer.encrypted ? 'https' : 'http', authority: 'inside:8000' }, fieldsOf(...lines))
}

const client = (...lines: readonly string[]) => origin(lines).peer.address

describe('who is trusted', () => {
  test('an address, a network, loopback or a unix socket, as the operator names them', () => {
    for (const name of ['192.0.2.1', '10.0.0.0/8', '2001:db8::/32', '::1', 'loopback', 'unix'])
      assert.ok(isProxyName(name))
    for (const name of ['', 'localhost', '10.0.0.0/33', '*', 'Unix', '10.0.0.*']) assert.ok(!isProxyName(name), name)
    for (const address of ['10.9.8.7', '::ffff:10.9.8.7', 'fd12::1', '127.0.0.1', '127.9.9.9', '::1', ''])
      assert.ok(trusted.has(address), address)
    for (const address of ['11.0.0.1', '192.0.2.1', '2001:db8::1', 'fe80::1%eth0', 'nonsense'])
      assert.ok(!trusted.has(address), address)
    assert.ok(!new TrustedProxies(['loopback'], []).has(''))
  })

  test('somebody else is the client, whatever it sends', () => {
    const peer = { address: '192.0.2.7', port: 9, encrypted: false }
    const lines = [
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'Forwarded: for=1.2.3.4',
    ]
    assert.deepEqual(origin(lines, peer), { peer, scheme: 'http', authority: 'inside:8000' })
  })

  test('a proxy that says nothing is the client itself', () => {
    assert.deepEqual(origin([]), { peer: PROXY, scheme: 'http', authority: 'inside:8000' })
  })
})

for (const [name, list] of [
  ['X-Forwarded-For', (...hops: readonly string[]) => [`X-Forwarded-For: ${hops.join(', ')}`]],
  [
    'Forwarded',
    (...hops: readonly string[]) => [`Forwarded: ${hops.map(hop => (hop === '' ? '' : `for="${hop}"`)).join(', ')}`],
  ],
] as const)
  describe(name, () => {
    test('the right-most address that is no trusted proxy is the client', () => {
      assert.equal(client(...list('203.0.113.5')), '203.0.113.5')
      assert.equal(client(...list('6.6.6.6', '203.0.113.5')), '203.0.113.5')
      assert.equal(client(...list('6.6.6.6', '203.0.113.5', '10.1.1.1', '127.0.0.1')), '203.0.113.5')
      assert.equal(client(...list('6.6.6.6', '203.0.113.5', '[fd00::2]:80')), '203.0.113.5')
      assert.equal(client(...list('::ffff:10.1.1.1', '10.2.2.2')), '10.1.1.1')
    })

    test('the left-most is, when all are trusted', () => {
      assert.equal(client(...list('10.3.3.3', '10.2.2.2')), '10.3.3.3')
    })

    test('a port is read, and an IPv6 address with or without one', () => {
      assert.deepEqual(origin(list('203.0.113.5:4711')).peer, { address: '203.0.113.5', port: 4711, encrypted: false })
      assert.deepEqual(origin(list('[2001:DB8::5]:4711')).peer, {
        address: '2001:db8::5',
        port: 4711,
        encrypted: false,
      })
      assert.equal(client(...list('[2001:db8::5]')), '2001:db8::5')
      assert.equal(client(...list('[2001:db8::5]:_hidden')), '2001:db8::5')
      assert.equal(client(...list('[::ffff:203.0.113.5]')), '203.0.113.5')
    })

    test('a hop that cannot be read makes the client unknown, and nobody is asked what stands before it', () => {
      for (const hop of [
        'unknown',
        '_hidden',
        'localhost',
        '1.2.3.4:99999',
        '1.2.3',
        '[1.2.3.4]',
        '[2001:db8::5',
        '1.2.3.4 5.6.7.8',
        '01.2.3.4',
      ])
        assert.equal(client(...list('6.6.6.6', hop)), '', hop)
    })

    test('the lines of several fields are one list', () => {
      assert.equal(client(...list('6.6.6.6'), ...list('203.0.113.5'), ...list('10.2.2.2')), '203.0.113.5')
      assert.equal(client(...list('203.0.113.5'), ...list('10.2.2.2', '10.4.4.4')), '203.0.113.5')
    })

    test('what a client puts in front of what proxies append changes nothing', () => {
      const anything = fc.string({ unit: fc.constantFrom(...'0123456789abf.:[]_,;="\\ \tfor'), maxLength: 40 })
      fc.assert(
        fc.property(
          fc.array(anything, { maxLength: 3 }),
          fc.ipV4().filter(ip => !/^(10|127)\./.test(ip)),
          (lines, ip) => {
            const spoofed = lines.map(line => `${name}: ${line}`)
            assert.equal(client(...spoofed, ...list(ip, '10.2.2.2')), ip)
          },
        ),
        { numRuns: 500 },
      )
    })
  })

describe('X-Forwarded-For', () => {
  test('has IPv6 without brackets too', () => {
    assert.equal(client('X-Forwarded-For: 6.6.6.6, 2001:db8::5'), '2001:db8::5')
  })

  test('with an empty place makes the client unknown', () => {
    for (const value of ['', ',', '1.2.3.4,', ', 10.2.2.2'])
      assert.equal(client(`X-Forwarded-For: ${value}`), '', value)
  })
})

describe('Forwarded', () => {
  test('is read as RFC 7239 writes it', () => {
    assert.deepEqual(parseForwarded('for="_gazonk"'), [{ for: '_gazonk' }])
    assert.deepEqual(parseForwarded('For="[2001:db8:cafe::17]:4711"'), [{ for: '[2001:db8:cafe::17]:4711' }])
    assert.deepEqual(parseForwarded('for=192.0.2.60;proto=http;by=203.0.113.43'), [
      { for: '192.0.2.60', proto: 'http' },
    ])
    assert.deepEqual(parseForwarded('for=192.0.2.43, for=198.51.100.17'), [
      { for: '192.0.2.43' },
      { for: '198.51.100.17' },
    ])
    assert.deepEqual(parseForwarded('for=192.0.2.43 ; host="a\\"b,c;d" ,\t, secret=x;'), [
      { for: '192.0.2.43', host: 'a"b,c;d' },
      {},
    ])
    assert.deepEqual(parseForwarded(''), [])
  })

  test('that does not follow the grammar, or says something twice, is not read', () => {
    for (const line of [
      'for',
      'for=',
      'for="1.2.3.4',
      'for=1.2.3.4:80',
      'for=1.2.3.4 for=5.6.7.8',
      'for =1.2.3.4',
      'for=1.2.3.4;for=1.2.3.4',
      'for="1.2.3.4"x',
      '=x',
      'for=[::1]',
    ])
      assert.equal(parseForwarded(line), undefined, line)
  })

  test('a quote that a client leaves open does not swallow what a proxy appends to the line', () => {
    assert.equal(client('Forwarded: for="6.6.6.6, for="203.0.113.5"'), '')
    assert.equal(client('Forwarded: for="6.6.6.6', 'Forwarded: for="203.0.113.5"'), '203.0.113.5')
  })

  test('tells scheme and host of the hop that called the first trusted proxy', () => {
    const told = origin([
      'Forwarded: for=6.6.6.6;host=evil;proto=http, for=203.0.113.5;proto=https;host="shop.example:8443", for=10.2.2.2;proto=http;host=inside',
    ])
    assert.deepEqual(told, {
      peer: { address: '203.0.113.5', port: 0, encrypted: true },
      scheme: 'https',
      authority: 'shop.example:8443',
    })
  })

  test('beats X-Forwarded-* where both are trusted', () => {
    const told = origin(['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: evil', 'Forwarded: for=203.0.113.5'])
    assert.deepEqual([told.peer.address, told.authority], ['203.0.113.5', 'inside:8000'])
  })

  test('takes no more than linear time for a line that is as long as a head may be', () => {
    for (const part of [' ', '\t;', ',', 'a=b;', '"', 'for="\\'])
      assert.ok((parseForwarded(part.repeat(16_384 / part.length)) ?? []).length <= 1, part)
  })
})

describe('scheme and host', () => {
  test('are those of the X-Forwarded fields', () => {
    const told = origin(['X-Forwarded-For: 203.0.113.5', 'X-Forwarded-Proto: HTTPS', 'X-Forwarded-Host: shop.example'])
    assert.deepEqual(told, {
      peer: { address: '203.0.113.5', port: 0, encrypted: true },
      scheme: 'https',
      authority: 'shop.example',
    })
    assert.equal(origin(['X-Forwarded-Proto: wss']).scheme, 'https')
    assert.deepEqual(origin(['X-Forwarded-Proto: https']).peer, { ...PROXY, encrypted: true })
  })

  test('are told from the same place as the address when each proxy appends', () => {
    const lines = ['X-Forwarded-For: 6.6.6.6, 203.0.113.5, 10.2.2.2', 'X-Forwarded-Proto: http, https, http']
    assert.equal(origin(lines).scheme, 'https')
    assert.equal(origin(['X-Forwarded-For: 203.0.113.5, 10.2.2.2', 'X-Forwarded-Proto: https']).scheme, 'https')
    assert.equal(origin(['X-Forwarded-For: 203.0.113.5', 'X-Forwarded-Proto: http, https']).scheme, 'https')
  })

  test('that are neither are ignored', () => {
    const told = origin(['X-Forwarded-Proto: gopher', 'X-Forwarded-Host: a/b'])
    assert.deepEqual(told, { peer: PROXY, scheme: 'http', authority: 'inside:8000' })
    for (const host of ['', 'a b', 'user@a', 'a:99999', '[::1', 'a,'])
      assert.equal(origin([`X-Forwarded-Host: ${host}`]).authority, 'inside:8000')
  })

  test('a proxy behind TLS of ours may say that its client had none', () => {
    assert.equal(origin(['X-Forwarded-Proto: http'], { ...PROXY, encrypted: true }).scheme, 'http')
    assert.equal(origin([], { ...PROXY, encrypted: true }).scheme, 'https')
  })
})

test('a field that the settings do not name is not believed', () => {
  const some = new TrustedProxies(['10.0.0.0/8'], ['x-forwarded-for'])
  const lines = [
    'Forwarded: for=6.6.6.6;host=evil',
    'X-Forwarded-For: 203.0.113.5',
    'X-Forwarded-Host: evil',
    'X-Forwarded-Proto: https',
  ]
  assert.deepEqual(origin(lines, PROXY, some), {
    peer: { address: '203.0.113.5', port: 0, encrypted: false },
    scheme: 'http',
    authority: 'inside:8000',
  })
})
