// Whether a peer that is behind takes what it is sent, and fast enough. Looked at by the sweep.
import type { Limits } from './limits.ts'

/** From when something was handed over and not taken, until all of it is. */
export class SendProgress {
  readonly #sinceMs: number
  #movedMs: number
  #takenBytes = 0
  #lastTotal: number | undefined
  #lastLength = 0
  #lastQueue = 0

  constructor(nowMs: number) {
    this.#sinceMs = this.#movedMs = nowMs
  }

  /**
   * @param length  bytes that are not taken; more than 0
   * @param queue  what is left of the write under way, where that can be known
   * @param total  bytes taken ever, where that can be known: a sink that is filled up again as it empties has the same length each time
   * @returns 'stalled' when the peer took nothing for too long, or too little on average
   */
  look(nowMs: number, length: number, queue: number, total: number | undefined, limits: Limits): 'moving' | 'stalled' {
    const taken = total === undefined ? this.#lastLength - length : total - (this.#lastTotal ?? total)
    if (taken > 0) this.#takenBytes += taken
    if (taken > 0 || queue < this.#lastQueue) this.#movedMs = nowMs
    this.#lastTotal = total
    this.#lastLength = length
    this.#lastQueue = queue
    if (nowMs - this.#movedMs >= limits.writeStallMs) return 'stalled'
    // As Kestrel: the grace and, on top of it, the time that all of it may take at the slowest rate accepted.
    const bytes = this.#takenBytes + length
    const allowedMs = limits.minRateGraceMs + (bytes * 1000) / limits.responseMinBytesPerSecond
    return nowMs - this.#sinceMs > allowedMs ? 'stalled' : 'moving'
  }
}
