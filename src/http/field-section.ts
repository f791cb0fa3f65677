// The field section of a head: checked byte by byte, understood as far as the engine must, and read as fields only if asked.
//
// A client that keeps its connection mostly sends the same fields again. A section whose bytes are those of the one before it means
// the same, so one comparison stands for the whole check, and fields that were split once stay split.
import { isJustChunked, parseContentLength } from './body-framing.ts'
import { protocolError } from './errors.ts'
import { HeadFields } from './field-lines.ts'
import { COLON, CR, HTAB, IS_TOKEN, IS_VALUE, LF, SP } from './grammar.ts'
import type { Limits } from './limits.ts'
import { isAuthority } from './request-target.ts'
import { latin1 } from './latin1.ts'

/** What the fields say, whatever the request line says. */
export class FieldSection {
  bytes: Buffer
  start: number
  /** Behind the blank line. */
  end = 0
  /** -1: no Host. */
  hostStart = -1
  hostEnd = -1
  /** -1: no Content-Length. */
  contentLength = -1
  isChunked = false
  /** Transfer-Encoding names a coding that we do not know; then `isChunked` is true as well. A head with it is never handed out. */
  hasUnknownCoding = false
  /** `Connection: close`, `Connection: keep-alive`. */
  asksClose = false
  asksKeepAlive = false
  expectsContinue = false
  #fields: HeadFields | undefined

  constructor(bytes: Buffer, start: number) {
    this.bytes = bytes
    this.start = start
  }

  /** Of bytes that are somebody else's: keeps a copy. */
  own(): void {
    const { start } = this
    this.bytes = Buffer.from(this.bytes.subarray(start, this.end))
    this.start = 0
    this.end -= start
    if (this.hostStart < 0) return
    this.hostStart -= start
    this.hostEnd -= start
  }

  get fields(): HeadFields {
    return (this.#fields ??= new HeadFields(this.bytes, this.start, this.end - 2))
  }

  /** What was split is split again when somebody asks: for a connection that will be open for long. */
  forget(): void {
    this.#fields = undefined
  }

  get host(): string {
    return this.hostStart < 0 ? '' : latin1(this.bytes, this.hostStart, this.hostEnd)
  }

  /** These bytes say the same, blank line included. */
  isAt(bytes: Buffer, at: number, end: number): boolean {
    const length = this.end - this.start
    if (length > end - at || bytes[at + length - 3] !== LF || bytes[at + length - 1] !== LF) return false
    // Measured: up to some 64 bytes the loop is over before the native call has begun.
    if (length > 64) return bytes.compare(this.bytes, this.start, this.end, at, at + length) === 0
    for (let n = 0; n < length; n++) if (bytes[at + n] !== this.bytes[this.start + n]) return false
    return true
  }
}

/**
 * @param start  behind the request line
 * @returns undefined while its blank line is not here
 * @throws ProtocolError
 */
export function parseSection(bytes: Buffer, start: number, end: number, limits: Limits): FieldSection | undefined {
  const section = new FieldSection(bytes, start)
  let at = start
  let fields = 0
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

    // The few names that the engine itself must understand, told apart by length first.
    switch (nameLength) {
      case 4:
        if (isName(bytes, nameStart, HOST)) {
          valueEnd = trimmedEnd(bytes, valueStart, valueEnd)
          if (section.hostStart >= 0 || !isAuthority(bytes, valueStart, valueEnd)) throw protocolError('HTTP_BAD_HOST')
          section.hostStart = valueStart
          section.hostEnd = valueEnd
        }
        break
      case 6:
        if (isName(bytes, nameStart, EXPECT)) {
          valueEnd = trimmedEnd(bytes, valueStart, valueEnd)
          // Two lines are a list of two (RFC 9110 §5.3), and a list is not what we know.
          if (section.expectsContinue || !isValue(bytes, valueStart, valueEnd, CONTINUE))
            throw protocolError('HTTP_UNKNOWN_EXPECTATION')
          section.expectsContinue = true
        }
        break
      case 10:
        if (isName(bytes, nameStart, CONNECTION))
          readConnection(section, valueStart, trimmedEnd(bytes, valueStart, valueEnd))
        break
      case 14:
        if (isName(bytes, nameStart, CONTENT_LENGTH)) {
          if (section.contentLength >= 0) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
          section.contentLength = parseContentLength(bytes, valueStart, trimmedEnd(bytes, valueStart, valueEnd))
        } else if (isName(bytes, nameStart, CONTENT_LENGTH_TWIN)) throw protocolError('HTTP_FIELD_TWIN')
        break
      case 17:
        if (isName(bytes, nameStart, TRANSFER_ENCODING)) {
          if (section.isChunked) throw protocolError('HTTP_BAD_TRANSFER_ENCODING')
          const value = latin1(bytes, valueStart, trimmedEnd(bytes, valueStart, valueEnd))
          section.hasUnknownCoding = !isJustChunked(value)
          section.isChunked = true
        } else if (isName(bytes, nameStart, TRANSFER_ENCODING_TWIN)) throw protocolError('HTTP_FIELD_TWIN')
        break
    }
  }
  section.end = at + 2
  if (section.isChunked && section.contentLength >= 0) throw protocolError('HTTP_CONFLICTING_FRAMING')
  return section
}

function lowerCaseBytes(name: string): Uint8Array {
  return Uint8Array.from(name, char => char.charCodeAt(0))
}

const HOST = lowerCaseBytes('host')
const EXPECT = lowerCaseBytes('expect')
const CONNECTION = lowerCaseBytes('connection')
const CLOSE = lowerCaseBytes('close')
const KEEP_ALIVE = lowerCaseBytes('keep-alive')
const CONTINUE = lowerCaseBytes('100-continue')
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

function isValue(bytes: Uint8Array, start: number, end: number, value: Uint8Array): boolean {
  return end - start === value.length && isName(bytes, start, value)
}

function readConnection(section: FieldSection, start: number, end: number): void {
  const { bytes } = section
  if (isValue(bytes, start, end, KEEP_ALIVE)) section.asksKeepAlive = true
  else if (isValue(bytes, start, end, CLOSE)) section.asksClose = true
  else
    for (const option of latin1(bytes, start, end).toLowerCase().split(',')) {
      const name = option.replace(/^[ \t]+|[ \t]+$/g, '')
      if (name === 'close') section.asksClose = true
      else if (name === 'keep-alive') section.asksKeepAlive = true
    }
}
