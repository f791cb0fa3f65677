// Bytes that have arrived and are not consumed yet. Remembers how far it has been looked at, so that a peer sending one byte per
// packet costs O(n) in all and not O(n) per packet.
//
// An empty buffer adopts the next chunk without copying. Bytes are never moved or overwritten in place: whoever holds a slice of
// an earlier request (a piece of its body) keeps it. Borrowed bytes are the exception: their owner writes over them as soon as the
// loop turns, so `own` comes before anybody keeps anything.

const NOTHING = Buffer.alloc(0)

export class ReceiveBuffer {
  bytes: Buffer = NOTHING
  /** First byte not consumed. */
  start = 0
  /** One past the last byte that arrived. */
  end = 0
  /** Bytes before this were searched for the end of the head already. At least `start`. */
  looked = 0
  isBorrowed = false

  get length(): number {
    return this.end - this.start
  }

  /** The first `length` of bytes that are not ours to keep. Only while this is empty, which saves a copy of most requests. */
  borrow(bytes: Buffer, length: number): void {
    this.bytes = bytes
    this.start = this.looked = 0
    this.end = length
    this.isBorrowed = true
  }

  /** Copies what is left of borrowed bytes. */
  own(): void {
    if (!this.isBorrowed) return
    this.isBorrowed = false
    const { bytes, start, end } = this
    this.bytes = Buffer.from(bytes.subarray(start, end))
    this.looked = Math.max(0, this.looked - start)
    this.start = 0
    this.end = end - start
  }

  append(chunk: Buffer): void {
    const kept = this.end - this.start
    if (kept === 0) {
      this.isBorrowed = false
      this.bytes = chunk
      this.start = 0
      this.end = chunk.length
      this.looked = 0
      return
    }
    this.own()
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
    this.isBorrowed = false
    this.bytes = NOTHING
    this.start = this.end = this.looked = 0
  }
}
