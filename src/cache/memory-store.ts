// The first tier: entries on this worker's heap, bounded by number and estimated bytes, least recently used out first.
import { LruMap } from '../core/lru-map.ts'
import type { CacheEntry, CacheStore } from './store.ts'

export class MemoryStore implements CacheStore {
  readonly #entries = new LruMap<string, CacheEntry>()
  /** Keys by tag. A tag without entries has no row, so tags made of ids do not pile up. */
  readonly #tagged = new Map<string, Set<string>>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  #bytes = 0
  #evictions = 0

  constructor(limits: { readonly maxEntries: number; readonly maxBytes: number }) {
    this.#maxEntries = limits.maxEntries
    this.#maxBytes = limits.maxBytes
  }

  get entries(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get evictions(): number {
    return this.#evictions
  }

  read(key: string): CacheEntry | undefined {
    return this.#entries.get(key)
  }

  write(entry: CacheEntry): void {
    this.delete(entry.key)
    if (entry.bytes > this.#maxBytes) {
      this.#evictions++
      return
    }
    this.#entries.set(entry.key, entry)
    this.#bytes += entry.bytes
    for (const tag of entry.tags) {
      const keys = this.#tagged.get(tag)
      if (keys) keys.add(entry.key)
      else this.#tagged.set(tag, new Set([entry.key]))
    }
    while (this.#entries.size > this.#maxEntries || this.#bytes > this.#maxBytes) {
      this.delete(this.#entries.oldest()!.key)
      this.#evictions++
    }
  }

  delete(key: string): void {
    const entry = this.#entries.delete(key)
    if (entry === undefined) return
    this.#bytes -= entry.bytes
    for (const tag of entry.tags) {
      const keys = this.#tagged.get(tag)
      if (keys?.delete(key) && keys.size === 0) this.#tagged.delete(tag)
    }
  }

  deleteTagged(tags: readonly string[]): void {
    for (const tag of tags) for (const key of this.#tagged.get(tag) ?? []) this.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#tagged.clear()
    this.#bytes = 0
  }
}
