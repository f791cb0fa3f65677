// An answer in pieces: frames each as its head promised, keeps count, and passes back-pressure on.
import { MillraceError } from '../core/error.ts'
import type { RequestRecord } from '../core/request-record.ts'
import type { ResponseWriter } from './exchange.ts'
import { encodeFields, type FieldList } from './prepared-head.ts'
import type { SendBuffer } from './send-buffer.ts'

/** 'close': the end of the connection is the end of the body. 'nothing': HEAD, 204, 304, or an answer that came second. */
export type PieceFraming = 'length' | 'chunked' | 'close' | 'nothing'

/** What a writer needs of the connection. */
export interface PieceLine {
  readonly out: SendBuffer
  /** The connection can be written to. */
  readonly isOpen: boolean
  /** Send what was written within this turn. */
  flushSoon(): void
  /** Resolves when `out` has room; rejects when the connection is gone. */
  roomAgain(): Promise<void>
}

/** What a writer tells the exchange it answers. */
export interface PieceOwner {
  readonly record: RequestRecord
  /** The connection is not kept, whatever its head has said. */
  isLast: boolean
  complete(): void
  cut(reason: unknown): void
}

export class PieceWriter implements ResponseWriter {
  readonly #owner: PieceOwner
  readonly #line: PieceLine
  readonly #framing: PieceFraming
  readonly #length: number
  #written = 0
  #isEnded: boolean

  constructor(owner: PieceOwner, line: PieceLine, framing: PieceFraming, length: number, isEnded: boolean) {
    this.#owner = owner
    this.#line = line
    this.#framing = framing
    this.#length = length
    this.#isEnded = isEnded
  }

  write(piece: string | Uint8Array): boolean {
    if (this.#isEnded) return true
    if (!this.#line.isOpen) return false
    const size = typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length
    if (size === 0 || this.#framing === 'nothing') return true
    this.#written += size
    if (this.#framing === 'length' && this.#written > this.#length) {
      this.#wrongLength()
      return true
    }
    this.#owner.record.bytesOut += size
    const { out } = this.#line
    const isChunked = this.#framing === 'chunked'
    if (typeof piece === 'string') {
      const text = isChunked ? `${size.toString(16)}\r\n${piece}\r\n` : piece
      if (size === piece.length) out.latin1(text)
      else out.utf8(text)
    } else {
      if (isChunked) out.latin1(`${size.toString(16)}\r\n`)
      out.bytes(piece)
      if (isChunked) out.latin1('\r\n')
    }
    this.#line.flushSoon()
    return out.hasRoom
  }

  drained(): Promise<void> {
    return this.#line.roomAgain()
  }

  end(trailers?: FieldList): void {
    if (this.#isEnded) return
    const trailerText = trailers === undefined ? '' : encodeFields(trailers)
    if (this.#framing === 'length' && this.#written !== this.#length) return this.#wrongLength()
    this.#isEnded = true
    if (this.#framing === 'chunked') this.#line.out.latin1(`0\r\n${trailerText}\r\n`)
    this.#owner.complete()
  }

  part(): void {
    this.#owner.isLast = true
    this.end()
  }

  abort(reason: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#owner.cut(reason)
  }

  #wrongLength(): void {
    // The only way left to say that the body is not what the head declared.
    this.abort(wrongLength(this.#length, this.#written))
  }
}

/** Why an answer was cut that is not as long as its head says. */
export function wrongLength(declared: number, written: number): MillraceError {
  return new MillraceError(
    'HTTP_WRONG_LENGTH',
    `an answer declared ${declared} bytes and wrote ${written}; leave the length out, or write as much`,
  )
}
