// From a prepared head and what this one answer adds, to text for the wire. Pure but for the date.
import { dateLine } from './http-date.ts'
import { encodeFields, prepareHead, type FieldList, type PreparedHead } from './prepared-head.ts'
import type { ProtocolError } from './errors.ts'
import { reasonPhrase } from './status.ts'

/** What the head says about the connection after this answer. */
export const CONNECTION_KEPT = ''
export const CONNECTION_CLOSE = 'Connection: close\r\n'
/** For HTTP/1.0, where keeping it open has to be said. */
export const CONNECTION_KEEP_ALIVE = 'Connection: keep-alive\r\n'

/**
 * Everything before the body but the framing fields and the blank line.
 *
 * @param connection  one of the three above
 * @throws UsageError `HTTP_BAD_FIELD` for what prepareHead would not take either
 */
export function encodeHead(head: PreparedHead, more: FieldList | undefined, connection: string): string {
  const fields = more === undefined ? '' : encodeFields(more)
  const hasDate = head.hasDate || (more !== undefined && namesDate(more))
  return head.text + (hasDate ? '' : dateLine()) + fields + connection
}

/** The same, and `Content-Length: ` behind it: for most answers a string that is there already. */
export function encodeHeadUntilLength(head: PreparedHead, more: FieldList | undefined, connection: string): string {
  if (connection === CONNECTION_KEPT && !head.hasDate && (more === undefined || more.length === 0))
    return head.untilLength(dateLine())
  return encodeHead(head, more, connection) + 'Content-Length: '
}

/** All of an answer on a connection that is kept, if the one before it with this head was the same. */
export function repeatedAnswer(head: PreparedHead, body: string): string | undefined {
  return head.hasDate ? undefined : head.repeated(body, dateLine())
}

function namesDate(fields: FieldList): boolean {
  for (let n = 0; n < fields.length; n += 2) {
    const name = fields[n]!
    if (name.length === 4 && name.toLowerCase() === 'date') return true
  }
  return false
}

const PROBLEM_FIELDS: FieldList = ['Content-Type', 'application/problem+json']

/** RFC 9457, with nothing in it that the client sent. */
function problemText(status: number, detail: string): string {
  return JSON.stringify({ type: 'about:blank', title: reasonPhrase(status), status, detail })
}

export interface Refusal {
  readonly head: PreparedHead
  readonly body: string
}

const refusals = new Map<string, Refusal>()

/** The answer to a broken request; made once per kind. */
export function refusalOf(error: ProtocolError): Refusal {
  let refusal = refusals.get(error.code)
  if (!refusal) {
    const fields = error.status === 405 ? [...PROBLEM_FIELDS, 'Allow', ALLOWED] : PROBLEM_FIELDS
    refusal = { head: prepareHead(error.status, fields), body: problemText(error.status, error.detail) }
    refusals.set(error.code, refusal)
  }
  return refusal
}

export function encodeRefusal(error: ProtocolError): string {
  const { head, body } = refusalOf(error)
  return `${encodeHead(head, undefined, CONNECTION_CLOSE)}Content-Length: ${body.length}\r\n\r\n${body}`
}

// What TRACE could have been instead, as far as the engine knows (RFC 9110 §15.5.6 asks for the field).
const ALLOWED = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** For a handler that failed before it answered. */
export const FAILED_HEAD = prepareHead(500, PROBLEM_FIELDS)
export const FAILED_BODY = problemText(500, 'The server failed to answer this request.')

export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
export const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\n'
