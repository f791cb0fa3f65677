// The first tier: entries on this worker's heap, bounded by number and estimated bytes; what is used least goes first.
import { SegmentedLru } from './segmented-lru.ts'
import type { CacheEntry, CacheStore } from './store.ts'

export class MemoryStore implements CacheStore {
  readonly #entries: SegmentedLru<CacheEntry>
  /** Keys by tag. A tag without entries has no row, so tags made of ids do not pile up. */
  readonly #tagged = new Map<string, Set<string>>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  #evictions = 0

  constructor(limits: { readonly maxEntries: number; readonly maxBytes: number }) {
    this.#maxEntries = limits.maxEntries
    this.#maxBytes = limits.maxBytes
    this.#entries = new SegmentedLru(limits)
  }

  get entries(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#entries.bytes
  }

  get evictions(): number {
    return this.#evictions
  }

  read(key: string): CacheEntry | undefined {
    return this.#entries.get(key)
  }

  write(entry: CacheEntry): void {
    // A new value for a key that is asked for again and again.
    const wasProtected = this.#entries.isProtected(entry.key)
    this.delete(entry.key)
    if (entry.bytes > this.#maxBytes) {
      this.#evictions++
      return
    }
    this.#entries.add(entry, wasProtected)
    for (const tag of entry.tags) {
      const keys = this.#tagged.get(tag)
      if (keys) keys.add(entry.key)
      else this.#tagged.set(tag, new Set([entry.key]))
    }
    while (this.#entries.size > this.#maxEntries || this.#entries.bytes > this.#maxBytes) {
      this.#letGo(this.#entries.evict()!)
      this.#evictions++
    }
  }

  delete(key: string): void {
    const entry = this.#entries.delete(key)
    if (entry !== undefined) this.#letGo(entry)
  }

  deleteTagged(tags: readonly string[]): void {
    for (const tag of tags) for (const key of this.#tagged.get(tag) ?? []) this.delete(key)
  }

  clear(): void {
    for (const entry of this.#entries.values()) endHold(entry)
    this.#entries.clear()
    this.#tagged.clear()
  }

  #letGo(entry: CacheEntry): void {
    endHold(entry)
    const { key, tags } = entry
    for (const tag of tags) {
      const keys = this.#tagged.get(tag)
      if (keys?.delete(key) && keys.size === 0) this.#tagged.delete(tag)
    }
  }
}

function endHold({ hold }: CacheEntry): void {
  if (hold === undefined) return
  hold.untilMs = 0
  hold.ended()
}
