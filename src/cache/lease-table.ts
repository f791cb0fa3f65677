// Who has the value of a key, and who is loading it: the table at the heart of a second tier that keeps its values in this process.
//
// Synchronous, and it knows no messages: the tier of one process and the supervisor put their own ways of waiting around it.
import { approximateBytes } from './sizes.ts'
import { MemoryStore } from './memory-store.ts'
import type { Invalidation, TierValue } from './second-tier.ts'

export interface LeaseTableOptions {
  /** Default 10,000. */
  readonly maxEntries?: number
  /** Estimated. Default 64 MiB. */
  readonly maxBytes?: number
  /** A larger value is not kept. Default 64 KiB. */
  readonly maxValueBytes?: number
  /** How long a load may take before another may begin. Default 60,000. */
  readonly leaseMs?: number
  /** Milliseconds, never backwards. Default performance.now(). */
  readonly now?: () => number
}

export type TableClaim =
  | { readonly state: 'found'; readonly value: TierValue }
  /** No token: another holds it. */
  | { readonly state: 'stale'; readonly value: TierValue; readonly token: number | undefined }
  | { readonly state: 'yours'; readonly token: number }
  /** Another is loading it, for `leftMs` at most. */
  | { readonly state: 'held'; readonly leftMs: number }
  | { readonly state: 'failed'; readonly message: string; readonly retryInMs: number }
  /** Its value was too large a moment ago: nobody waits for what will not be kept. */
  | { readonly state: 'alone' }

export type Ending = 'stored' | 'fenced' | 'tooLarge'

interface LiveLease {
  readonly token: number
  readonly holder: unknown
  readonly untilMs: number
  /** Tags invalidated since it was given; undefined: none. */
  late: Set<string> | undefined
  grounded: boolean
}

type Pause = { readonly untilMs: number; readonly failure: string | undefined }

/** A lease that saw more tags invalidated than this is grounded: remembering them all would cost more than loading again. */
const LATE_TAGS = 1_000
/** A value that was too large is not tried again for as long as it would have been fresh, and never longer than this. */
const LONGEST_PAUSE_MS = 60_000
/** Pauses that are over are swept when there are this many. */
const PAUSES = 10_000

export class LeaseTable {
  readonly #store: MemoryStore
  readonly #leases = new Map<string, LiveLease>()
  readonly #pauses = new Map<string, Pause>()
  readonly #maxValueBytes: number
  readonly #leaseMs: number
  readonly #now: () => number
  #tokens = 0

  constructor(options: LeaseTableOptions = {}) {
    const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024 } = options
    this.#store = new MemoryStore({ maxEntries, maxBytes })
    this.#maxValueBytes = options.maxValueBytes ?? 64 * 1024
    this.#leaseMs = options.leaseMs ?? 60_000
    this.#now = options.now ?? (() => performance.now())
  }

  /**
   * @param id  what `tierId` makes of name and key
   * @param holder  who asks, for `releaseAll`
   * @param freshForMs  a value with less freshness left is stale
   */
  claim(id: string, holder: unknown, freshForMs = 0): TableClaim {
    const nowMs = this.#now()
    const value = this.#read(id, nowMs)
    if (value !== undefined && value.freshForMs > 0 && value.freshForMs >= freshForMs) return { state: 'found', value }
    const pause = this.#pauses.get(id)
    const isPaused = pause !== undefined && nowMs < pause.untilMs
    if (pause !== undefined && !isPaused) this.#pauses.delete(id)
    const lease = this.#leases.get(id)
    const isHeld = lease !== undefined && nowMs < lease.untilMs
    if (value !== undefined)
      return { state: 'stale', value, token: isPaused || isHeld ? undefined : this.#lend(id, holder, nowMs) }
    if (isHeld) return { state: 'held', leftMs: lease.untilMs - nowMs }
    if (!isPaused) return { state: 'yours', token: this.#lend(id, holder, nowMs) }
    if (pause.failure === undefined) return { state: 'alone' }
    return { state: 'failed', message: pause.failure, retryInMs: pause.untilMs - nowMs }
  }

  fulfil(id: string, token: number, value: TierValue): Ending {
    const lease = this.#end(id, token)
    if (lease === undefined || lease.grounded || value.tags.some(tag => lease.late?.has(tag))) return 'fenced'
    const nowMs = this.#now()
    if (value.bytes.byteLength > this.#maxValueBytes) {
      this.#store.delete(id)
      this.#pause(id, undefined, Math.min(value.freshForMs, LONGEST_PAUSE_MS), nowMs)
      return 'tooLarge'
    }
    const freshUntilMs = nowMs + value.freshForMs
    const staleUntilMs = freshUntilMs + value.staleForMs
    const bytes = approximateBytes(id) + value.bytes.byteLength
    this.#pauses.delete(id)
    this.#store.write({
      key: id,
      value: value.bytes,
      tags: value.tags,
      freshUntilMs,
      staleUntilMs,
      keptUntilMs: staleUntilMs,
      // Of use to first tiers only.
      refreshFromMs: freshUntilMs,
      loadMs: 0,
      retryAtMs: 0,
      bytes,
    })
    return 'stored'
  }

  /** @returns whether the lease was still this one's */
  abandon(id: string, token: number, failure?: { readonly message: string; readonly retryInMs: number }): boolean {
    if (this.#end(id, token) === undefined) return false
    if (failure) this.#pause(id, failure.message, failure.retryInMs, this.#now())
    return true
  }

  /** As `abandon`, and what is older goes. */
  withdraw(id: string, token: number): boolean {
    if (this.#end(id, token) === undefined) return false
    this.#store.delete(id)
    return true
  }

  /** The holder has died. @returns the keys that it held */
  releaseAll(holder: unknown): readonly string[] {
    const freed = [...this.#leases].filter(([, lease]) => lease.holder === holder).map(([id]) => id)
    for (const id of freed) this.#leases.delete(id)
    return freed
  }

  invalidate(what: Invalidation): void {
    if ('key' in what) {
      const id = tierId(what.name, what.key)
      this.#store.delete(id)
      const lease = this.#leases.get(id)
      if (lease) lease.grounded = true
      return
    }
    this.#store.deleteTagged(what.tags)
    for (const lease of this.#leases.values()) {
      if (lease.grounded) continue
      lease.late ??= new Set()
      for (const tag of what.tags) lease.late.add(tag)
      if (lease.late.size > LATE_TAGS) lease.grounded = true
    }
  }

  discard(id: string): void {
    this.#store.delete(id)
  }

  #read(id: string, nowMs: number): TierValue | undefined {
    const entry = this.#store.read(id)
    if (entry === undefined) return undefined
    const { freshUntilMs, staleUntilMs, tags } = entry
    if (nowMs >= staleUntilMs) {
      this.#store.delete(id)
      return undefined
    }
    const freshForMs = Math.max(0, freshUntilMs - nowMs)
    return { bytes: entry.value as Uint8Array, tags, freshForMs, staleForMs: staleUntilMs - nowMs - freshForMs }
  }

  #lend(id: string, holder: unknown, nowMs: number): number {
    const token = ++this.#tokens
    this.#leases.set(id, { token, holder, untilMs: nowMs + this.#leaseMs, late: undefined, grounded: false })
    return token
  }

  #end(id: string, token: number): LiveLease | undefined {
    const lease = this.#leases.get(id)
    if (lease?.token !== token) return undefined
    this.#leases.delete(id)
    return lease
  }

  #pause(id: string, failure: string | undefined, forMs: number, nowMs: number): void {
    if (this.#pauses.size >= PAUSES) {
      for (const [other, { untilMs }] of this.#pauses) if (nowMs >= untilMs) this.#pauses.delete(other)
      if (this.#pauses.size >= PAUSES) this.#pauses.clear()
    }
    this.#pauses.set(id, { untilMs: nowMs + forMs, failure })
  }
}

/** One text for a key and the name of its cache; no two pairs share one. */
export function tierId(name: string, key: string): string {
  return `${name.length}:${name}${key}`
}
