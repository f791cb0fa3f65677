import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { addressText, parseAddress } from '../../src/http/ip-address.ts'
import { parseProxyHeader, type ProxyHeader, ProxyHeaderError } from '../../src/http/proxy-protocol.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'

function v2(command: number, transport: number, ...content: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(content.map(part => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)))
  const fixed = Buffer.from(`${SIGNATURE}00000000`, 'hex')
  fixed[12] = command
  fixed[13] = transport
  fixed.writeUInt16BE(body.length, 14)
  return Buffer.concat([fixed, body])
}

const tlv = (type: number, value: Buffer | string) => {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'hex') : value
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes])
}

// 192.0.2.1:4660 -> 198.51.100.2:80
const IPV4 = 'c0000201c633640212340050'
const IPV6 = '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + '12340050'

type Outcome = ProxyHeader | 'refused' | 'more'

function outcomeOf(bytes: Buffer): Outcome {
  try {
    return parseProxyHeader(bytes) ?? 'more'
  } catch (error) {
    assert.ok(error instanceof ProxyHeaderError)
    assert.equal(error.code, 'HTTP_BAD_PROXY_HEADER')
    return 'refused'
  }
}

/** The first outcome that is final, byte after byte. */
function bytewise(bytes: Buffer): Outcome {
  for (let end = 0; end <= bytes.length; end++) {
    const outcome = outcomeOf(bytes.subarray(0, end))
    if (outcome !== 'more') return outcome
  }
  return 'more'
}

/** Whole, byte by byte, and with bytes of the client behind it. */
function parsed(bytes: Buffer | string): Outcome {
  const header = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const whole = outcomeOf(header)
  assert.deepEqual(bytewise(header), whole)
  if (whole !== 'more') assert.deepEqual(outcomeOf(Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')])), whole)
  return whole
}

describe('PROXY protocol version 1', () => {
  test('tells address and port', () => {
    const line = 'PROXY TCP4 192.0.2.1 198.51.100.2 4660 80\r\n'
    assert.deepEqual(parsed(line), {
      length: line.length,
      source: { address: '192.0.2.1', port: 4660, encrypted: false },
    })
    const six = 'PROXY TCP6 2001:DB8:0:0::1 2001:db8::2 65535 0\r\n'
    assert.deepEqual(parsed(six), {
      length: six.length,
      source: { address: '2001:db8::1', port: 65535, encrypted: false },
    })
  })

  test('names an IPv4 client of a proxy that listens on both families as IPv4', () => {
    const line = 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n'
    assert.deepEqual(parsed(line), { length: line.length, source: { address: '192.0.2.1', port: 1, encrypted: false } })
  })

  test('names nobody when the proxy does not know, whatever else it says', () => {
    const longest = `PROXY UNKNOWN ${'f'.repeat(107 - 16)}\r\n`
    assert.equal(longest.length, 107)
    for (const line of ['PROXY UNKNOWN\r\n', longest])
      assert.deepEqual(parsed(line), { length: line.length, source: undefined })
  })

  test('waits for the rest of a line, and no longer than a line can be', () => {
    assert.equal(parsed('PROXY TCP4 192.0.2.1 198.'), 'more')
    assert.equal(parsed('PROXY UNKNOWN\r'), 'more')
    assert.equal(parsed(`PROXY UNKNOWN ${'f'.repeat(91)}`), 'more')
    assert.equal(parsed(`PROXY UNKNOWN ${'f'.repeat(92)}`), 'refused')
    assert.equal(parsed(`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`), 'refused')
  })

  test('refuses what is not such a line', () => {
    for (const line of [
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST / HTTP/1.1\r\n',
      'proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n',
      'PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2\r\n',
      'PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r \n',
      'PROXY TCP4 192.0.2.1\n198.51.100.2 1 2\r\n',
      'PROXY UNKNOWN \n\r\n',
      'PROXY UNKNOWN \0\r\n',
      'PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n',
      'PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n',
      'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n',
      'PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n',
      'PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n',
      'PROXY \r\n',
    ])
      assert.equal(parsed(line), 'refused', line)
  })
})

describe('PROXY protocol version 2', () => {
  const source = { address: '192.0.2.1', port: 0x1234, encrypted: false }

  test('tells address and port', () => {
    assert.deepEqual(parsed(v2(0x21, 0x11, IPV4)), { length: 28, source })
    assert.deepEqual(parsed(v2(0x21, 0x21, IPV6)), { length: 52, source: { ...source, address: '2001:db8::1' } })
  })

  test('names nobody for a check of the proxy itself, a unix socket, a datagram and an unspecified family', () => {
    assert.deepEqual(parsed(v2(0x20, 0x11, IPV4)), { length: 28, source: undefined })
    assert.deepEqual(parsed(v2(0x20, 0x00)), { length: 16, source: undefined })
    assert.deepEqual(parsed(v2(0x20, 0x00, 'ffffff')), { length: 19, source: undefined })
    assert.deepEqual(parsed(v2(0x21, 0x31, Buffer.alloc(216, 'a'))), { length: 232, source: undefined })
    assert.deepEqual(parsed(v2(0x21, 0x12, IPV4)), { length: 28, source: undefined })
    assert.deepEqual(parsed(v2(0x21, 0x00, 'aabb')), { length: 18, source: undefined })
  })

  test('skips extensions, and learns from one of them that the client came by TLS', () => {
    const alpn = tlv(0x01, '6832')
    assert.deepEqual(parsed(v2(0x21, 0x11, IPV4, alpn, tlv(0x04, ''))), { length: 28 + 5 + 3, source })
    const ssl = (flags: string) =>
      v2(0x21, 0x11, IPV4, alpn, tlv(0x20, `${flags}00000000` + '210007' + '544c537631' + '2e33'))
    assert.deepEqual((parsed(ssl('01')) as ProxyHeader).source, { ...source, encrypted: true })
    assert.deepEqual((parsed(ssl('00')) as ProxyHeader).source, source)
  })

  test('checks the checksum where there is one', () => {
    // CRC32C over the header with zeros in its place, by the reference table of RFC 3720 B.4 (see the known answer below).
    const zeroed = v2(0x21, 0x11, IPV4, tlv(0x03, '00000000'))
    const right = Buffer.from(zeroed)
    right.writeUInt32BE(slowCrc32c(zeroed), zeroed.length - 4)
    assert.deepEqual(parsed(right), { length: 35, source })
    for (let at = 16; at < 28; at++) {
      const wrong = Buffer.from(right)
      wrong[at]! ^= 1
      assert.equal(parsed(wrong), 'refused')
    }
    assert.equal(parsed(v2(0x21, 0x11, IPV4, tlv(0x03, '0000'))), 'refused')
    assert.equal(slowCrc32c(Buffer.from('123456789')), 0xe3069283)
  })

  test('waits for the rest, and takes no more than 4 KiB', () => {
    assert.equal(parsed(v2(0x21, 0x11, IPV4).subarray(0, 27)), 'more')
    const most = 4096 - 16 - 12 - 3
    assert.deepEqual(parsed(v2(0x21, 0x11, IPV4, tlv(0x04, Buffer.alloc(most)))), { length: 4096, source })
    assert.equal(parsed(v2(0x21, 0x11, IPV4, tlv(0x04, Buffer.alloc(most + 1)))), 'refused')
    assert.equal(parsed(v2(0x20, 0x00, Buffer.alloc(4081))), 'refused')
  })

  test('refuses what the specification does not assign, and what does not fit its length', () => {
    for (const [command, transport] of [
      [0x11, 0x11],
      [0x31, 0x11],
      [0x22, 0x11],
      [0x21, 0x41],
      [0x21, 0x13],
      [0x21, 0xff],
    ] as const)
      assert.equal(parsed(v2(command, transport, IPV4)), 'refused', `${command} ${transport}`)
    assert.equal(parsed(v2(0x21, 0x11, IPV4.slice(2))), 'refused')
    assert.equal(parsed(v2(0x21, 0x21, IPV4)), 'refused')
    assert.equal(parsed(v2(0x21, 0x31, Buffer.alloc(215))), 'refused')
    assert.equal(parsed(v2(0x21, 0x11, IPV4, '0100')), 'refused')
    assert.equal(parsed(v2(0x21, 0x11, IPV4, '010005aabb')), 'refused')
    assert.equal(parsed(v2(0x21, 0x11, IPV4, tlv(0x20, '01'))), 'refused')
    assert.equal(parsed('\r\n\r\nGET / HTTP/1.1\r\n'), 'refused')
  })
})

/** Bit by bit, without a table. */
function slowCrc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

const port = fc.nat(65535)
const headers = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4(), port, port).map(parts => `PROXY TCP4 ${parts.join(' ')}\r\n`),
  fc.tuple(fc.ipV6(), fc.ipV6(), port, port).map(parts => `PROXY TCP6 ${parts.join(' ')}\r\n`),
)

describe('both versions', () => {
  test('give back what was put in, whole and byte by byte', () => {
    fc.assert(
      fc.property(headers, line => {
        const [, , address, , number] = line.trim().split(' ')
        const source = { address: addressText(parseAddress(address!)!), port: Number(number), encrypted: false }
        assert.deepEqual(parsed(line), { length: line.length, source })
      }),
    )
    const extension = fc.tuple(fc.constantFrom(1, 2, 4, 5, 0x30, 0xe0), fc.uint8Array({ maxLength: 40 }))
    const addresses = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(addresses, port, fc.array(extension, { maxLength: 5 }), (both, number, extensions) => {
        const ports = Buffer.alloc(4)
        ports.writeUInt16BE(number)
        const more = extensions.map(([type, value]) => tlv(type, Buffer.from(value)))
        const header = v2(0x21, 0x21, Buffer.from(both), ports, ...more)
        const source = { address: addressText(both.subarray(0, 16)), port: number, encrypted: false }
        assert.deepEqual(parsed(header), { length: header.length, source })
      }),
    )
  })

  test('have the same outcome however a damaged header is cut, and end in finitely many bytes', () => {
    const v2s = fc.constantFrom(
      v2(0x21, 0x11, IPV4, tlv(0x01, '6832')),
      v2(0x21, 0x21, IPV6, tlv(0x20, '0100000000')),
      v2(0x20, 0x00),
    )
    const damaged = fc
      .tuple(
        fc.oneof(
          headers.map(line => Buffer.from(line)),
          v2s,
        ),
        fc.nat(),
        fc.nat(255),
        fc.boolean(),
      )
      .map(([header, at, byte, isCut]) => {
        const copy = Buffer.from(header)
        copy[at % copy.length] = byte
        return isCut ? copy.subarray(0, at % copy.length) : copy
      })
    fc.assert(
      fc.property(damaged, bytes => {
        parsed(bytes)
        const filled = Buffer.concat([bytes, Buffer.alloc(70_000, 'a')])
        assert.notEqual(outcomeOf(filled), 'more')
      }),
      { numRuns: 2000 },
    )
  })
})
