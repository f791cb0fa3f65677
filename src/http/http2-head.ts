// From the fields of an HTTP/2 request to a checked head. Pure: a list in; out comes a head, or a ProtocolError.
//
// nghttp2 has seen to what makes a message malformed in RFC 9113 §8: order and repetition of pseudo-fields, upper case, characters of
// names and values, fields that speak of a connection, a body that is not as long as declared. What is checked here is what HTTP/1
// heads are checked for as well, so that no request means two things by the way it came.
import { protocolError } from './errors.ts'
import type { FieldLines } from './exchange.ts'
import { ListedFields } from './field-lines.ts'
import { IS_TOKEN, TARGET_CLASS } from './grammar.ts'
import type { Limits } from './limits.ts'
import { knownMethod, MAX_METHOD_BYTES } from './request-parser.ts'
import { isAuthority, normalPath } from './request-target.ts'

export interface Http2Head {
  readonly method: string
  readonly target: string
  /** The one normal form; '*' for `OPTIONS *`. */
  readonly path: string
  readonly search: string
  readonly authority: string
  readonly fields: FieldLines
  /** -1: not declared. */
  readonly contentLength: number
  readonly expectsContinue: boolean
}

// What a field costs beyond its characters in HTTP/1: ': ' and the line end.
const LINE_BYTES = 4

/**
 * @param lines  name and value in turn, pseudo-fields first, as nghttp2 hands them over
 * @throws ProtocolError
 */
export function readHead(lines: readonly string[], limits: Limits): Http2Head {
  let [method, target, scheme, authority] = ['', '', '', '']
  let at = 0
  for (; at < lines.length && lines[at]!.startsWith(':'); at += 2) {
    const value = lines[at + 1]!
    if (lines[at] === ':method') method = value
    else if (lines[at] === ':path') target = value
    else if (lines[at] === ':scheme') scheme = value
    else if (lines[at] === ':authority') authority = value
  }
  method = checkMethod(method)
  const queryStart = checkTarget(target, method, limits)
  if (scheme !== 'https' && scheme !== 'http') throw protocolError('HTTP_BAD_TARGET')
  const path = target.slice(0, queryStart)

  const fields = lines.slice(at)
  if (fields.length / 2 > limits.maxFields) throw protocolError('HTTP_TOO_MANY_FIELDS')
  let bytes = method.length + target.length + authority.length
  let host: string | undefined
  let contentLength = -1
  let expectsContinue = false
  for (let n = 0; n < fields.length; n += 2) {
    const value = fields[n + 1]!
    bytes += fields[n]!.length + value.length + LINE_BYTES
    switch (fields[n]) {
      case 'host':
        if (host !== undefined) throw protocolError('HTTP_BAD_HOST')
        host = value
        break
      case 'content-length':
        if (contentLength >= 0) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
        contentLength = lengthOf(value)
        break
      case 'expect':
        if (value.toLowerCase() !== '100-continue') throw protocolError('HTTP_UNKNOWN_EXPECTATION')
        expectsContinue = true
        break
      case 'content_length':
      case 'transfer_encoding':
        throw protocolError('HTTP_FIELD_TWIN')
    }
  }
  if (bytes > limits.maxHeadBytes) throw protocolError('HTTP_HEAD_TOO_LARGE')
  if (host === undefined) fields.push('host', authority)
  else if (authority === '') authority = host
  // Whoever routes by one and whoever routes by the other must mean the same (RFC 9113 §8.3.1).
  else if (host.toLowerCase() !== authority.toLowerCase()) throw protocolError('HTTP_BAD_HOST')
  const named = Buffer.from(authority, 'latin1')
  if (!isAuthority(named, 0, named.length)) throw protocolError('HTTP_BAD_HOST')
  return {
    method,
    target,
    path: path === '*' ? path : normalPath(path),
    search: target.slice(queryStart + 1),
    authority,
    fields: new ListedFields(fields),
    contentLength,
    expectsContinue,
  }
}

function checkMethod(method: string): string {
  if (method === 'GET') return method
  if (method.length === 0 || method.length > MAX_METHOD_BYTES) throw protocolError('HTTP_BAD_METHOD')
  for (let n = 0; n < method.length; n++)
    if (IS_TOKEN[method.charCodeAt(n)] !== 1) throw protocolError('HTTP_BAD_METHOD')
  return knownMethod(method)
}

/** @returns where the '?' is; the end when there is none */
function checkTarget(target: string, method: string, limits: Limits): number {
  if (target.length > limits.maxTargetBytes) throw protocolError('HTTP_TARGET_TOO_LONG')
  // The forms of HTTP/1 that name an authority have no place here: it has a field of its own.
  if (target.charCodeAt(0) !== 0x2f && !(target === '*' && method === 'OPTIONS')) throw protocolError('HTTP_BAD_TARGET')
  // A char over 0xff is not in the table, and neither 0 nor allowed.
  for (let n = 0; n < target.length; n++)
    if (!TARGET_CLASS[target.charCodeAt(n)]) throw protocolError('HTTP_BAD_TARGET')
  const query = target.indexOf('?')
  return query < 0 ? target.length : query
}

const LENGTH = /^(?:0|[1-9]\d{0,15})$/

function lengthOf(value: string): number {
  const length = LENGTH.test(value) ? Number(value) : Infinity
  if (length > Number.MAX_SAFE_INTEGER) throw protocolError('HTTP_BAD_CONTENT_LENGTH')
  return length
}
