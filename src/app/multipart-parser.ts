// multipart/form-data (RFC 7578, in the framing of RFC 2046 §5.1) from pieces of any size to parts. Pure: no I/O, no clock.
//
//   start --boundary--> head --empty line--> data --delimiter--> head ... --closing delimiter--> end
//
// Stricter than the grammar where two readers could disagree about where a part ends: nothing before the first boundary but one empty
// line, no padding behind a boundary, no bare LF. What only begins like a delimiter ("--boundary" and then a letter) is content.
import { badMultipart, formTooLarge } from './form-errors.ts'

/** Told of parts in order: head, any number of data, end. All bytes are views that are good until the call returns. */
export interface PartSink {
  /** Field lines with their line ends, without the empty line. */
  head(lines: Buffer): void
  data(piece: Buffer): void
  end(): void
}

// 8 KiB, half of what a request's head may have: the longest file name of any system, thrice escaped, takes 2.3.
const MAX_HEAD_BYTES = 8192

const NOTHING = Buffer.alloc(0)
const END_OF_HEAD = Buffer.from('\r\n\r\n')
const CR = 13
const LF = 10
const TAB = 9
const SP = 32
const DASH = 45

export class MultipartParser {
  readonly #delimiter: Buffer
  readonly #sink: PartSink
  #state: 'start' | 'head' | 'data' | 'end' = 'start'
  /** What may be the beginning of a delimiter; in front of the first boundary stands the line end that the grammar leaves out there. */
  #rest: Buffer = Buffer.from('\r\n')
  // Heads are copied together: a client that sends them byte by byte must not make us search the same bytes again and again.
  #head: Buffer | undefined
  #headLength = 0
  #isEmpty = true
  /** In front of the first boundary. */
  #hasEmptyLine = false

  constructor(boundary: string, sink: PartSink) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
    this.#sink = sink
  }

  /** @throws MillraceError `APP_BAD_MULTIPART` (400), `APP_FORM_TOO_LARGE` (413) for a head of over 8 KiB; and whatever the sink throws */
  push(piece: Uint8Array): void {
    if (piece.byteLength === 0) return
    this.#isEmpty = false
    const rest = this.#rest
    const bytes =
      rest.length > 0
        ? Buffer.concat([rest, piece])
        : Buffer.from(piece.buffer as ArrayBuffer, piece.byteOffset, piece.byteLength)
    this.#rest = NOTHING
    for (let at = 0; at < bytes.length;) {
      if (this.#state === 'data') at = this.#readData(bytes, at)
      else if (this.#state === 'head') at = this.#readHead(bytes, at)
      else if (this.#state === 'start') at = this.#readStart(bytes, at)
      else return // RFC 2046 §5.1.1: the epilogue is not for us
    }
  }

  /** The body is over. An empty one is a form without parts. @throws MillraceError `APP_BAD_MULTIPART` when it ended before its form */
  finish(): void {
    if (this.#state !== 'end' && !this.#isEmpty) throw badMultipart('The multipart body ends before its last boundary.')
  }

  #readStart(bytes: Buffer, at: number): number {
    const delimiter = this.#delimiter
    if (bytes.length - at < delimiter.length + 2) return this.#keep(bytes, at)
    const end = at + delimiter.length
    const kind = bytes.subarray(at, end).equals(delimiter) ? this.#whatIsBehind(bytes, end) : 'content'
    if (kind !== 'content') {
      this.#state = kind
      return end
    }
    if (!this.#hasEmptyLine && bytes[at + 2] === CR && bytes[at + 3] === LF) {
      this.#hasEmptyLine = true
      return at + 2
    }
    throw badMultipart('The multipart body does not begin with its boundary.')
  }

  #readHead(bytes: Buffer, at: number): number {
    const head = (this.#head ??= Buffer.allocUnsafe(MAX_HEAD_BYTES))
    const before = this.#headLength
    const copied = bytes.copy(head, before, at)
    this.#headLength += copied
    const end = head.subarray(0, this.#headLength).indexOf(END_OF_HEAD, Math.max(0, before - 3))
    if (end === -1) {
      if (this.#headLength === MAX_HEAD_BYTES)
        throw formTooLarge(`The head of a part may have at most ${MAX_HEAD_BYTES} bytes.`)
      return at + copied
    }
    this.#headLength = 0
    this.#state = 'data'
    this.#sink.head(head.subarray(0, end))
    return at + end + END_OF_HEAD.length - before
  }

  #readData(bytes: Buffer, at: number): number {
    const delimiter = this.#delimiter
    for (let from = at; ;) {
      const found = bytes.indexOf(delimiter, from)
      if (found === -1) break
      if (bytes.length - found < delimiter.length + 2) return this.#hand(bytes, at, found)
      const kind = this.#whatIsBehind(bytes, found + delimiter.length)
      if (kind !== 'content') {
        if (found > at) this.#sink.data(bytes.subarray(at, found))
        this.#sink.end()
        this.#state = kind
        // The line end of a delimiter is the first of the head: what is searched for then ends an empty head as well.
        return found + delimiter.length
      }
      from = found + delimiter.length
    }
    // A line end close to the end may begin a delimiter.
    const last = bytes.indexOf(CR, Math.max(at, bytes.length - delimiter.length + 1))
    return this.#hand(bytes, at, last === -1 ? bytes.length : last)
  }

  /** @throws where one reader takes it for a delimiter and another for content: padding, or a bare line end */
  #whatIsBehind(bytes: Buffer, at: number): 'head' | 'end' | 'content' {
    const first = bytes[at]
    const second = bytes[at + 1]
    if (first === CR && second === LF) return 'head'
    if (first === DASH && second === DASH) return 'end'
    if (first === CR || first === LF || first === SP || first === TAB)
      throw badMultipart('A boundary of the multipart body is followed by something else than a line end.')
    return 'content'
  }

  /** Hands out data up to `end`, and keeps what follows until more is here. */
  #hand(bytes: Buffer, at: number, end: number): number {
    if (end > at) this.#sink.data(bytes.subarray(at, end))
    return this.#keep(bytes, end)
  }

  #keep(bytes: Buffer, at: number): number {
    // A copy: it is short, and the piece it comes from is not.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at))
    return bytes.length
  }
}
