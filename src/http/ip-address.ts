// IP addresses between text and 16 bytes. Pure.
//
// An IPv4 address is held as IPv6 maps it (::ffff:1.2.3.4), and is written as IPv4 again: a socket that listens on both families
// reports it in the mapped form, and a list of addresses must not have to name each twice.

/**
 * @param text  '192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1'; no brackets, no port, no zone
 * @returns 16 bytes; undefined for anything else, forms that only inet_aton takes ('127.1', '0x7f.1', '01.2.3.4') among it
 */
export function parseAddress(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16)
  const isRead = text.includes(':') ? readIpv6(text, bytes) : readIpv4(text, bytes, 12)
  if (!isRead) return undefined
  if (!text.includes(':')) bytes[10] = bytes[11] = 0xff
  return bytes
}

/** The one spelling of 16 bytes: dotted for IPv4, RFC 5952 for IPv6. */
export function addressText(bytes: Uint8Array): string {
  if (isIpv4(bytes)) return `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`
  const groups = Array.from({ length: 8 }, (_, n) => (bytes[2 * n]! << 8) | bytes[2 * n + 1]!)
  const gap = longestZeros(groups)
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':')
  return gap.length < 2 ? text(0, 8) : `${text(0, gap.start)}::${text(gap.start + gap.length, 8)}`
}

export function isIpv4(bytes: Uint8Array): boolean {
  for (let n = 0; n < 10; n++) if (bytes[n] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

/** As a socket reports it, without the mapping and the zone: '::ffff:192.0.2.1' and '192.0.2.1' are one address. */
export function plainAddress(reported: string): string {
  if (reported.startsWith('::ffff:') && reported.includes('.')) return reported.slice(7)
  const zone = reported.indexOf('%')
  return zone < 0 ? reported : reported.slice(0, zone)
}

/** Addresses that begin with the same bits. */
export interface Network {
  readonly bytes: Uint8Array
  /** Of 128; an IPv4 prefix is counted behind its 96 bits of mapping. */
  readonly prefixBits: number
}

/** @param text  an address, or one with a prefix length: '10.0.0.0/8', 'fd00::/8'; bits behind the prefix do not matter */
export function parseNetwork(text: string): Network | undefined {
  const [address, prefix, ...more] = text.split('/')
  const bytes = parseAddress(address!)
  if (bytes === undefined || more.length > 0) return undefined
  if (prefix === undefined) return { bytes, prefixBits: 128 }
  const ownBits = address!.includes(':') ? 128 : 32
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > ownBits) return undefined
  return { bytes, prefixBits: 128 - ownBits + Number(prefix) }
}

export function isWithin(bytes: Uint8Array, { bytes: base, prefixBits }: Network): boolean {
  const whole = prefixBits >> 3
  for (let n = 0; n < whole; n++) if (bytes[n] !== base[n]) return false
  const rest = prefixBits & 7
  return rest === 0 || (bytes[whole]! ^ base[whole]!) >> (8 - rest) === 0
}

function readIpv4(text: string, bytes: Uint8Array, at: number): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return false
  for (let n = 0; n < 4; n++) {
    const digits = match[n + 1]!
    // A leading zero is octal to some readers and decimal to others.
    if (Number(digits) > 255 || (digits.length > 1 && digits.startsWith('0'))) return false
    bytes[at + n] = Number(digits)
  }
  return true
}

function readIpv6(text: string, bytes: Uint8Array): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const left = groupsOf(halves[0]!, halves.length === 1)
  const right = halves.length === 1 ? [] : groupsOf(halves[1]!, true)
  if (left === undefined || right === undefined) return false
  const count = left.length + right.length
  if (halves.length === 1 ? count !== 8 : count > 7) return false
  left.forEach((group, n) => write(bytes, n, group))
  right.forEach((group, n) => write(bytes, 8 - right.length + n, group))
  return true
}

/** @param isLast  may end with a dotted address */
function groupsOf(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  if (parts.length > 8) return undefined
  const groups: number[] = []
  for (const [n, part] of parts.entries()) {
    if (part.includes('.')) {
      const dotted = new Uint8Array(4)
      if (!isLast || n < parts.length - 1 || !readIpv4(part, dotted, 0)) return undefined
      groups.push((dotted[0]! << 8) | dotted[1]!, (dotted[2]! << 8) | dotted[3]!)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16))
    else return undefined
  }
  return groups
}

function write(bytes: Uint8Array, group: number, value: number): void {
  bytes[2 * group] = value >> 8
  bytes[2 * group + 1] = value & 0xff
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}
