// The part of a response head that does not change from one request to the next, checked and encoded once.
import { UsageError } from '../core/error.ts'
import { reasonPhrase } from './status.ts'

/** Fields as name and value in turn: `['content-type', 'text/plain']`. A flat list costs nothing to walk and keeps repeats. */
export type FieldList = readonly string[]

/** Opaque to those above: they make one with `prepareHead` and hand it to `exchange.send` or `start`. */
export class PreparedHead {
  readonly status: number
  readonly fields: FieldList
  /** Status line and fields with their line ends, without the blank line. */
  readonly text: string
  /** 1xx, 204, 304: no body and no framing fields, whatever the caller passes (RFC 9110 §6.4.1, RFC 9112 §6.3). */
  readonly isBodyless: boolean
  /** A `date` of the caller's own is kept, and ours left out. */
  readonly hasDate: boolean
  /** No obs-text in the fields: head and a UTF-8 body can go out as one string. */
  readonly isAscii: boolean
  #untilLength = ''
  #date = ''
  #body = ''
  /** The whole answer with `#body`, made for `#wholeDate`. */
  #whole = ''
  #wholeDate = ''

  constructor(status: number, fields: FieldList) {
    this.status = status
    this.fields = fields
    // 426 has to name what it wants (RFC 9110 §15.5.22), and who names it there says so in Connection (§7.8).
    const names = status === 426 && fields.some((text, n) => n % 2 === 0 && text.toLowerCase() === 'upgrade')
    const encoded = encodeFields(fields, names) + (names ? 'Connection: Upgrade\r\n' : '')
    this.text = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${encoded}`
    this.isBodyless = status < 200 || status === 204 || status === 304
    this.hasDate = fields.some((text, n) => n % 2 === 0 && text.toLowerCase() === 'date')
    this.isAscii = isAscii(this.text)
  }

  /** What most answers start with, up to the digits of their length; joined once for each date. */
  untilLength(dateLine: string): string {
    if (this.#date !== dateLine) {
      this.#date = dateLine
      this.#untilLength = flat(`${this.text}${dateLine}Content-Length: `)
    }
    return this.#untilLength
  }

  /**
   * The whole answer as text for the wire, when the answer before it had the same body: what a cache remembers, and what is the same for
   * everybody, is then neither measured, joined nor flattened again (bench/micro/request: 60 ns).
   *
   * @returns undefined for a body that is another than the last one, is long, or is not ASCII
   */
  repeated(body: string, dateLine: string): string | undefined {
    if (body !== this.#body) {
      this.#body = body.length > LONGEST_REPEATED ? '' : body
      this.#wholeDate = ''
      return undefined
    }
    if (this.#wholeDate === dateLine) return this.#whole
    if (body === '' || !isAscii(body)) return undefined
    this.#whole = flat(this.withBody(body, dateLine))
    this.#wholeDate = dateLine
    return this.#whole
  }

  /** The whole answer with an ASCII body; for who sends it often, `flat` makes it one piece. */
  withBody(body: string, dateLine: string): string {
    return `${this.text}${dateLine}Content-Length: ${body.length}\r\n\r\n${body}`
  }
}

// 1 KiB: each head may keep as much. Of a longer answer the copying is what costs, and that remains.
export const LONGEST_REPEATED = 1024

/** Through bytes: a joined string stays a tree of its parts, walked again for each answer that contains it. @param text  Latin-1 */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/**
 * @throws UsageError `HTTP_BAD_STATUS` for a status outside 200..599, `HTTP_BAD_FIELD` for a name that is no token, a value with
 *   CR, LF, NUL or a char over 0xff, and for the fields that are the engine's own: content-length, transfer-encoding, connection, and
 *   upgrade but with 426
 */
export function prepareHead(status: number, fields: FieldList = []): PreparedHead {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new UsageError('HTTP_BAD_STATUS', `${status} is not a final status; use a whole number from 200 to 599`)
  return new PreparedHead(status, fields)
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// Visible ASCII, SP, HTAB and obs-text; CR, LF, NUL and the other controls would let a value end its line (response splitting).
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const OURS = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade'])

/** The wire form of a field list, checked; used for the fields of one answer as well. */
export function encodeFields(fields: FieldList, mayUpgrade = false): string {
  let text = ''
  for (let n = 0; n + 1 < fields.length; n += 2) {
    checkField(fields[n]!, fields[n + 1]!, mayUpgrade)
    text += `${fields[n]!}: ${fields[n + 1]!}\r\n`
  }
  return text
}

/** @throws UsageError `HTTP_BAD_FIELD` */
export function checkField(name: string, value: string, mayUpgrade = false): void {
  if (!TOKEN.test(name)) throw new UsageError('HTTP_BAD_FIELD', `${JSON.stringify(name)} is not a field name`)
  if (OURS.has(name.toLowerCase()) && !(mayUpgrade && name.toLowerCase() === 'upgrade'))
    throw new UsageError('HTTP_BAD_FIELD', `${name} is set by the engine itself; leave it out`)
  if (!VALUE.test(value))
    throw new UsageError('HTTP_BAD_FIELD', `the value of ${name} holds a character that no field may carry`)
}
