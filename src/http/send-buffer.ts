// Bytes on their way out: joins what is written in one turn into few writes, and knows when the peer takes nothing.
import type { Duplex } from 'node:stream'
import { type DirectWriter, directWriter } from './lean-socket.ts'
import type { Limits } from './limits.ts'
import { SendProgress } from './send-progress.ts'

// 8 KiB: below it one copy is cheaper than a second buffer in a gathered write.
const COPY_BELOW_BYTES = 8192
// Shorter ones wait for what else the turn has to send: a write costs more than joining them.
const JOIN_FROM_CHARS = 1024

export class SendBuffer {
  readonly #sink: Duplex
  readonly #direct: DirectWriter | undefined
  /** Not handed to the sink yet: what most turns send, one piece of text. */
  #piece: string | Buffer = ''
  #encoding: 'latin1' | 'utf8' | 'buffer' = 'latin1'
  /** More than one piece: the sink holds them until `flush`. */
  #isCorked = false
  /** While the sink is behind. */
  #progress: SendProgress | undefined

  constructor(sink: Duplex) {
    this.#sink = sink
    this.#direct = directWriter(sink)
  }

  get isEmpty(): boolean {
    return this.#piece === '' && !this.#isCorked
  }

  /** What is not on its way is in the kernel. */
  get isDirect(): boolean {
    return this.#direct !== undefined
  }

  /** Handed over and not taken by the kernel yet. */
  get onItsWay(): number {
    return this.#sink.writableLength + (this.#direct?.pendingBytes ?? 0)
  }

  /** False when the peer is slower than we are. */
  get hasRoom(): boolean {
    return this.#piece.length + this.onItsWay < this.#sink.writableHighWaterMark
  }

  /** One char per byte. */
  latin1(text: string): void {
    if (this.#piece === '') this.#put(text, 'latin1')
    else if (this.#encoding === 'latin1') this.#piece = (this.#piece as string) + text
    else {
      this.#hold()
      this.#put(text, 'latin1')
    }
  }

  /** A head and its body, at once where nothing waits before them and the body is worth it. @param encoding  of both */
  answer(head: string, body: string, encoding: 'latin1' | 'utf8'): void {
    const isAlone = body.length >= JOIN_FROM_CHARS && this.isEmpty
    if (isAlone && this.#direct?.writeJoined(head, body, encoding) === true) return
    if (encoding === 'latin1') this.latin1(head + body)
    else this.utf8(head + body)
  }

  utf8(text: string): void {
    if (this.#piece !== '') this.#hold()
    this.#put(text, 'utf8')
  }

  /** Large pieces are not copied: they must not change until they are sent. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length > COPY_BELOW_BYTES) {
      this.#hold()
      this.#sink.write(bytes)
      return
    }
    if (this.#piece !== '' && this.#encoding !== 'latin1') this.#hold()
    const before = this.#piece as string
    const joined = Buffer.allocUnsafe(before.length + bytes.length)
    joined.write(before, 'latin1')
    joined.set(bytes, before.length)
    this.#put(joined, 'buffer')
  }

  flush(): void {
    if (this.#piece !== '') {
      const piece = this.#piece
      this.#piece = ''
      if (this.#isCorked || this.#direct?.write(piece, this.#encoding) !== true) this.#write(piece)
    }
    if (this.#isCorked) {
      this.#isCorked = false
      this.#sink.uncork()
    }
  }

  #put(piece: string | Buffer, encoding: 'latin1' | 'utf8' | 'buffer'): void {
    this.#piece = piece
    this.#encoding = encoding
  }

  #hold(): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#sink.cork()
    }
    if (this.#piece !== '') {
      this.#write(this.#piece)
      this.#put('', 'latin1')
    }
  }

  #write(piece: string | Buffer): void {
    if (typeof piece === 'string') this.#sink.write(piece, this.#encoding as BufferEncoding)
    else this.#sink.write(piece)
  }

  /**
   * Looked at by the sweep. Behind means: handed over and not yet taken by the kernel.
   *
   * @returns 'done' when nothing is on its way, 'stalled' when the peer took nothing for too long, or too little on average
   */
  progress(nowMs: number, limits: Limits): 'done' | 'moving' | 'stalled' {
    const length = this.onItsWay
    if (length === 0) {
      this.#progress = undefined
      return 'done'
    }
    this.#progress ??= new SendProgress(nowMs)
    const { bytesWritten } = this.#sink as { bytesWritten?: number }
    const total = bytesWritten === undefined ? undefined : bytesWritten - length
    return this.#progress.look(nowMs, length, kernelQueueBytes(this.#sink), total, limits)
  }
}

/**
 * What libuv holds of the write under way. A stream counts a write as one: only this moves while a large one is being taken.
 * node:net's own time-outs read the same property; absent (TLS, in memory) the stream's count alone has to do.
 */
export function kernelQueueBytes(sink: Duplex): number {
  return (sink as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize ?? 0
}
