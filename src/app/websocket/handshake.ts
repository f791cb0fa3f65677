// Whether a request may become a WebSocket (RFC 6455 §4.2.1), before anything is switched: a refusal is an ordinary answer.
//
//   no way, or not asked for    426, with what to ask for    HTTP/1.0, HTTP/2, a body, no Upgrade, Connection without its token
//   version other than 13       426, with the one we speak
//   key, protocols, extensions  400
//   another site's page         403
//   the server goes away        503
import type { Exchange } from '../../http/exchange.ts'
import { OverloadError } from '../../core/error.ts'
import { HttpError } from '../http-error.ts'

/** What a route says about who may connect. */
export interface HandshakeRules {
  /** In the order of our liking; empty: none is chosen. */
  readonly subprotocols: readonly string[]
  /** 'same': pages of the host that is asked. Who sends no Origin is no browser, and free to come. */
  readonly origins: 'same' | 'any' | readonly string[]
}

export interface Handshake {
  /** '' when none was agreed on. */
  readonly protocol: string
}

/** @throws HttpError 400, 403 or 426, OverloadError 503 */
export function checkHandshake(exchange: Exchange, { subprotocols, origins }: HandshakeRules): Handshake {
  const { fields, protocolSwitch } = exchange
  if (fields.has('upgrade')) protocolSwitch?.endConnection()
  if (exchange.body.kind !== 'none') throw new HttpError(400, 'A request that opens a WebSocket has no body')
  if (protocolSwitch === undefined || !asksFor(exchange)) throw upgradeRequired('This path speaks WebSocket')
  if (exchange.method !== 'GET') throw upgradeRequired('A WebSocket is opened with GET')
  if (fields.get('sec-websocket-version') !== '13') throw upgradeRequired('This path speaks version 13 of WebSocket')
  if (!KEY.test(fields.get('sec-websocket-key') ?? ''))
    throw new HttpError(400, 'Sec-WebSocket-Key must be 16 bytes in base64, once')
  const extensions = fields.get('sec-websocket-extensions')
  if (extensions !== undefined && !EXTENSIONS.test(extensions))
    throw new HttpError(400, 'Sec-WebSocket-Extensions is malformed')
  const protocol = chosenProtocol(fields.get('sec-websocket-protocol'), subprotocols)
  checkOrigin(fields.all('origin'), exchange.authority, origins)
  if (protocolSwitch.isDraining)
    throw new OverloadError('APP_SOCKET_DRAINING', 'a WebSocket was asked for while the server drains', {
      detail: 'The server is shutting down.',
    })
  return { protocol }
}

function upgradeRequired(detail: string): HttpError {
  return new HttpError(426, detail, { headers: { upgrade: 'websocket', 'sec-websocket-version': '13' } })
}

/** `Upgrade: websocket`, once and alone, and named in Connection: without that it is no business of this hop (RFC 9110 §7.8). */
function asksFor({ fields }: Exchange): boolean {
  return (
    fields.get('upgrade')?.toLowerCase() === 'websocket' &&
    tokens(fields.get('connection'))?.includes('upgrade') === true
  )
}

const KEY = /^[+/0-9A-Za-z]{22}==$/

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
// RFC 6455 §9.1: a quoted value is a token when its quotes are gone.
const PARAMETER = `[ \\t]*;[ \\t]*${TOKEN}(?:=(?:${TOKEN}|"${TOKEN}"))?`
const EXTENSIONS = new RegExp(`^${TOKEN}(?:${PARAMETER})*(?:[ \\t]*,[ \\t]*${TOKEN}(?:${PARAMETER})*)*$`)
const LIST = new RegExp(`^${TOKEN}(?:[ \\t]*,[ \\t]*${TOKEN})*$`)

/** In lower case. @returns undefined for what is no list of tokens */
function tokens(value: string | undefined): readonly string[] | undefined {
  if (value === undefined || !LIST.test(value)) return undefined
  return value
    .toLowerCase()
    .split(',')
    .map(text => text.trim())
}

function chosenProtocol(offered: string | undefined, ours: readonly string[]): string {
  if (offered === undefined) return ''
  if (!LIST.test(offered)) throw new HttpError(400, 'Sec-WebSocket-Protocol is no list of names')
  const names = offered.split(',').map(text => text.trim())
  if (new Set(names).size < names.length) throw new HttpError(400, 'Sec-WebSocket-Protocol has a name twice')
  const chosen = ours.find(name => names.includes(name))
  if (chosen !== undefined) return chosen
  // A client that gets another answer than it can use closes at once (RFC 6455 §4.1); so it learns why.
  throw new HttpError(400, ours.length === 0 ? 'This path has no subprotocols' : `This path speaks ${ours.join(', ')}`)
}

// Browsers open WebSockets to anywhere and send cookies along: nothing but this keeps another site from using its visitor's session. The
// host is compared and not the scheme, which a proxy that ends TLS hides from us; gorilla/websocket does the same by default.
function checkOrigin(sent: readonly string[], authority: string, allowed: HandshakeRules['origins']): void {
  if (sent.length === 0 || allowed === 'any') return
  const [origin] = sent
  if (sent.length === 1) {
    if (allowed !== 'same') {
      if (allowed.includes(origin!.toLowerCase())) return
    } else if (hostOf(origin!) === authority.toLowerCase().replace(/:(?:80|443)$/, '')) return
  }
  throw new HttpError(403, 'Pages of this origin may not connect here')
}

/** With its port, unless that is the usual one of http or https; undefined for 'null' and what is no origin. */
function hostOf(origin: string): string | undefined {
  const host = /^https?:\/\/([^/?#@\s]+)$/.exec(origin.toLowerCase())?.[1]
  return host?.replace(/:(?:80|443)$/, '')
}
