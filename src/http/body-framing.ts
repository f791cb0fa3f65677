// Decides how the bytes after a request head are delimited. Pure: no I/O, no state.
//
// The order is that of RFC 9112 §6.3, narrowed: what it lets a server repair, we refuse, because the hop before us may have
// repaired it another way (request smuggling).
import { DIGIT_0 } from './grammar.ts'
import { protocolError } from './errors.ts'

export type BodyKind = 'none' | 'length' | 'chunked'

/**
 * Content-Length: one plain decimal number; no sign, list, space, leading zero; at most 2^53 - 1.
 *
 * @throws ProtocolError `HTTP_BAD_CONTENT_LENGTH`
 */
export function parseContentLength(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || (bytes[start] === DIGIT_0 && end - start > 1)) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
  let length = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0
    // By a loop over bytes: Number() takes '0x5', '1e2', '' and ' 5 '; parseInt takes '5, 6' and '5;'.
    if (digit < 0 || digit > 9) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
  }
  return length
}

/**
 * Transfer-Encoding: exactly `chunked`, in any case. A list of well-formed codings that ends in chunked or has none is a coding
 * we do not know; anything else is an attempt to be read differently by two parsers.
 *
 * @param value  outer SP and HTAB trimmed
 * @returns false for a coding that we do not know: a 501, unless a field still to come or the version makes it a 400
 * @throws ProtocolError `HTTP_BAD_TRANSFER_ENCODING`
 */
export function isJustChunked(value: string): boolean {
  const text = value.toLowerCase()
  if (text === 'chunked') return true
  const codings = text.split(',').map(coding => coding.replace(/^[ \t]+|[ \t]+$/g, ''))
  codings.forEach((coding, n) => {
    const isLast = n === codings.length - 1
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(coding) || (coding === 'chunked' && !isLast))
      throw protocolError('HTTP_BAD_TRANSFER_ENCODING')
  })
  return false
}
