// Entries by use in two segments, so that what is asked for once does not drive out what is asked for again and again.
//
// A new entry is on probation, and protected from its second use on. What has to go is the oldest on probation; the protected segment is
// bounded, and what falls out of it is on probation again. A scan over many keys (a crawler, an export) thus passes through probation and
// leaves the rest alone (Karedla, Love and Wherry, Caching Strategies to Improve Disk System Performance, 1994; the main region of Caffeine).
// With room for few entries there is one segment, in order of use: plain LRU.
import { LruMap } from '../core/lru-map.ts'

interface Sized {
  readonly key: string
  readonly bytes: number
}

/** The part of the room that is for what was used twice: as Caffeine has it. */
const PROTECTED_SHARE = 0.8
/** Below, a segment of a fifth would hold next to nothing. */
const FEWEST_FOR_SEGMENTS = 64

export class SegmentedLru<E extends Sized> {
  readonly #probation = new LruMap<string, E>()
  readonly #protected = new LruMap<string, E>()
  readonly #maxProtectedEntries: number
  readonly #maxProtectedBytes: number
  #bytes = 0
  #protectedBytes = 0

  /** @param room  what the owner keeps at most; it is the owner who calls `evict` */
  constructor(room: { readonly maxEntries: number; readonly maxBytes: number }) {
    const isSegmented = room.maxEntries >= FEWEST_FOR_SEGMENTS
    this.#maxProtectedEntries = isSegmented ? Math.floor(room.maxEntries * PROTECTED_SHARE) : 0
    this.#maxProtectedBytes = room.maxBytes * PROTECTED_SHARE
  }

  get size(): number {
    return this.#probation.size + this.#protected.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The entry, which this uses. */
  get(key: string): E | undefined {
    const found = this.#protected.get(key)
    if (found !== undefined) return found
    const entry = this.#probation.get(key)
    if (entry !== undefined && this.#maxProtectedEntries > 0 && entry.bytes <= this.#maxProtectedBytes)
      this.#promote(entry)
    return entry
  }

  /** An entry under a new key; one that replaces another has that deleted before, and may take over its place. */
  add(entry: E, wasProtected = false): void {
    this.#probation.set(entry.key, entry)
    this.#bytes += entry.bytes
    if (wasProtected && entry.bytes <= this.#maxProtectedBytes) this.#promote(entry)
  }

  isProtected(key: string): boolean {
    return this.#protected.peek(key) !== undefined
  }

  delete(key: string): E | undefined {
    const held = this.#protected.delete(key)
    if (held !== undefined) this.#protectedBytes -= held.bytes
    const entry = held ?? this.#probation.delete(key)
    if (entry !== undefined) this.#bytes -= entry.bytes
    return entry
  }

  /** Takes out the one that is worth least, which is never the newest of all. */
  evict(): E | undefined {
    const from = this.#probation.size > 1 || this.#protected.size === 0 ? this.#probation : this.#protected
    const oldest = from.oldest()
    return oldest && this.delete(oldest.key)
  }

  *values(): IterableIterator<E> {
    yield* this.#protected.values()
    yield* this.#probation.values()
  }

  clear(): void {
    this.#probation.clear()
    this.#protected.clear()
    this.#bytes = 0
    this.#protectedBytes = 0
  }

  #promote(entry: E): void {
    this.#probation.delete(entry.key)
    this.#protected.set(entry.key, entry)
    this.#protectedBytes += entry.bytes
    while (this.#protected.size > this.#maxProtectedEntries || this.#protectedBytes > this.#maxProtectedBytes) {
      const oldest = this.#protected.oldest()!
      this.#protected.delete(oldest.key)
      this.#protectedBytes -= oldest.bytes
      this.#probation.set(oldest.key, oldest)
    }
  }
}
