// Bytes that have arrived and are not consumed yet. Remembers how far it has been looked at, so that a peer sending one byte per
// packet costs O(n) in all and not O(n) per packet.
//
// An empty buffer adopts the next chunk without copying. Bytes are never moved or overwritten in place: whoever holds a slice of
// an earlier request (its fields, a piece of its body) keeps it.

const NOTHING = Buffer.alloc(0)

export class ReceiveBuffer {
  bytes: Buffer = NOTHING
  /** First byte not consumed. */
  start = 0
  /** One past the last byte that arrived. */
  end = 0
  /** Bytes before this were searched for the end of the head already. At least `start`. */
  looked = 0

  get length(): number {
    return this.end - this.start
  }

  append(chunk: Buffer): void {
    const kept = this.end - this.start
    if (kept === 0) {
      this.bytes = chunk
      this.start = 0
      this.end = chunk.length
      this.looked = 0
      return
    }
    const end = this.end + chunk.length
    // Only memory that we made has room behind `end`: an adopted chunk is exactly as long as its bytes.
    if (end > this.bytes.length) {
      // Twice what is needed: the copies of a dripping peer add up to its bytes, not to their square.
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * (kept + chunk.length), 256))
      this.bytes.copy(larger, 0, this.start, this.end)
      this.bytes = larger
      this.looked = Math.max(0, this.looked - this.start)
      this.start = 0
      this.end = kept
    }
    chunk.copy(this.bytes, this.end)
    this.end += chunk.length
  }

  /** Everything before `position` is done with. An emptied buffer lets its memory go: thousands of connections are idle. */
  consumeTo(position: number): void {
    if (position >= this.end) this.clear()
    else this.start = this.looked = position
  }

  clear(): void {
    this.bytes = NOTHING
    this.start = this.end = this.looked = 0
  }
}
