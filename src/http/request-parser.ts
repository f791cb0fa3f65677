// From bytes to a request head, in one pass. Pure: bytes in; out comes a head, "need more", or a ProtocolError.
//
// - RFC 9112 §2 to §5, without its leniencies: lines end with CR LF, one SP between the parts of the request line, no folding.
// - Every byte of the head is checked; fields are not copied or kept: `RequestHead` remembers where they are, and FieldLines reads
//   them again only if somebody asks. Most requests are answered from the path alone.
// - The same bytes give the same outcome however they were cut into packets.
import { checkTransferEncoding, parseContentLength, type BodyKind } from './body-framing.ts'
import { protocolError } from './errors.ts'
import {
  COLON,
  CR,
  DIGIT_0,
  HTAB,
  IS_TOKEN,
  IS_VALUE,
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

/** A checked head. Positions point into `bytes`. */
export class RequestHead {
  readonly bytes: Buffer
  method = ''
  /** 0 or 1: HTTP/1.0, or 1.1 and anything above it. */
  minorVersion = 1
  /** HTTP/1.1 without `Connection: close`, or HTTP/1.0 with `keep-alive`. */
  keepsAlive = true
  kind: BodyKind = 'none'
  contentLength = 0
  expectsContinue = false
  /** The one normal form; '*' for `OPTIONS *`. */
  path = ''
  targetStart = 0
  targetEnd = 0
  /** Where the '?' is; `targetEnd` when there is none. */
  queryStart = 0
  authorityStart = 0
  authorityEnd = 0
  fieldsStart = 0
  /** Before the blank line. */
  fieldsEnd = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get target(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd)
  }

  get search(): string {
    return this.queryStart >= this.targetEnd ? '' : this.bytes.toString('latin1', this.queryStart + 1, this.targetEnd)
  }

  get authority(): string {
    return this.bytes.toString('latin1', this.authorityStart, this.authorityEnd)
  }
}

// 32: longer than any registered method (UPDATEREDIRECTREF, 17); what is longer is not a method that we merely do not know.
const MAX_METHOD_BYTES = 32

/**
 * @param input  consumed up to the end of the head; untouched while more is needed
 * @returns undefined while the head is not complete
 * @throws ProtocolError; the connection is of no further use then
 */
export function parseHead(input: ReceiveBuffer, limits: Limits): RequestHead | undefined {
  const isFresh = input.looked === input.start
  if (!isFresh && !mayBeWhole(input, limits)) return undefined
  const head = parse(input, limits)
  if (head === undefined) {
    if (isFresh && !mayBeWhole(input, limits)) return undefined
    throw protocolError(input.length > limits.maxHeadBytes ? 'HTTP_HEAD_TOO_LARGE' : 'HTTP_BAD_LINE_END')
  }
  return head
}

/** Looks at new bytes only. True when there is a blank line, or when there can never be one: parsing then says why. */
function mayBeWhole(input: ReceiveBuffer, limits: Limits): boolean {
  const { bytes, start, end } = input
  for (let at = input.looked; ; at++) {
    at = bytes.indexOf(LF, at)
    if (at < 0 || at >= end) break
    if (at === start || bytes[at - 1] !== CR) return true
    if (at - 3 >= start && bytes[at - 2] === LF) return true
  }
  input.looked = end
  return end - start > limits.maxHeadBytes
}

function parse(input: ReceiveBuffer, limits: Limits): RequestHead | undefined {
  const { bytes, end } = input
  let at = input.start
  if (bytes[at] === CR) {
    // One empty line before the request line is ignored (RFC 9112 §2.2): old clients send one after a body.
    if (at + 2 > end) return undefined
    if (bytes[at + 1] !== LF) throw protocolError('HTTP_BAD_LINE_END')
    if (at + 2 === end) return undefined
    if (bytes[at + 2] === CR) throw protocolError('HTTP_BAD_REQUEST_LINE')
    at += 2
  }
  const head = new RequestHead(bytes)
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
  head.targetStart = targetStart
  head.targetEnd = at
  head.queryStart = queryStart === 0 ? at : queryStart
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
  head.fieldsStart = at
  let fields = 0
  let hostStart = -1
  let hostEnd = -1
  let hasLength = false
  let hasEncoding = false
  let hasClose = false
  let hasKeepAlive = false
  for (;;) {
    if (at >= end) return undefined
    if (bytes[at] === CR) {
      if (at + 1 >= end) return undefined
      if (bytes[at + 1] !== LF) throw protocolError('HTTP_BAD_LINE_END')
      break
    }
    const nameStart = at
    while (at < end && IS_TOKEN[bytes[at]!] === 1) at++
    if (at >= end) return undefined
    if (bytes[at] !== COLON || at === nameStart) {
      if (at !== nameStart) throw protocolError('HTTP_BAD_FIELD_NAME')
      const isFold = bytes[at] === SP || bytes[at] === HTAB
      throw protocolError(isFold ? 'HTTP_FOLDED_FIELD' : bytes[at] === LF ? 'HTTP_BAD_LINE_END' : 'HTTP_BAD_FIELD_NAME')
    }
    const nameLength = at - nameStart
    at++
    while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++
    const valueStart = at
    while (at < end && IS_VALUE[bytes[at]!] === 1) at++
    if (at + 1 >= end) {
      if (at < end && bytes[at] !== CR)
        throw protocolError(bytes[at] === LF ? 'HTTP_BAD_LINE_END' : 'HTTP_BAD_FIELD_VALUE')
      return undefined
    }
    if (bytes[at] !== CR || bytes[at + 1] !== LF) {
      const isLineEnd = bytes[at] === CR || bytes[at] === LF
      throw protocolError(isLineEnd ? 'HTTP_BAD_LINE_END' : 'HTTP_BAD_FIELD_VALUE')
    }
    let valueEnd = at
    at += 2
    if (++fields > limits.maxFields) throw protocolError('HTTP_TOO_MANY_FIELDS')
    if (at - headStart > limits.maxHeadBytes) throw protocolError('HTTP_HEAD_TOO_LARGE')

    // The few names that the engine itself must understand, told apart by length first.
    switch (nameLength) {
      case 4:
        if (isName(bytes, nameStart, HOST)) {
          if (hostStart >= 0) throw protocolError('HTTP_BAD_HOST')
          hostStart = valueStart
          hostEnd = trimmedEnd(bytes, valueStart, valueEnd)
        }
        break
      case 6:
        if (isName(bytes, nameStart, EXPECT)) {
          valueEnd = trimmedEnd(bytes, valueStart, valueEnd)
          if (bytes.toString('latin1', valueStart, valueEnd).toLowerCase() !== '100-continue') {
            throw protocolError('HTTP_UNKNOWN_EXPECTATION')
          }
          // A 1.0 client cannot have meant it (RFC 9110 §10.1.1).
          head.expectsContinue = head.minorVersion > 0
        }
        break
      case 10:
        if (isName(bytes, nameStart, CONNECTION)) {
          const options = bytes.toString('latin1', valueStart, valueEnd).toLowerCase()
          if (options.includes('close')) hasClose ||= hasOption(options, 'close')
          if (options.includes('keep-alive')) hasKeepAlive ||= hasOption(options, 'keep-alive')
        }
        break
      case 14:
        if (isName(bytes, nameStart, CONTENT_LENGTH)) {
          if (hasLength) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
          hasLength = true
          head.contentLength = parseContentLength(bytes, valueStart, trimmedEnd(bytes, valueStart, valueEnd))
        } else if (isName(bytes, nameStart, CONTENT_LENGTH_TWIN)) throw protocolError('HTTP_FIELD_TWIN')
        break
      case 17:
        if (isName(bytes, nameStart, TRANSFER_ENCODING)) {
          if (hasEncoding) throw protocolError('HTTP_BAD_TRANSFER_ENCODING')
          hasEncoding = true
          checkTransferEncoding(bytes.toString('latin1', valueStart, trimmedEnd(bytes, valueStart, valueEnd)))
        } else if (isName(bytes, nameStart, TRANSFER_ENCODING_TWIN)) throw protocolError('HTTP_FIELD_TWIN')
        break
    }
  }
  head.fieldsEnd = at
  at += 2

  if (hasEncoding) {
    if (hasLength) throw protocolError('HTTP_CONFLICTING_FRAMING')
    if (head.minorVersion === 0) throw protocolError('HTTP_BAD_TRANSFER_ENCODING')
    head.kind = 'chunked'
  } else if (head.contentLength > 0) head.kind = 'length'
  head.keepsAlive = !hasClose && (head.minorVersion > 0 || hasKeepAlive)

  if (hostStart < 0) {
    if (head.minorVersion > 0) throw protocolError('HTTP_BAD_HOST')
  } else {
    if (!isAuthority(bytes, hostStart, hostEnd)) throw protocolError('HTTP_BAD_HOST')
    head.authorityStart = hostStart
    head.authorityEnd = hostEnd
  }
  if (bytes[targetStart] === SLASH) {
    const path = bytes.toString('latin1', targetStart, head.queryStart)
    head.path = isPlain ? path : normalPath(path)
  } else otherForm(head)

  input.consumeTo(at)
  return head
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

function methodOf(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return 'GET'
  const method = bytes.toString('latin1', start, end)
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
function otherForm(head: RequestHead): void {
  const { bytes, targetStart, targetEnd } = head
  if (targetEnd - targetStart === 1 && bytes[targetStart] === STAR) {
    if (head.method !== 'OPTIONS') throw protocolError('HTTP_BAD_TARGET')
    head.path = '*'
    return
  }
  const scheme = /^https?:\/\//i.exec(bytes.toString('latin1', targetStart, Math.min(targetStart + 8, targetEnd)))
  if (!scheme) throw protocolError('HTTP_BAD_TARGET')
  const from = targetStart + scheme[0].length
  let pathStart = from
  while (pathStart < targetEnd && bytes[pathStart] !== SLASH && bytes[pathStart] !== QUESTION) pathStart++
  if (!isAuthority(bytes, from, pathStart)) throw protocolError('HTTP_BAD_TARGET')
  head.authorityStart = from
  head.authorityEnd = pathStart
  if (bytes[pathStart] === SLASH && pathStart < targetEnd)
    head.path = normalPath(bytes.toString('latin1', pathStart, Math.max(pathStart, head.queryStart)))
  // No path at all: `*` was meant if the method is OPTIONS (RFC 9112 §3.2.4).
  else head.path = head.method === 'OPTIONS' && pathStart === targetEnd ? '*' : '/'
}

function lowerCaseBytes(name: string): Uint8Array {
  return Uint8Array.from(name, char => char.charCodeAt(0))
}

const HOST = lowerCaseBytes('host')
const EXPECT = lowerCaseBytes('expect')
const CONNECTION = lowerCaseBytes('connection')
const CONTENT_LENGTH = lowerCaseBytes('content-length')
const TRANSFER_ENCODING = lowerCaseBytes('transfer-encoding')
// Gateways that turn fields into CGI-like variables cannot tell these from the real ones.
const CONTENT_LENGTH_TWIN = lowerCaseBytes('content_length')
const TRANSFER_ENCODING_TWIN = lowerCaseBytes('transfer_encoding')

function isName(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let n = 0; n < name.length; n++) {
    const wanted = name[n]!
    const byte = bytes[at + n]!
    // 0x20 is the bit between the cases; '-' and '_' must be themselves.
    if (byte !== wanted && ((byte | 0x20) !== wanted || wanted < 0x61)) return false
  }
  return true
}

function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--
  return end
}

function hasOption(options: string, option: string): boolean {
  return options.split(',').some(one => one.replace(/^[ \t]+|[ \t]+$/g, '') === option)
}
