// The one normal form of a path, and what may stand as an authority. Pure.
//
// Router, guards, static files and mounts all see this form, so that none of them can be talked round with another spelling:
// percent-decoded UTF-8, dot segments resolved as the WHATWG URL does (so fetch() and the wire agree), and nothing that could be
// read as a separator after decoding.
import { isIPv6 } from 'node:net'
import { COLON, DIGIT_0, IS_HOST, IS_IP_LITERAL } from './grammar.ts'
import { protocolError } from './errors.ts'

/**
 * @param path  as received, before any '?'; starts with '/'
 * @returns decoded, starts with '/'; '//' and a final '/' are kept
 * @throws ProtocolError `HTTP_BAD_PATH` for a malformed escape, invalid UTF-8, %00, an encoded slash, or a backslash in any spelling
 */
export function normalPath(path: string): string {
  if (!path.includes('%') && !path.includes('/.') && !path.includes('\\')) return path
  if (path.includes('\\')) throw protocolError('HTTP_BAD_PATH')
  const segments = path.split('/')
  const kept: string[] = []
  for (let n = 1; n < segments.length; n++) {
    const segment = segments[n]!
    const isLast = n === segments.length - 1
    const dots = dotSegment(segment)
    if (dots === 0) {
      kept.push(decodeSegment(segment))
      continue
    }
    if (dots === 2) kept.pop()
    if (isLast) kept.push('')
  }
  return '/' + kept.join('/')
}

/** A target in text, as node:http gives it, read by the rules that parseHead has for bytes. */
export interface TargetParts {
  /** Not yet in normal form; '*' for `OPTIONS *`. */
  readonly rawPath: string
  /** Behind the first '?', without it. */
  readonly search: string
  /** Of an absolute target; '' for the other forms. */
  readonly authority: string
}

/** @throws ProtocolError `HTTP_BAD_TARGET` */
export function readTarget(method: string, target: string): TargetParts {
  if (!/^[!"$-~]+$/.test(target)) throw protocolError('HTTP_BAD_TARGET')
  if (target === '*' && method === 'OPTIONS') return { rawPath: '*', search: '', authority: '' }
  const absolute = target.startsWith('/') ? undefined : /^https?:\/\/([^/?]*)/i.exec(target)
  if (absolute === null || (absolute && !isAuthorityText(absolute[1]!))) throw protocolError('HTTP_BAD_TARGET')
  const rest = absolute ? target.slice(absolute[0].length) : target
  const at = rest.indexOf('?')
  const path = at === -1 ? rest : rest.slice(0, at)
  return {
    rawPath: path !== '' ? path : method === 'OPTIONS' && at === -1 ? '*' : '/',
    search: at === -1 ? '' : rest.slice(at + 1),
    authority: absolute ? absolute[1]! : '',
  }
}

/** 1 for '.', 2 for '..', escaped dots included (WHATWG URL §4.4); 0 for any other segment. */
function dotSegment(segment: string): 0 | 1 | 2 {
  const length = segment.length
  if (length === 0 || length > 6) return 0
  const plain = segment.replace(/%2e/gi, '.')
  return plain === '.' ? 1 : plain === '..' ? 2 : 0
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  let decoded: string
  try {
    // Refuses malformed escapes, overlong forms, surrogates and cut sequences.
    decoded = decodeURIComponent(segment)
  } catch {
    throw protocolError('HTTP_BAD_PATH')
  }
  // A segment has no raw '/' or '\': these came out of an escape, and would be a second meaning for whoever joins paths.
  if (decoded.includes('/') || decoded.includes('\\') || decoded.includes('\0')) throw protocolError('HTTP_BAD_PATH')
  return decoded
}

/**
 * uri-host [":" port] without userinfo, list, path or zone: what Host and an absolute target may hold.
 * A name or IPv4 address of letters, digits, '.', '-' and '_'; or an IP literal in brackets; a port up to 65535, or none after ':'.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  if (bytes[at] === 0x5b) {
    at++
    const from = at
    while (at < end && IS_IP_LITERAL[bytes[at]!] === 1) at++
    if (at >= end || bytes[at] !== 0x5d || !isIPv6(String.fromCharCode(...bytes.subarray(from, at)))) return false
    at++
  } else {
    while (at < end && IS_HOST[bytes[at]!] === 1) at++
    if (at === start) return false
  }
  if (at === end) return true
  if (bytes[at] !== COLON) return false
  let port = 0
  for (at++; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0
    if (digit < 0 || digit > 9) return false
    port = port * 10 + digit
    if (port > 65535) return false
  }
  return true
}

export function isAuthorityText(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  return isAuthority(bytes, 0, bytes.length)
}
