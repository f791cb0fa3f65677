// From bytes to a request head, in one pass. Pure: bytes in; out comes a head, "need more", or a ProtocolError.
//
// - RFC 9112 §2 to §5, without its leniencies: lines end with CR LF, one SP between the parts of the request line, no folding.
// - Every byte of the head is checked; fields are not copied or kept: their section remembers where they are, and reads them
//   again only if somebody asks. Most requests are answered from the path alone.
// - The same bytes give the same outcome however they were cut into packets.
import type { BodyKind } from './body-framing.ts'
import { protocolError } from './errors.ts'
import { FieldSection, parseSection } from './field-section.ts'
import {
  CR,
  DIGIT_0,
  IS_TOKEN,
  LF,
  QUESTION,
  SLASH,
  SP,
  STAR,
  TARGET_CLASS,
  TARGET_ORDINARY,
  TARGET_QUESTION,
} from './grammar.ts'
import type { Limits } from './limits.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'
import { isAuthority, normalPath } from './request-target.ts'
import { latin1 } from './latin1.ts'

// Stands in until the fields are parsed: a head is handed out only with its own.
const NO_SECTION = new FieldSection(Buffer.alloc(0), 0)

/** A checked head. Holds no bytes of the request line: they may be gone when the handler looks. */
export class RequestHead {
  method = ''
  /** 0 or 1: HTTP/1.0, or 1.1 and anything above it. */
  minorVersion = 1
  /** HTTP/1.1 without `Connection: close`, or HTTP/1.0 with `keep-alive`. */
  keepsAlive = true
  kind: BodyKind = 'none'
  /** The one normal form; '*' for `OPTIONS *`. */
  path = ''
  /** As received, behind the first '?'; undefined: there is none. */
  query: string | undefined = undefined
  /** As received; undefined where path and query say it already. */
  rawTarget: string | undefined = undefined
  /** Of an absolute target; undefined for the other forms. */
  targetAuthority: string | undefined = undefined
  section: FieldSection = NO_SECTION

  get target(): string {
    return this.rawTarget ?? (this.query === undefined ? this.path : `${this.path}?${this.query}`)
  }

  get search(): string {
    return this.query ?? ''
  }

  /** From an absolute target, else Host (RFC 9112 §3.2.2). */
  get authority(): string {
    return this.targetAuthority ?? this.section.host
  }

  /** Bytes of the body; 0 when there is none, and when only its end will tell. */
  get contentLength(): number {
    return this.kind === 'length' ? this.section.contentLength : 0
  }

  /** A 1.0 client cannot have meant it (RFC 9110 §10.1.1). */
  get expectsContinue(): boolean {
    return this.section.expectsContinue && this.minorVersion > 0
  }
}

// 32: longer than any registered method (UPDATEREDIRECTREF, 17); what is longer is not a method that we merely do not know.
export const MAX_METHOD_BYTES = 32

/**
 * @param last  the section of the request before on this connection: most clients send the same again
 * @param input  consumed up to the end of the head; untouched while more is needed
 * @returns undefined while the head is not complete
 * @throws ProtocolError; the connection is of no further use then
 */
export function parseHead(input: ReceiveBuffer, limits: Limits, last?: FieldSection): RequestHead | undefined {
  const isFresh = input.looked === input.start
  if (!isFresh && !mayBeWhole(input, limits)) return undefined
  const head = parse(input, limits, last)
  if (head === undefined) {
    if (isFresh && !mayBeWhole(input, limits)) return undefined
    throw protocolError(input.length > limits.maxHeadBytes ? 'HTTP_HEAD_TOO_LARGE' : 'HTTP_BAD_LINE_END')
  }
  return head
}

/** Looks at new bytes only. True when there is a blank line, or when there can never be one: parsing then says why. */
function mayBeWhole(input: ReceiveBuffer, limits: Limits): boolean {
  const { bytes, start, end } = input
  // Not indexOf: it would go on beyond `end`, through whatever a larger buffer holds there.
  for (let at = input.looked; at < end; at++) {
    if (bytes[at] !== LF) continue
    if (at === start || bytes[at - 1] !== CR) return true
    // CR CR LF ends no line either: two of them must not pass for a line that goes on.
    if (at - 2 >= start && (bytes[at - 2] === CR || (bytes[at - 2] === LF && at - 3 >= start))) return true
  }
  input.looked = end
  return end - start > limits.maxHeadBytes
}

function parse(input: ReceiveBuffer, limits: Limits, last: FieldSection | undefined): RequestHead | undefined {
  const { bytes } = input
  // Nothing beyond the limit is looked at: how a head is refused must not depend on how much of it is here.
  const end = Math.min(input.end, input.start + limits.maxHeadBytes)
  let at = input.start
  if (bytes[at] === CR) {
    // One empty line before the request line is ignored (RFC 9112 §2.2): old clients send one after a body.
    if (at + 2 > end) return undefined
    if (bytes[at + 1] !== LF) throw protocolError('HTTP_BAD_LINE_END')
    if (at + 2 === end) return undefined
    if (bytes[at + 2] === CR) throw protocolError('HTTP_BAD_REQUEST_LINE')
    at += 2
  }
  const head = new RequestHead()
  const headStart = at

  // METHOD SP
  while (at < end && IS_TOKEN[bytes[at]!] === 1) at++
  if (at - headStart > MAX_METHOD_BYTES) throw protocolError('HTTP_BAD_METHOD')
  if (at === end) return undefined
  if (bytes[at] !== SP) throw protocolError(at === headStart ? 'HTTP_BAD_METHOD' : 'HTTP_BAD_REQUEST_LINE')
  if (at === headStart) throw protocolError('HTTP_BAD_METHOD')
  head.method = methodOf(bytes, headStart, at)
  at++

  // TARGET SP
  const targetStart = at
  let isPlain = true
  let queryStart = 0
  for (; at < end; at++) {
    const kind = TARGET_CLASS[bytes[at]!]!
    if (kind === TARGET_ORDINARY) continue
    if (kind === 0) break
    if (queryStart !== 0) continue
    if (kind === TARGET_QUESTION) queryStart = at
    else isPlain = false
  }
  if (at - targetStart > limits.maxTargetBytes) throw protocolError('HTTP_TARGET_TOO_LONG')
  if (at === end) return undefined
  if (bytes[at] !== SP)
    throw protocolError(bytes[at] === CR || bytes[at] === LF ? 'HTTP_BAD_REQUEST_LINE' : 'HTTP_BAD_TARGET')
  if (at === targetStart) throw protocolError('HTTP_BAD_REQUEST_LINE')
  const targetEnd = at
  at++

  // HTTP/x.y CR LF
  if (at + 10 > end) {
    // A line that ends too early is settled now: an HTTP/0.9 request would otherwise wait for a head that never comes.
    for (let n = at; n < end; n++) if (bytes[n] === LF) throw protocolError('HTTP_BAD_VERSION')
    return undefined
  }
  head.minorVersion = versionOf(bytes, at)
  at += 10

  // Fields
  let section = last
  if (section?.isAt(bytes, at, end)) at += section.end - section.start
  else {
    section = parseSection(bytes, at, end, limits)
    if (section === undefined) return undefined
    at = section.end
    // The next request may be compared with it, and its fields are read later or not at all.
    if (input.isBorrowed) section.own()
  }
  head.section = section

  const isOld = head.minorVersion === 0
  if (section.isChunked) {
    if (isOld) throw protocolError('HTTP_BAD_TRANSFER_ENCODING')
    if (section.hasUnknownCoding) throw protocolError('HTTP_UNKNOWN_CODING')
    head.kind = 'chunked'
  } else if (section.contentLength > 0) head.kind = 'length'
  head.keepsAlive = !section.asksClose && (!isOld || section.asksKeepAlive)
  if (section.hostStart < 0 && !isOld) throw protocolError('HTTP_BAD_HOST')
  const pathEnd = queryStart === 0 ? targetEnd : queryStart
  if (queryStart !== 0) head.query = latin1(bytes, queryStart + 1, targetEnd)
  if (bytes[targetStart] === SLASH) {
    head.path = pathEnd - targetStart === 1 ? '/' : latin1(bytes, targetStart, pathEnd)
    if (!isPlain) {
      head.rawTarget = latin1(bytes, targetStart, targetEnd)
      head.path = normalPath(head.path)
    }
  } else otherForm(head, bytes, targetStart, pathEnd, targetEnd)

  input.consumeTo(at)
  return head
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'QUERY']

function methodOf(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return 'GET'
  return knownMethod(latin1(bytes, start, end))
}

/**
 * @param method  a token of at most 32 characters
 * @throws ProtocolError for one that we do not serve
 */
export function knownMethod(method: string): string {
  const known = METHODS.indexOf(method)
  // The literal, not the slice: comparing and hashing it later is free.
  if (known >= 0) return METHODS[known]!
  if (method === 'CONNECT') throw protocolError('HTTP_NO_TUNNEL')
  if (method === 'TRACE') throw protocolError('HTTP_NO_TRACE')
  throw protocolError('HTTP_UNKNOWN_METHOD')
}

/** @returns the minor version we answer by: 0 for 1.0, 1 for the rest of HTTP/1 */
function versionOf(bytes: Buffer, at: number): 0 | 1 {
  const major = bytes[at + 5]! - DIGIT_0
  const minor = bytes[at + 7]! - DIGIT_0
  if (
    bytes[at] !== 0x48 ||
    bytes[at + 1] !== 0x54 ||
    bytes[at + 2] !== 0x54 ||
    bytes[at + 3] !== 0x50 ||
    bytes[at + 4] !== SLASH ||
    major < 0 ||
    major > 9 ||
    bytes[at + 6] !== 0x2e ||
    minor < 0 ||
    minor > 9
  )
    throw protocolError('HTTP_BAD_VERSION')
  if (bytes[at + 8] !== CR || bytes[at + 9] !== LF)
    throw protocolError(bytes[at + 8] === LF || bytes[at + 8] === CR ? 'HTTP_BAD_LINE_END' : 'HTTP_BAD_VERSION')
  if (major !== 1) throw protocolError('HTTP_UNKNOWN_VERSION')
  return minor === 0 ? 0 : 1
}

/** `*`, absolute-form, or a refusal; origin-form is settled by the caller (RFC 9112 §3.2). */
function otherForm(head: RequestHead, bytes: Buffer, start: number, pathEnd: number, end: number): void {
  head.rawTarget = latin1(bytes, start, end)
  if (end - start === 1 && bytes[start] === STAR) {
    if (head.method !== 'OPTIONS') throw protocolError('HTTP_BAD_TARGET')
    head.path = '*'
    return
  }
  const scheme = /^https?:\/\//i.exec(head.rawTarget)
  if (!scheme) throw protocolError('HTTP_BAD_TARGET')
  const from = start + scheme[0].length
  let pathStart = from
  while (pathStart < end && bytes[pathStart] !== SLASH && bytes[pathStart] !== QUESTION) pathStart++
  if (!isAuthority(bytes, from, pathStart)) throw protocolError('HTTP_BAD_TARGET')
  head.targetAuthority = latin1(bytes, from, pathStart)
  if (bytes[pathStart] === SLASH && pathStart < end)
    head.path = normalPath(latin1(bytes, pathStart, Math.max(pathStart, pathEnd)))
  // No path at all: `*` was meant if the method is OPTIONS (RFC 9112 §3.2.4).
  else head.path = head.method === 'OPTIONS' && pathStart === end ? '*' : '/'
}
