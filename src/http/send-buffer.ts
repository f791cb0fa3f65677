// Bytes on their way out: joins what is written in one turn into few writes, and knows when the peer takes nothing.
import type { Duplex } from 'node:stream'
import type { Limits } from './limits.ts'

// 8 KiB: below it one copy is cheaper than a second buffer in a gathered write.
const COPY_BELOW_BYTES = 8192

export class SendBuffer {
  readonly #sink: Duplex
  /** One char per byte, not handed to the sink yet. */
  #text = ''
  #isCorked = false
  // When and with what the sink began to be behind; 0 while it is not.
  #behindSinceMs = 0
  #behindMostBytes = 0
  #progressMs = 0
  #lastLength = 0
  #lastQueue = 0

  constructor(sink: Duplex) {
    this.#sink = sink
  }

  get isEmpty(): boolean {
    return this.#text === '' && !this.#isCorked
  }

  /** False when the peer is slower than we are. */
  get hasRoom(): boolean {
    return this.#text.length + this.#sink.writableLength < this.#sink.writableHighWaterMark
  }

  /** One char per byte. */
  latin1(text: string): void {
    this.#text = this.#text === '' ? text : this.#text + text
  }

  utf8(text: string): void {
    this.#hold()
    this.#sink.write(text, 'utf8')
  }

  /** Large pieces are not copied: they must not change until they are sent. */
  bytes(bytes: Uint8Array): void {
    const before = this.#text.length
    if (bytes.length > COPY_BELOW_BYTES) {
      this.#hold()
      this.#sink.write(bytes)
      return
    }
    const joined = Buffer.allocUnsafe(before + bytes.length)
    joined.write(this.#text, 'latin1')
    joined.set(bytes, before)
    this.#text = ''
    this.#hold()
    this.#sink.write(joined)
  }

  flush(): void {
    if (this.#text !== '') {
      const text = this.#text
      this.#text = ''
      this.#sink.write(text, 'latin1')
    }
    if (this.#isCorked) {
      this.#isCorked = false
      this.#sink.uncork()
    }
  }

  #hold(): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#sink.cork()
    }
    if (this.#text !== '') {
      this.#sink.write(this.#text, 'latin1')
      this.#text = ''
    }
  }

  /**
   * Looked at by the sweep. Behind means: handed over and not yet taken by the kernel.
   *
   * @returns 'done' when nothing is on its way, 'stalled' when the peer took nothing for too long, or too little on average
   */
  progress(nowMs: number, limits: Limits): 'done' | 'moving' | 'stalled' {
    const length = this.#sink.writableLength
    if (length === 0) {
      this.#behindSinceMs = 0
      return 'done'
    }
    const queue = kernelQueueBytes(this.#sink)
    if (this.#behindSinceMs === 0) {
      this.#behindSinceMs = this.#progressMs = nowMs
      this.#behindMostBytes = length
    } else if (length < this.#lastLength || queue < this.#lastQueue) this.#progressMs = nowMs
    this.#lastLength = length
    this.#lastQueue = queue
    if (length > this.#behindMostBytes) this.#behindMostBytes = length
    if (nowMs - this.#progressMs >= limits.writeStallMs) return 'stalled'
    // As Kestrel: the grace and, on top of it, the time that all of it may take at the slowest rate accepted.
    const allowedMs = limits.minRateGraceMs + (this.#behindMostBytes * 1000) / limits.responseMinBytesPerSecond
    return nowMs - this.#behindSinceMs > allowedMs ? 'stalled' : 'moving'
  }
}

/**
 * What libuv holds of the write under way. A stream counts a write as one: only this moves while a large one is being taken.
 * node:net's own time-outs read the same property; absent (TLS, in memory) the stream's count alone has to do.
 */
function kernelQueueBytes(sink: Duplex): number {
  return (sink as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize ?? 0
}
