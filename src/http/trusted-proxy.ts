// Who the client is, when the peer is a proxy that we trust: what Forwarded (RFC 7239) and X-Forwarded-* make of a peer. Pure.
//
// - A peer that is not trusted is the client, whatever it sends.
// - Each proxy appends the address that it was called from. So the list is read from the right, and the first address that is not
//   itself a trusted proxy is the client: what stands further left came from it, and may be invented. When all are trusted, the
//   left-most is the client.
// - Only fields named in the settings are believed: a proxy passes on those it does not know, as the client sent them. Where both are
//   named and there, Forwarded beats X-Forwarded-*.
// - A hop that cannot be read, is `unknown` or an obfuscated identifier ends the walk: the client's address is '' then, and never the
//   proxy's, which may be allowed more than a stranger.
// - Scheme and host are those that the same hop was called with. A list that is shorter than that of the addresses was written by the
//   proxies nearer to the client; what is neither http nor https, or no valid host, is ignored.
import type { FieldLines, Peer } from './exchange.ts'
import { isWithin, type Network, parseAddress, parseNetwork, addressText, plainAddress } from './ip-address.ts'
import { isAuthority } from './request-target.ts'

/** A request as its client made it. */
export interface Origin {
  readonly peer: Peer
  readonly scheme: 'http' | 'https'
  readonly authority: string
}

export const FORWARDED_FIELDS = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] as const
export type ForwardedField = (typeof FORWARDED_FIELDS)[number]

/** Loopback as an address, private ranges not: a private network may hold clients. */
const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1']

/** @returns whether `text` can stand in a list of trusted proxies: an address, a CIDR, 'loopback' or 'unix' */
export function isProxyName(text: string): boolean {
  return text === 'unix' || text === 'loopback' || parseNetwork(text) !== undefined
}

export class TrustedProxies {
  readonly #networks: readonly Network[]
  readonly #hasUnix: boolean
  readonly #fields: ReadonlySet<ForwardedField>

  /** @param names  each an `isProxyName`; others are left out */
  constructor(names: readonly string[], fields: readonly ForwardedField[]) {
    this.#networks = names
      .flatMap(name => (name === 'loopback' ? LOOPBACK : [name]))
      .map(parseNetwork)
      .filter(network => network !== undefined)
    this.#hasUnix = names.includes('unix')
    this.#fields = new Set(fields)
  }

  /** @param address  '' for a unix socket */
  has(address: string): boolean {
    if (address === '') return this.#hasUnix
    const bytes = parseAddress(plainAddress(address))
    return bytes !== undefined && this.#networks.some(network => isWithin(bytes, network))
  }

  /** @param called  what the connection and the request line say */
  origin(called: Origin, fields: FieldLines): Origin {
    if (!this.has(called.peer.address)) return called
    const isForwarded = this.#fields.has('forwarded') && fields.has('forwarded')
    const hop = isForwarded ? this.#forwardedHop(fields) : this.#xForwardedHop(fields)
    const { node } = hop
    const scheme = schemeOf(hop.proto) ?? called.scheme
    const authority = hop.host !== undefined && isHost(hop.host) ? hop.host : called.authority
    const encrypted = scheme === 'https'
    const peer: Peer =
      node === undefined
        ? { ...called.peer, encrypted }
        : { address: node?.address ?? '', port: node?.port ?? 0, encrypted }
    return { peer, scheme, authority }
  }

  #forwardedHop(fields: FieldLines): Hop {
    let hop: Hop = { node: undefined, proto: undefined, host: undefined }
    // Line by line from the last: a line that a client has broken must not take along what a proxy wrote below it.
    const lines = fields.all('forwarded')
    for (let n = lines.length - 1; n >= 0; n--) {
      const elements = parseForwarded(lines[n]!)
      if (elements === undefined) return { ...hop, node: UNREADABLE }
      for (const element of elements.reverse()) {
        const node = element.for === undefined ? UNREADABLE : parseNode(element.for)
        hop = { node, proto: element.proto ?? hop.proto, host: element.host ?? hop.host }
        if (node === UNREADABLE || !this.has(node.address)) return hop
      }
    }
    return hop
  }

  #xForwardedHop(fields: FieldLines): Hop {
    const isRead = (name: ForwardedField) => this.#fields.has(name) && fields.has(name)
    let node: Node | typeof UNREADABLE | undefined
    let depth = 0
    if (isRead('x-forwarded-for')) {
      const text = fields.all('x-forwarded-for').join(',')
      for (let end = text.length, isMore = true; isMore; depth++) {
        const comma = end === 0 ? -1 : text.lastIndexOf(',', end - 1)
        node = parseNode(text.slice(comma + 1, end).trim())
        isMore = comma >= 0 && node !== UNREADABLE && this.has(node.address)
        end = comma
      }
      depth--
    }
    const at = (name: ForwardedField) =>
      isRead(name) ? fromRight(fields.all(name).join(',').split(','), depth) : undefined
    return { node, proto: at('x-forwarded-proto'), host: at('x-forwarded-host') }
  }
}

/** What one proxy says about who called it. `node` undefined: nothing. */
interface Hop {
  readonly node: Node | typeof UNREADABLE | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
}

interface Node {
  readonly address: string
  /** 0 when not told. */
  readonly port: number
}

const UNREADABLE = null

function fromRight(values: readonly string[], depth: number): string {
  return values[Math.max(0, values.length - 1 - depth)]!.trim()
}

function schemeOf(proto: string | undefined): 'http' | 'https' | undefined {
  switch (proto?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https'
    case 'http':
    case 'ws':
      return 'http'
    default:
      return undefined
  }
}

function isHost(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  return isAuthority(bytes, 0, bytes.length)
}

/** '192.0.2.1', '192.0.2.1:80', '2001:db8::1', '[2001:db8::1]', '[2001:db8::1]:80'; a port may be obfuscated (RFC 7239 §6). */
function parseNode(text: string): Node | typeof UNREADABLE {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(\d{1,5}|_[\w.-]+))?$/i.exec(text)
  // X-Forwarded-For has IPv6 without brackets, and then without a port.
  const bytes = parseAddress(match ? (match[1] ?? match[2]!) : text)
  if (bytes === undefined || (match?.[1] !== undefined && !match[1].includes(':'))) return UNREADABLE
  const port = /^\d+$/.test(match?.[3] ?? '') ? Number(match![3]) : 0
  return port > 65535 ? UNREADABLE : { address: addressText(bytes), port }
}

interface ForwardedElement {
  for?: string
  proto?: string
  host?: string
}

// RFC 7239 §4: token "=" ( token / quoted-string ). No blanks in it: beside a pattern that could match nothing they would be tried twice.
const PAIR = /([!#$%&'*+\-.^_`|~0-9a-z]+)=(?:([!#$%&'*+\-.^_`|~0-9a-z]+)|"((?:[^"\\]|\\.)*)")/iy

/** @returns one for each hop, in order; undefined when the line does not follow the grammar, or says something twice in one element */
export function parseForwarded(line: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = []
  let element: ForwardedElement | undefined
  for (let at = 0; at <= line.length; at++) {
    at = behindBlanks(line, at)
    PAIR.lastIndex = at
    const match = PAIR.exec(line)
    if (match !== null) {
      const [, name, token, quoted] = match
      const key = name!.toLowerCase()
      element ??= {}
      if (key === 'for' || key === 'proto' || key === 'host') {
        if (element[key] !== undefined) return undefined
        element[key] = token ?? quoted!.replace(/\\(.)/g, '$1')
      }
      // Blanks around ';' are not in the grammar, and sent all the same.
      at = behindBlanks(line, PAIR.lastIndex)
    }
    const isEnd = at >= line.length
    if (!isEnd && line[at] !== ';' && line[at] !== ',') return undefined
    // An empty element is no hop (RFC 9110 §5.6.1).
    if ((isEnd || line[at] === ',') && element !== undefined) {
      elements.push(element)
      element = undefined
    }
  }
  return elements
}

function behindBlanks(line: string, at: number): number {
  while (line[at] === ' ' || line[at] === '\t') at++
  return at
}
