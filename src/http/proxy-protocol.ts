// The PROXY protocol, versions 1 and 2: what a proxy that passes bytes on says first about the client behind it. Pure: bytes in; out
// comes a header, "need more", or a ProxyHeaderError. The numbers are those of HAProxy's proxy-protocol.txt, section 2.
//
// - The first byte tells the version, and each further byte is checked as it comes: what is no header is known at its first wrong byte.
// - The same bytes give the same outcome however they were cut into packets.
// - Where the header names no client (LOCAL: the proxy's own health check; UNKNOWN; a unix socket; a datagram), there is no source, and
//   the connection is what the socket says it is.
import { MillraceError } from '../core/error.ts'
import type { Peer } from './exchange.ts'
import { CR, LF, SP } from './grammar.ts'
import { addressText, parseAddress } from './ip-address.ts'
import { latin1 } from './latin1.ts'

export interface ProxyHeader {
  /** Bytes that the header takes; those behind it are the client's. */
  readonly length: number
  /** The client as the proxy sees it; undefined when the header names none. */
  readonly source: Peer | undefined
}

/** What came is no header of the PROXY protocol. */
export class ProxyHeaderError extends MillraceError {}

const SIGNATURE_V1 = Buffer.from('PROXY ')
const SIGNATURE_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n')

/** §2.1: the longest line, CR LF included. */
const MAX_LINE_BYTES = 107
/** Addresses and TLVs of version 2. The field could say 65,535; 4096 is nginx's limit for the whole, and leaves room for a certificate's names. */
const MAX_V2_BYTES = 4096

/**
 * @returns undefined while it is not whole
 * @throws ProxyHeaderError `HTTP_BAD_PROXY_HEADER`
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length === 0) return undefined
  return bytes[0] === SIGNATURE_V1[0] ? parseLine(bytes) : parseBinary(bytes)
}

// Version 1: one line of text

function parseLine(bytes: Buffer): ProxyHeader | undefined {
  if (!startsAlike(bytes, SIGNATURE_V1)) throw badHeader()
  let end = 0
  while (end < bytes.length && end < MAX_LINE_BYTES && bytes[end]! >= SP) end++
  if (end + 2 > MAX_LINE_BYTES) throw badHeader()
  if (end < bytes.length && bytes[end] !== CR) throw badHeader()
  if (end + 1 >= bytes.length) return undefined
  if (bytes[end + 1] !== LF) throw badHeader()
  const words = latin1(bytes, 0, end).split(' ')
  const length = end + 2
  // §2.1: whatever stands behind UNKNOWN is ignored.
  if (words[1] === 'UNKNOWN') return { length, source: undefined }
  const [, family, source, destination, sourcePort, destinationPort, ...more] = words
  const isOf = (text = '') => text.includes(':') === (family === 'TCP6') && parseAddress(text) !== undefined
  const isKnown = (family === 'TCP4' || family === 'TCP6') && isOf(source) && isOf(destination)
  if (!isKnown || !isPort(sourcePort) || !isPort(destinationPort) || more.length > 0) throw badHeader()
  const address = addressText(parseAddress(source!)!)
  return { length, source: { address, port: Number(sourcePort), encrypted: false } }
}

/** §2.1: decimal, no leading zero. */
function isPort(text = ''): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535
}

// Version 2: binary

const FIXED_BYTES = 16
const LOCAL = 0x20
const PROXY = 0x21
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21
/** Source and destination address and port. */
const IPV4_BYTES = 12
const IPV6_BYTES = 36
/** Two socket paths of 108 bytes. */
const UNIX_BYTES = 216
const TLV_CRC32C = 0x03
const TLV_SSL = 0x20
/** In the first byte of TLV_SSL: the client spoke TLS with the proxy. */
const CLIENT_SSL = 0x01

function parseBinary(bytes: Buffer): ProxyHeader | undefined {
  if (!startsAlike(bytes, SIGNATURE_V2)) throw badHeader()
  const [command, transport] = [bytes[12], bytes[13]]
  if (command !== undefined && command !== LOCAL && command !== PROXY) throw badHeader()
  // §2.2: other families and protocols are not assigned, and must be rejected.
  if (transport !== undefined && (transport >> 4 > 3 || (transport & 0xf) > 2)) throw badHeader()
  if (bytes.length < FIXED_BYTES) return undefined
  const length = FIXED_BYTES + bytes.readUInt16BE(14)
  const addressBytes = bytesOfFamily(transport! >> 4)
  if (length > MAX_V2_BYTES || (command === PROXY && length < FIXED_BYTES + addressBytes)) throw badHeader()
  if (bytes.length < length) return undefined
  if (command === LOCAL) return { length, source: undefined }
  const header = bytes.subarray(0, length)
  // An unspecified family has no addresses, and what stands in their place is not ours to read.
  const encrypted = addressBytes > 0 && readExtensions(header, FIXED_BYTES + addressBytes)
  if (transport === TCP_OVER_IPV4) {
    const address = `${header[16]}.${header[17]}.${header[18]}.${header[19]}`
    return { length, source: { address, port: header.readUInt16BE(24), encrypted } }
  }
  if (transport === TCP_OVER_IPV6) {
    const address = addressText(header.subarray(16, 32))
    return { length, source: { address, port: header.readUInt16BE(48), encrypted } }
  }
  return { length, source: undefined }
}

function bytesOfFamily(family: number): number {
  return [0, IPV4_BYTES, IPV6_BYTES, UNIX_BYTES][family]!
}

/** Walks the TLVs, of which two concern us. @returns whether the client spoke TLS with the proxy */
function readExtensions(header: Buffer, start: number): boolean {
  let encrypted = false
  for (let at = start; at < header.length;) {
    if (at + 3 > header.length) throw badHeader()
    const type = header[at]
    const valueAt = at + 3
    at = valueAt + header.readUInt16BE(at + 1)
    if (at > header.length) throw badHeader()
    if (type === TLV_CRC32C && (at - valueAt !== 4 || header.readUInt32BE(valueAt) !== crc32c(header, valueAt)))
      throw badHeader()
    if (type === TLV_SSL) {
      // §2.2.6: a byte of flags and four of a verdict come first.
      if (at - valueAt < 5) throw badHeader()
      encrypted = (header[valueAt]! & CLIENT_SSL) !== 0
    }
  }
  return encrypted
}

const CRC_TABLE = new Uint32Array(256).map((_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** RFC 4960 appendix B, over the whole header with the four bytes of the checksum itself taken as zero. */
function crc32c(header: Buffer, checksumAt: number): number {
  let crc = 0xffffffff
  for (const [at, byte] of header.entries()) {
    const counted = at >= checksumAt && at < checksumAt + 4 ? 0 : byte
    crc = CRC_TABLE[(crc ^ counted) & 0xff]! ^ (crc >>> 8)
  }
  return (crc ^ 0xffffffff) >>> 0
}

/** As far as there are bytes. */
function startsAlike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, length, 0, length) === 0
}

let made: ProxyHeaderError | undefined

/** One instance: it is the same each time, and under attack a stack trace for each would be most of the cost. */
function badHeader(): ProxyHeaderError {
  return (made ??= new ProxyHeaderError(
    'HTTP_BAD_PROXY_HEADER',
    'a trusted proxy opened a connection without a valid header of the PROXY protocol, version 1 or 2',
  ))
}
