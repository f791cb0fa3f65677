// Remembers what was expensive to find out: in this worker's memory, loaded once per key however many ask, dropped by tag in all
// workers.
//
// One look-up: fresh -> the value. Stale -> the value, and one reload in the background. Otherwise -> board the load that is
// under way, or start it. A load that fails is told to those who waited for it and never remembered.
import { badLimit } from './errors.ts'
import { expiry, isFresh, isServable, type CachePolicy } from './freshness.ts'
import { invalidations, type Invalidatable, type InvalidationBus } from './invalidation.ts'
import { MemoryStore } from './memory-store.ts'
import { SingleFlight, type Flight, type Load } from './single-flight.ts'
import { approximateBytes } from './sizes.ts'
import type { CacheEntry, CacheStore } from './store.ts'

export type { CachePolicy }

export interface CacheOptions {
  /** Keys are unique within a name: `delete` reaches the caches of this name in all workers. Default 'default'. */
  readonly name?: string
  /** Default 10,000, per worker. */
  readonly maxEntries?: number
  /** Estimated, per worker. Default 64 MiB. */
  readonly maxBytes?: number
  /** Milliseconds, never backwards. Default performance.now(). */
  readonly now?: () => number
  /** In [0, 1); spreads expiry. */
  readonly random?: () => number
}

/** Counts since the cache was made; `entries` and `bytes` are of now. Every look-up is one of hits, stale and misses. */
export interface CacheStats {
  readonly hits: number
  readonly stale: number
  readonly misses: number
  /** Misses that waited for a load already under way. */
  readonly coalesced: number
  readonly loads: number
  /** Loads that failed; not those given up because every caller had gone. */
  readonly errors: number
  readonly evictions: number
  readonly entries: number
  readonly bytes: number
}

/** A source that just failed is not asked again for a key that is still servable: one try a second, not one per request. */
const RETRY_MS = 1_000

export class Cache implements Invalidatable {
  readonly name: string
  readonly #store: CacheStore
  readonly #flights = new SingleFlight()
  readonly #bus: InvalidationBus
  readonly #now: () => number
  readonly #random: () => number
  #hits = 0
  #stale = 0
  #misses = 0
  #coalesced = 0
  #loads = 0
  #errors = 0

  /**
   * @param bus  how invalidations travel; tests that play several workers in one process give each its own
   * @throws UsageError `CACHE_BAD_LIMIT`
   */
  constructor(options: CacheOptions = {}, bus: InvalidationBus = invalidations) {
    const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024 } = options
    for (const [name, limit] of Object.entries({ maxEntries, maxBytes }))
      if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 1)) throw badLimit(name, limit)
    this.name = options.name ?? 'default'
    this.#store = new MemoryStore({ maxEntries, maxBytes })
    this.#now = options.now ?? (() => performance.now())
    this.#random = options.random ?? Math.random
    this.#bus = bus
    bus.join(this)
  }

  /**
   * The value under a key, loaded if it is not here: one load per key at a time in this process, however many ask.
   *
   * Every caller gets the same value, so nobody may change it. Callers of one key should bring the same load and policy: those of
   * the caller who starts the load count.
   *
   * @param load  its signal aborts when every caller has gone
   * @param policy  a function when it depends on the value: `ttl: 0` keeps nothing
   * @param of.signal  ends this caller's wait, not the load
   * @throws what `load` or `policy` threw (never remembered), the reason of `of.signal`, UsageError `CORE_BAD_DURATION`
   */
  get<T>(
    key: string,
    load: Load<T>,
    policy: CachePolicy | ((value: T) => CachePolicy),
    of?: { readonly signal?: AbortSignal },
  ): Promise<T> {
    this.#bus.checkPulse()
    const nowMs = this.#now()
    const entry = this.#store.read(key)
    if (entry !== undefined) {
      if (isFresh(entry, nowMs)) {
        this.#hits++
        return Promise.resolve(entry.value as T)
      }
      if (isServable(entry, nowMs)) {
        this.#stale++
        if (nowMs >= entry.retryAtMs && !this.#flights.find(key)) this.#load(key, load, policy)
        return Promise.resolve(entry.value as T)
      }
      this.#store.delete(key)
    }
    this.#misses++
    if (of?.signal?.aborted) return Promise.reject(of.signal.reason)
    let flight = this.#flights.find(key)
    if (flight) this.#coalesced++
    else flight = this.#load(key, load, policy)
    return flight.board(of?.signal) as Promise<T>
  }

  /**
   * A fresh value, or undefined: no promise, no allocation. Counts as a hit; a miss is counted by the `get` that follows.
   *
   * @param nowMs  for who has just looked at the clock
   */
  peek(key: string, nowMs = this.#now()): unknown {
    this.#bus.checkPulse(nowMs)
    const entry = this.#store.read(key)
    if (entry === undefined || !isFresh(entry, nowMs)) return undefined
    this.#hits++
    return entry.value
  }

  /**
   * Drops every value that carries one of the tags, from all caches of all workers, and resolves when each live worker has. From
   * then on no value whose load began before is served. A worker that does not answer within a second is not waited for: it
   * drops everything before it serves again.
   *
   * Call it after the write is committed: a load that begins in between would otherwise read the old state and be kept.
   */
  invalidate(...tags: readonly string[]): Promise<void> {
    return this.#bus.invalidate(tags)
  }

  /** Drops one key from the caches of this name in all workers, with the promises of `invalidate`. */
  delete(key: string): Promise<void> {
    return this.#bus.delete(this.name, key)
  }

  get stats(): CacheStats {
    return {
      hits: this.#hits,
      stale: this.#stale,
      misses: this.#misses,
      coalesced: this.#coalesced,
      loads: this.#loads,
      errors: this.#errors,
      evictions: this.#store.evictions,
      entries: this.#store.entries,
      bytes: this.#store.bytes,
    }
  }

  /** This worker's part of `invalidate`; the bus calls it. */
  dropTagged(tags: readonly string[]): void {
    this.#store.deleteTagged(tags)
    this.#flights.invalidate(tags)
  }

  /** This worker's part of `delete`. */
  dropKey(key: string): void {
    this.#store.delete(key)
    this.#flights.ground(key)
  }

  /** Forgets everything in this worker, loads under way included. */
  dropAll(): void {
    this.#store.clear()
    this.#flights.groundAll()
  }

  #load<T>(key: string, load: Load<T>, policy: CachePolicy | ((value: T) => CachePolicy)): Flight {
    // Before there is anything to invalidate, somebody must be listening.
    this.#bus.listen()
    this.#loads++
    const tags = typeof policy === 'function' ? undefined : (policy.tags ?? [])
    return this.#flights.start(key, tags, load, {
      arrived: (flight, value) => {
        this.#keep(flight, value, typeof policy === 'function' ? policy(value) : policy)
      },
      failed: flight => {
        if (!flight.deserted) this.#errors++
        const entry = this.#store.read(key)
        if (entry) entry.retryAtMs = this.#now() + RETRY_MS
      },
    })
  }

  #keep(flight: Flight, value: unknown, policy: CachePolicy): void {
    const { tags = [] } = policy
    const nowMs = this.#now()
    const { freshUntilMs, staleUntilMs } = expiry(policy, nowMs, this.#random())
    if (staleUntilMs <= nowMs || !flight.mayKeep(tags)) return
    const { key } = flight
    const bytes = approximateBytes(key) + approximateBytes(value)
    const entry: CacheEntry = { key, value, tags, freshUntilMs, staleUntilMs, bytes, retryAtMs: 0 }
    this.#store.write(entry)
  }
}

/** The process's own cache, for everything that has no wish for bounds of its own. Each app keeps its endpoints' answers in another. */
export const cache: Cache = new Cache()
