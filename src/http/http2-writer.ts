// An answer in pieces on an HTTP/2 stream: keeps count of what its head promised, and passes back-pressure on.
import type { RequestRecord } from '../core/request-record.ts'
import type { ResponseWriter } from './exchange.ts'
import type { Http2Output } from './http2-output.ts'
import type { FieldList } from './prepared-head.ts'
import { wrongLength } from './response-writer.ts'

/** What a writer tells the exchange it answers. */
export interface WriterOwner {
  readonly record: RequestRecord
  complete(): void
  cut(reason: unknown): void
}

export class Http2Writer implements ResponseWriter {
  readonly #owner: WriterOwner
  readonly #out: Http2Output
  /** 'nothing': HEAD, 204, 205, 304, or an answer that came second. */
  readonly #kind: 'pieces' | 'nothing'
  readonly #length: number | undefined
  #written = 0
  #isEnded: boolean

  constructor(
    owner: WriterOwner,
    out: Http2Output,
    kind: 'pieces' | 'nothing',
    length: number | undefined,
    isEnded: boolean,
  ) {
    this.#owner = owner
    this.#out = out
    this.#kind = kind
    this.#length = length
    this.#isEnded = isEnded
  }

  write(piece: string | Uint8Array): boolean {
    if (this.#isEnded) return true
    if (!this.#out.isOpen) return false
    const size = typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length
    if (size === 0 || this.#kind === 'nothing') return true
    this.#written += size
    if (this.#length !== undefined && this.#written > this.#length) {
      this.abort(wrongLength(this.#length, this.#written))
      return true
    }
    this.#owner.record.bytesOut += size
    this.#out.write(piece)
    return this.#out.hasRoom
  }

  drained(): Promise<void> {
    return this.#out.roomAgain()
  }

  end(trailers?: FieldList): void {
    if (this.#isEnded) return
    if (this.#kind === 'pieces') {
      if (this.#length !== undefined && this.#written !== this.#length)
        return this.abort(wrongLength(this.#length, this.#written))
      this.#out.end(trailers)
    }
    this.#isEnded = true
    this.#owner.complete()
  }

  /** What closes the connection is GOAWAY. */
  part(): void {
    this.end()
  }

  abort(reason: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#owner.cut(reason)
  }
}
