// The answer on one stream: head, body and trailers, as far as the stream still takes them.
import type { ServerHttp2Stream } from 'node:http2'
import { clientGone } from './errors.ts'
import { type FieldObject, fieldObject } from './http2-fields.ts'
import type { Limits } from './limits.ts'
import type { FieldList } from './prepared-head.ts'
import { SendProgress } from './send-progress.ts'

// 64 KiB, the window that clients begin with: what is larger is handed over in slices of this, each with an end that can be noticed.
const SLICE_BYTES = 65_536

const LAST_FRAME = { endStream: true }
const BODY_FOLLOWS = {}
const TRAILERS_MAY_FOLLOW = { waitForTrailers: true }

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export class Http2Output {
  readonly #stream: ServerHttp2Stream
  /** In the measure of `writableLength`. */
  #written = 0
  #trailers: FieldObject | undefined
  #progress: SendProgress | undefined
  #waiters: Waiter[] | undefined

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
  }

  /** False once the stream was reset by either side, which its close event tells a little later. */
  get isOpen(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed
  }

  /** False when the peer is slower than we are. */
  get hasRoom(): boolean {
    return !this.#stream.writableNeedDrain
  }

  /** Everything written has been taken. */
  get isTaken(): boolean {
    return this.#stream.writableLength === 0
  }

  interim(status: number, fields: FieldObject): void {
    if (this.isOpen) this.#stream.additionalHeaders({ ...fields, ':status': status })
  }

  headOnly(fields: FieldObject): void {
    if (this.isOpen) this.#stream.respond(fields, LAST_FRAME)
  }

  head(fields: FieldObject, mayHaveTrailers: boolean): void {
    if (!this.isOpen) return
    if (mayHaveTrailers) this.#stream.on('wantTrailers', () => this.#stream.sendTrailers(this.#trailers ?? {}))
    this.#stream.respond(fields, mayHaveTrailers ? TRAILERS_MAY_FOLLOW : BODY_FOLLOWS)
  }

  write(piece: string | Uint8Array): void {
    if (!this.isOpen) return
    // What the stream counts its length in: a text is made bytes by node:http2 later, but counted as text.
    if (piece.length <= SLICE_BYTES) {
      this.#written += piece.length
      this.#stream.write(piece)
      return
    }
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    this.#written += bytes.length
    // Gathered into one write, the slices would be taken all at once or not at all.
    ;(this.#stream as { _writev?: unknown })._writev = undefined
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) this.#stream.write(bytes.subarray(at, at + SLICE_BYTES))
  }

  /** @throws UsageError `HTTP_BAD_FIELD`; nothing is ended then */
  end(trailers?: FieldList): void {
    if (trailers !== undefined) this.#trailers = fieldObject(trailers)
    if (this.isOpen) this.#stream.end()
  }

  /** Resolves when there is room again; rejects when the stream is gone. */
  roomAgain(): Promise<void> {
    if (!this.isOpen) return Promise.reject(clientGone(undefined))
    if (this.hasRoom) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    ;(this.#waiters ??= []).push({ resolve, reject })
    return promise
  }

  drained(): void {
    const waiters = this.#waiters
    this.#waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.resolve()
  }

  /** The stream is gone. */
  closed(reason: unknown): void {
    const waiters = this.#waiters
    this.#waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.reject(reason)
  }

  /** As SendBuffer.progress. */
  progress(nowMs: number, limits: Limits): 'done' | 'moving' | 'stalled' {
    const length = this.#stream.writableLength
    if (length === 0) {
      this.#progress = undefined
      return 'done'
    }
    this.#progress ??= new SendProgress(nowMs)
    return this.#progress.look(nowMs, length, 0, this.#written - length, limits)
  }
}
