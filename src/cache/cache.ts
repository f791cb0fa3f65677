// Remembers what was expensive to find out: in this worker's memory, then in a second tier where there is one, loaded once per key however many
// ask, dropped by tag in all workers.
//
// One look-up: fresh -> the value, and rarely, near its end, a reload in the background. Stale -> the value, and one reload in the
// background. Otherwise -> board the load that is under way, or start it. A load that fails is told to those who waited for it, unless there
// is an older value that may be served instead, and never remembered.
import { milliseconds } from '../core/duration.ts'
import { type CacheOptions, loadTimeoutOf, roomOf } from './cache-options.ts'
import { LoadFailedError } from './errors.ts'
import type { CacheStats } from './cache-stats.ts'
import { type CacheEvent, tell } from './events.ts'
import { expiry, isDueEarly, isFresh, isKept, isServable, policyFor, type CachePolicy } from './freshness.ts'
import { invalidations, type Invalidatable, type InvalidationBus } from './invalidation.ts'
import { MemoryStore } from './memory-store.ts'
import type { Lease, TierValue } from './second-tier.ts'
import { type Brought, handIn, isGone, type Life, type Reload, RETRY_MS, sharedLoad } from './shared-load.ts'
import { SingleFlight, type Flight, type Landing, type Load } from './single-flight.ts'
import { approximateBytes } from './sizes.ts'
import type { CacheEntry, CacheStore, Hold } from './store.ts'
import { type ValueCodec, valueCodec } from './value-codec.ts'

export type { CacheOptions, CachePolicy, CacheStats }

/** Another worker loads the value that is served stale here: time to look whether it has. */
const LOOK_AGAIN_MS = 100
/** A use that is told so late makes no difference to what is evicted: that was not used for far longer. */
const TELL_MS = 1_000

export class Cache implements Invalidatable {
  readonly name: string
  readonly #store: CacheStore
  readonly #flights = new SingleFlight()
  readonly #bus: InvalidationBus
  readonly #now: () => number
  readonly #random: () => number
  readonly #loadTimeoutMs: number
  readonly #codec: ValueCodec
  readonly #sizeOf: (value: unknown) => number
  #hits = 0
  #stale = 0
  #misses = 0
  #coalesced = 0
  #shared = 0
  #loads = 0
  #errors = 0
  #rescued = 0
  #invalidated = 0

  /**
   * @param bus  how invalidations travel; tests that play several workers in one process give each its own
   * @throws UsageError `CACHE_BAD_LIMIT`, `CORE_BAD_DURATION`
   */
  constructor(options: CacheOptions = {}, bus: InvalidationBus = invalidations) {
    this.name = options.name ?? 'default'
    this.#store = new MemoryStore(roomOf(options))
    this.#now = options.now ?? (() => performance.now())
    this.#random = options.random ?? Math.random
    this.#loadTimeoutMs = loadTimeoutOf(options, this.name)
    this.#codec = options.codec ?? valueCodec
    this.#sizeOf = options.sizeOf ?? approximateBytes
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
   * @param of.waits  who starts a reload waits for it, because its load cannot go on behind an answer; the others get the older value meanwhile,
   *   and so does this one where it fails
   * @param of.onFresh  called at once where the value is within its ttl
   * @param of.onStale  called before the value is given where that is past its ttl
   * @throws what `load` or `policy` threw (never remembered), the reason of `of.signal`, UsageError `CORE_BAD_DURATION`
   */
  get<T>(
    key: string,
    load: Load<T>,
    policy: CachePolicy | ((value: T) => CachePolicy),
    of?: {
      readonly signal?: AbortSignal
      readonly waits?: boolean
      readonly onFresh?: () => void
      readonly onStale?: () => void
    },
  ): Promise<T> {
    this.#bus.checkPulse()
    const nowMs = this.#now()
    const entry = this.#store.read(key)
    if (entry !== undefined) {
      if (isFresh(entry, nowMs)) {
        this.#hits++
        of?.onFresh?.()
        if (of?.waits !== true && this.#isDue(entry, nowMs)) this.#reload(entry, nowMs, load, policy)
        return Promise.resolve(entry.value as T)
      }
      const isOnItself = of?.waits === true && nowMs >= entry.retryAtMs && !this.#flights.find(key)
      if (isServable(entry, nowMs) && !isOnItself) {
        this.#stale++
        of?.onStale?.()
        if (of?.waits !== true) this.#reload(entry, nowMs, load, policy)
        return Promise.resolve(entry.value as T)
      }
      if (isKept(entry, nowMs)) {
        // Its source has just failed, and somebody has waited for that.
        if (nowMs < entry.retryAtMs) {
          this.#stale++
          of?.onStale?.()
          return Promise.resolve(entry.value as T)
        }
      } else this.#store.delete(key)
    }
    this.#misses++
    if (of?.signal?.aborted) return Promise.reject(of.signal.reason)
    let flight = this.#flights.find(key)
    if (flight) this.#coalesced++
    const older = entry !== undefined && isKept(entry, nowMs) ? entry : undefined
    flight ??= this.#load(key, load, policy, of?.waits === true ? { freshForMs: 1, isServed: !!older } : undefined)
    const boarded = of?.onStale
      ? flight.board(of.signal).then(value => {
          if (flight.isStale) of.onStale!()
          return value as T
        })
      : (flight.board(of?.signal) as Promise<T>)
    return older ? this.#rescue(older, boarded, of) : boarded
  }

  /** A fresh value, or undefined: no promise, no allocation. Counts as a hit; a miss is counted by the `get` that follows. */
  peek(key: string): unknown {
    const nowMs = this.#now()
    const entry = this.#fresh(key, nowMs)
    if (entry?.value === undefined) return undefined
    this.#hits++
    return entry.value
  }

  /**
   * The same before a `get` of the same key: undefined also for the reader who is to have the value loaded anew before its end.
   *
   * @param nowMs  for who has just looked at the clock
   */
  recall(key: string, nowMs = this.#now()): unknown {
    const entry = this.#fresh(key, nowMs)
    if (entry === undefined) return undefined
    if (this.#isDue(entry, nowMs)) {
      entry.isAwaited = true
      return undefined
    }
    this.#hits++
    return entry.value
  }

  /**
   * What stands for a fresh value, to be asked by `holds` instead of a look-up, until it may have to be loaded anew; undefined where there is
   * none. One for each entry: `make` is called for the first who asks.
   *
   * @param nowMs  for who has just looked at the clock
   */
  hold<H extends Hold>(key: string, nowMs: number, make: (value: unknown) => H | undefined): H | undefined {
    const entry = this.#fresh(key, nowMs)
    if (entry === undefined || nowMs >= entry.refreshFromMs) return undefined
    if (entry.hold === undefined) {
      const hold = (entry.hold = make(entry.value))
      if (hold === undefined) return undefined
      hold.untilMs = Math.floor(entry.refreshFromMs)
      hold.toldMs = Math.floor(nowMs)
    }
    return entry.hold as H
  }

  /** Whether its value may be served now, which counts as a hit. What is used all the time is told to the store once in a while. */
  holds(hold: Hold, key: string, nowMs: number): boolean {
    this.#bus.checkPulse(nowMs)
    if (nowMs >= hold.untilMs) return false
    this.#hits++
    if (nowMs - hold.toldMs >= TELL_MS) {
      hold.toldMs = Math.floor(nowMs)
      this.#store.read(key)
    }
    return true
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
      shared: this.#shared,
      loads: this.#loads,
      errors: this.#errors,
      rescued: this.#rescued,
      invalidated: this.#invalidated,
      evictions: this.#store.evictions,
      entries: this.#store.entries,
      bytes: this.#store.bytes,
    }
  }

  /** This worker's part of `invalidate`; the bus calls it. */
  dropTagged(tags: readonly string[]): void {
    this.#drop(() => {
      this.#store.deleteTagged(tags)
      this.#flights.invalidate(tags)
    })
  }

  /** This worker's part of `delete`. */
  dropKey(key: string): void {
    this.#drop(() => {
      this.#store.delete(key)
      this.#flights.ground(key)
    })
  }

  /** Forgets everything in this worker, loads under way included. */
  dropAll(): void {
    this.#drop(() => {
      this.#store.clear()
      this.#flights.groundAll()
    })
  }

  #fresh(key: string, nowMs: number): CacheEntry | undefined {
    this.#bus.checkPulse(nowMs)
    const entry = this.#store.read(key)
    return entry !== undefined && isFresh(entry, nowMs) ? entry : undefined
  }

  /** Whether this reader of a fresh value is the one who has it loaded anew. */
  #isDue(entry: CacheEntry, nowMs: number): boolean {
    if (nowMs < entry.refreshFromMs) return false
    // Nobody is chosen while it loads, or where its source has just failed.
    if (nowMs < entry.retryAtMs || this.#flights.find(entry.key)) return false
    return entry.isAwaited === true || isDueEarly(entry, nowMs, this.#random())
  }

  #drop(drop: () => void): void {
    const before = this.#store.entries
    drop()
    const dropped = before - this.#store.entries
    if (dropped === 0) return
    this.#invalidated += dropped
    this.#tell({ kind: 'invalidated', entries: dropped })
  }

  /** In the background, once at a time, and not of a source that has just failed. */
  #reload<T>(entry: CacheEntry, nowMs: number, load: Load<T>, policy: CachePolicy | ((value: T) => CachePolicy)): void {
    if (nowMs < entry.retryAtMs || this.#flights.find(entry.key)) return
    entry.isAwaited = false
    this.#load(entry.key, load, policy, {
      freshForMs: Math.max(0, entry.freshUntilMs - nowMs) + 1,
      isServed: true,
    })
  }

  /** The older value where the load has failed, if by then nobody has invalidated it and it is not too old. */
  async #rescue<T>(
    entry: CacheEntry,
    boarded: Promise<T>,
    of: { readonly signal?: AbortSignal; readonly onStale?: () => void } = {},
  ): Promise<T> {
    try {
      return await boarded
    } catch (error) {
      this.#bus.checkPulse()
      if (of.signal?.aborted || this.#store.read(entry.key) !== entry || !isKept(entry, this.#now())) throw error
      this.#rescued++
      of.onStale?.()
      return entry.value as T
    }
  }

  /**
   * @param reload  a value that is less fresh is of no use; see SharedLoad
   * @param lease  to load it now, from an earlier claim
   */
  #load<T>(
    key: string,
    load: Load<T>,
    policy: CachePolicy | ((value: T) => CachePolicy),
    reload?: Reload,
    lease?: Lease,
  ): Flight {
    // Before there is anything to invalidate, somebody must be listening.
    this.#bus.listen()
    const tags = typeof policy === 'function' ? undefined : (policy.tags ?? [])
    let beganMs = this.#now()
    const counted: Load<T> = of => {
      this.#loads++
      beganMs = this.#now()
      return load(of)
    }
    const tier = this.#bus.tier
    let brought: Brought<T> | undefined
    const fly =
      tier === undefined
        ? counted
        : async ({ signal }: { signal: AbortSignal }) => {
            brought = await sharedLoad({
              tier,
              name: this.name,
              key,
              codec: this.#codec,
              load: counted,
              signal,
              reload,
              lease,
            })
            return brought.value
          }
    const landing: Landing<T> = {
      arrived: (flight, value) => {
        const of = typeof policy === 'function' ? policy(value) : policy
        if (brought?.from === 'tier') {
          this.#shared++
          flight.isStale = brought.found.freshForMs <= 0
          const isKept = this.#keepFound(flight, value, of, brought.found)
          if (brought.lease && isKept && !this.#flights.find(key))
            this.#load(key, load, policy, { freshForMs: 0, isServed: true }, brought.lease)
          else void brought.lease?.abandon()
          return
        }
        const tookMs = this.#now() - beganMs
        const kept = this.#keep(flight, value, of, tookMs)
        if (brought?.lease) handIn(brought.lease, this.#codec, value, of.tags ?? [], kept)
        this.#tell({ kind: 'loaded', key, tookMs })
      },
      failed: (flight, error) => {
        if (brought?.lease) void brought.lease.abandon()
        if (flight.deserted) return
        const isElsewhere = error instanceof LoadFailedError
        if (!isElsewhere) this.#errors++
        const entry = this.#store.read(key)
        if (entry && isGone(error) && flight.mayKeep(entry.tags)) this.#store.delete(key)
        else if (entry) entry.retryAtMs = this.#now() + (isElsewhere ? error.retryAfterMs! : RETRY_MS)
        this.#tell({ kind: 'failed', key, error })
      },
    }
    return this.#flights.start(key, tags, fly, landing, this.#loadTimeoutMs)
  }

  /** @returns for how long others may keep it; undefined when it was invalidated during its load */
  #keep(flight: Flight, value: unknown, policy: CachePolicy, loadMs: number): Life | undefined {
    const { tags = [] } = policy
    const nowMs = this.#now()
    const life = expiry(policy, value, loadMs, nowMs, this.#random())
    if (!flight.mayKeep(tags)) return undefined
    if (life.keptUntilMs > nowMs) this.#write(flight.key, value, tags, { loadMs, retryAtMs: 0, ...life })
    // It is not to be kept, and what it takes the place of is true no more.
    else this.#store.delete(flight.key)
    return { freshForMs: life.freshUntilMs - nowMs, staleForMs: life.staleUntilMs - life.freshUntilMs }
  }

  /** Somebody else's, as old as it is: `found` says how long it lives, and `policy` what may be done with it after that. */
  #keepFound(flight: Flight, value: unknown, policy: CachePolicy, found: TierValue): boolean {
    if (!flight.mayKeep(found.tags)) return false
    const nowMs = this.#now()
    const freshUntilMs = nowMs + found.freshForMs
    const staleUntilMs = freshUntilMs + found.staleForMs
    const { staleIfError = 0 } = policyFor(value, policy)
    const keptUntilMs = Math.max(staleUntilMs, freshUntilMs + milliseconds(staleIfError))
    if (keptUntilMs <= nowMs) return false
    this.#write(flight.key, value, found.tags, {
      loadMs: 0,
      refreshFromMs: freshUntilMs,
      freshUntilMs,
      staleUntilMs,
      keptUntilMs,
      retryAtMs: found.freshForMs > 0 ? 0 : nowMs + LOOK_AGAIN_MS,
    })
    return true
  }

  #write(
    key: string,
    value: unknown,
    tags: readonly string[],
    life: Omit<CacheEntry, 'key' | 'value' | 'tags' | 'bytes'>,
  ): void {
    const bytes = approximateBytes(key) + this.#sizeOf(value)
    this.#store.write({ key, value, tags, bytes, ...life })
  }

  #tell(event: CacheEvent): void {
    tell(this.name, event)
  }
}

/** The process's own cache, for everything that has no wish for bounds of its own. Each app keeps its endpoints' answers in another. */
export const cache: Cache = new Cache()
