// What can be wrong with a request on the wire: one row per kind, with the status it is refused with.
import { MillraceError, type ErrorFacts } from '../core/error.ts'

/** code -> [status, what the client is told]. Nothing of the request is ever quoted back. */
const KINDS = {
  HTTP_BAD_REQUEST_LINE: [400, 'The request line is not METHOD SP TARGET SP HTTP/x.y.'],
  HTTP_BAD_METHOD: [400, 'The method is not a token of at most 32 characters.'],
  HTTP_UNKNOWN_METHOD: [501, 'The server does not know this method.'],
  HTTP_NO_TUNNEL: [501, 'The server opens no tunnels.'],
  HTTP_NO_TRACE: [405, 'The server does not answer TRACE.'],
  HTTP_BAD_TARGET: [400, 'The request target holds a character, or has a form, that is not allowed.'],
  HTTP_BAD_PATH: [400, 'The path holds a malformed or forbidden percent-escape.'],
  HTTP_TARGET_TOO_LONG: [414, 'The request target is too long.'],
  HTTP_BAD_VERSION: [400, 'The protocol version is malformed.'],
  HTTP_UNKNOWN_VERSION: [505, 'The server speaks HTTP/1.1 and HTTP/1.0.'],
  HTTP_BAD_LINE_END: [400, 'A line does not end with CR LF.'],
  HTTP_BAD_FIELD_NAME: [400, 'A field name is empty, not a token, or followed by whitespace.'],
  HTTP_BAD_FIELD_VALUE: [400, 'A field value holds a control character.'],
  HTTP_FOLDED_FIELD: [400, 'A field line starts with whitespace.'],
  HTTP_TOO_MANY_FIELDS: [431, 'There are too many fields.'],
  HTTP_HEAD_TOO_LARGE: [431, 'The request head is too large.'],
  HTTP_BAD_HOST: [400, 'There must be exactly one valid Host field.'],
  HTTP_FIELD_TWIN: [400, 'A framing field is written with an underscore.'],
  HTTP_BAD_CONTENT_LENGTH: [400, 'Content-Length must be one plain decimal number.'],
  HTTP_CONFLICTING_FRAMING: [400, 'Content-Length and Transfer-Encoding exclude each other.'],
  HTTP_BAD_TRANSFER_ENCODING: [400, 'Transfer-Encoding must be exactly "chunked", once, and only in HTTP/1.1.'],
  HTTP_UNKNOWN_CODING: [501, 'The server knows no transfer coding but chunked.'],
  HTTP_UNKNOWN_EXPECTATION: [417, 'The server knows no expectation but 100-continue.'],
  HTTP_BAD_CHUNK: [400, 'The chunked body is malformed.'],
  HTTP_CHUNK_EXTENSION_TOO_LONG: [400, 'The chunk extensions are too long.'],
  HTTP_BAD_TRAILER: [400, 'The trailer section is malformed, too long, or holds a field that may not be there.'],
  HTTP_HEAD_TIMEOUT: [408, 'The request head did not arrive in time.'],
  HTTP_BODY_TOO_SLOW: [408, 'The request body arrives too slowly.'],
} as const satisfies Readonly<Record<string, readonly [status: number, detail: string]>>

export type ProtocolErrorCode = keyof typeof KINDS

export const PROTOCOL_ERROR_CODES = Object.keys(KINDS) as readonly ProtocolErrorCode[]

/** The peer broke the protocol: answered once with `status` and `Connection: close`, and not one more byte is parsed. */
export class ProtocolError extends MillraceError {
  declare readonly code: ProtocolErrorCode
  declare readonly status: number
  declare readonly detail: string

  constructor(code: ProtocolErrorCode) {
    const [status, detail] = KINDS[code]
    super(code, detail, { status, detail })
  }
}

const made = new Map<ProtocolErrorCode, ProtocolError>()

/** One instance per kind: it is the same each time, and under attack a stack trace for each would be most of the cost. */
export function protocolError(code: ProtocolErrorCode): ProtocolError {
  let error = made.get(code)
  if (!error) made.set(code, (error = new ProtocolError(code)))
  return error
}

/**
 * A request body cannot be had whole.
 *
 * `HTTP_BODY_TOO_LARGE` (413), `HTTP_BODY_TIMEOUT` (408, too slow), `HTTP_BODY_ABORTED` (400, the client went away or the exchange
 * ended before the body did).
 */
export class BodyError extends MillraceError {}

export function bodyTooLarge(maxBytes: number): BodyError {
  return new BodyError('HTTP_BODY_TOO_LARGE', `the request body is larger than the ${maxBytes} bytes allowed here`, {
    status: 413,
    detail: `The request body may have at most ${maxBytes} bytes.`,
  })
}

export function bodyTooSlow(): BodyError {
  return new BodyError('HTTP_BODY_TIMEOUT', 'the request body arrives too slowly', {
    status: 408,
    detail: 'The request body arrives too slowly.',
  })
}

export function bodyAborted(cause?: unknown): BodyError {
  const facts: ErrorFacts = { status: 400, detail: 'The request body is not whole.' }
  return new BodyError('HTTP_BODY_ABORTED', 'the request ended before its body did', { ...facts, cause })
}

/**
 * The connection ended before the exchange did: reason of `exchange.signal`, and what `drained()` rejects with.
 *
 * `HTTP_CLIENT_GONE` (FIN, RST or a socket error), `HTTP_CLIENT_STALLED` (it does not read its answer), `HTTP_CONNECTION_CLOSED`
 * (the server closed it), `HTTP_ANSWER_CUT` (the handler cut it, or the answer was not as long as declared), `HTTP_TOO_MANY_RESETS`
 * (HTTP/2: it opens requests to reset them).
 */
export class ConnectionError extends MillraceError {}

export function answerCut(cause: unknown): ConnectionError {
  return new ConnectionError('HTTP_ANSWER_CUT', 'the answer was cut', { cause })
}

export function clientGone(cause: unknown): ConnectionError {
  return new ConnectionError('HTTP_CLIENT_GONE', 'the client went away before its answer was complete', { cause })
}

export function clientStalled(): ConnectionError {
  return new ConnectionError('HTTP_CLIENT_STALLED', 'the client does not read its answer')
}

export function tooManyResets(): ConnectionError {
  return new ConnectionError('HTTP_TOO_MANY_RESETS', 'the client resets more requests than it lets be answered')
}
