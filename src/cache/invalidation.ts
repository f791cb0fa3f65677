// Carries an invalidation to every cache of every worker, and returns when each live worker has acted on it.
//
// Why a worker that was silent cannot serve what was invalidated: `invalidate` waits BOUND_MS for each acknowledgement. A worker
// that misses it had its loop blocked that long with the message unread, so each worker watches its own loop: a pulse stamps the
// time, and whoever finds the stamp older than the bound, the pulse itself or the first look-up after the stall, drops everything.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { host, type Host } from '../core/host.ts'
import { provideMetrics } from '../core/metrics.ts'
import { cacheMetrics, type CountedCache } from './cache-metrics.ts'
import { type Invalidation, type SecondTier, secondTier } from './second-tier.ts'

/** A cache as the bus sees it. Each method also keeps loads that are under way from being stored. */
export interface Invalidatable extends CountedCache {
  dropTagged(tags: readonly string[]): void
  dropKey(key: string): void
  dropAll(): void
}

/** What workers tell each other on: an `Invalidation`. The supervisor reads it too, for what it keeps itself. */
export const INVALIDATIONS = 'cache:invalidate'
/** Who does not reach the second tier asks those workers who do: they could still find there what is to be forgotten. */
const FOR_OTHERS = 'cache:invalidate-for-others'
/** How long an invalidation waits for a worker, and so how long a worker may be deaf before it must distrust its memory. */
export const BOUND_MS = 1_000
/** A fifth of the bound: a stall as long as the bound is always seen, one under four fifths of it never is. */
const PULSE_MS = 200

/** What goes out when the turn of the loop is over. */
interface Outbox {
  readonly tags: Set<string>
  readonly sent: Promise<void>
}

export class InvalidationBus {
  /** Weak: a cache made for one test or one request must not live as long as the process. */
  readonly #caches = new Set<WeakRef<Invalidatable>>()
  readonly #hostOf: () => Host
  readonly #now: () => number
  readonly #tierOf: () => SecondTier | undefined
  #listening: Host | undefined
  #stopListening: () => void = () => {}
  /** As it was last looked at. */
  #tier: SecondTier | undefined
  /** That, where it is one to listen to. */
  #heard: SecondTier | undefined
  #stopHearing: () => void = () => {}
  #pulse: NodeJS.Timeout | undefined
  #pulseMs = 0
  #outbox: Outbox | undefined

  /** @param now  milliseconds, never backwards */
  constructor(
    hostOf: () => Host = host,
    now: () => number = () => performance.now(),
    tierOf: () => SecondTier | undefined = secondTier,
  ) {
    this.#hostOf = hostOf
    this.#now = now
    this.#tierOf = tierOf
  }

  join(cache: Invalidatable): void {
    this.#caches.add(new WeakRef(cache))
  }

  /** Those that are still there. */
  get caches(): Iterable<CountedCache> {
    return this.#living()
  }

  /** The second tier, while it can be used. */
  get tier(): SecondTier | undefined {
    const tier = this.#tierOf()
    return tier?.isReachable === true ? tier : undefined
  }

  /** Answers for this process on the host and the tier of now: both are provided after modules have loaded. Cheap when nothing changed. */
  listen(): void {
    const tier = this.#tierOf()
    if (tier !== this.#tier) this.#hear(tier)
    const current = this.#hostOf()
    if (current === this.#listening) return
    this.#leaveHost()
    this.#listening = current
    const stops = [
      current.respond(INVALIDATIONS, message => {
        this.#apply(message as Invalidation)
        this.#heard?.remember(message as Invalidation)
      }),
      current.respond(FOR_OTHERS, message => {
        if (this.#heard?.isReachable) return this.#heard.invalidate(message as Invalidation)
        this.#heard?.remember(message as Invalidation)
      }),
    ]
    this.#stopListening = () => {
      for (const stop of stops) stop()
    }
    if (current.worker === 0) return // alone: nobody could have told us anything while we were blocked
    this.#pulseMs = this.#now()
    this.#pulse = setInterval(() => this.checkPulse(), PULSE_MS).unref()
  }

  /** Leaves host and tier and stops the pulse; `listen` begins again. */
  stop(): void {
    this.#leaveHost()
    this.#hear(undefined)
  }

  /** Drops everything if this process may have missed an invalidation: call before trusting an entry. */
  checkPulse(nowMs = this.#now()): void {
    if (this.#heard !== undefined) this.#heard.checkPulse(nowMs)
    if (this.#pulse === undefined) return
    const silentMs = nowMs - this.#pulseMs
    if (silentMs < PULSE_MS) return
    this.#pulseMs = nowMs
    if (silentMs >= BOUND_MS) this.#dropAll()
  }

  /** @throws what the host's `request` rejects with, when the supervisor cannot be reached; this process is clean even then */
  async invalidate(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return
    this.listen()
    if (this.#isAlone) return this.#send({ tags })
    this.#apply({ tags })
    // What many requests invalidate in one turn of the loop travels together: a message to the supervisor costs as much as a query by key
    // (bench crud: a sixth of the worker's time, for one in five requests).
    this.#outbox ??= this.#sendAfterTurn()
    for (const tag of tags) this.#outbox.tags.add(tag)
    return this.#outbox.sent
  }

  /** @param name  which caches; keys are only unique within one name */
  async delete(name: string, key: string): Promise<void> {
    await this.#send({ name, key })
  }

  /** Nobody else keeps anything. */
  get #isAlone(): boolean {
    return this.#pulse === undefined && this.#heard === undefined
  }

  #sendAfterTurn(): Outbox {
    const tags = new Set<string>()
    const sent = (async () => {
      await nextTurn()
      this.#outbox = undefined
      // Once more here as well: what has been read out of the second tier meanwhile may be from before.
      await this.#send({ tags: [...tags] })
    })()
    return { tags, sent }
  }

  async #send(what: Invalidation): Promise<void> {
    this.listen()
    this.#apply(what)
    const inTier = this.#heard?.invalidate(what)
    const [, isDone] = await Promise.all([this.#hostOf().request(INVALIDATIONS, what, BOUND_MS), inTier])
    if (isDone === false) await this.#hostOf().request(FOR_OTHERS, what, BOUND_MS)
  }

  /** One tier, beside the host. What is in the first may be older than what the second forgot before we heard it. */
  #hear(tier: SecondTier | undefined): void {
    this.#stopHearing()
    this.#tier = tier
    this.#heard = tier?.isOfHost === true ? undefined : tier
    this.#stopHearing =
      this.#heard?.listen({ invalidated: what => this.#apply(what), lost: () => this.#dropAll() }) ?? (() => {})
    if (this.#heard) this.#dropAll()
  }

  #leaveHost(): void {
    this.#stopListening()
    clearInterval(this.#pulse)
    this.#pulse = undefined
    this.#listening = undefined
  }

  #apply(what: Invalidation): void {
    for (const cache of this.#living()) {
      if ('tags' in what) cache.dropTagged(what.tags)
      else if (cache.name === what.name) cache.dropKey(what.key)
    }
  }

  #dropAll(): void {
    for (const cache of this.#living()) cache.dropAll()
  }

  *#living(): Iterable<Invalidatable> {
    for (const weak of this.#caches) {
      const cache = weak.deref()
      if (cache) yield cache
      else this.#caches.delete(weak)
    }
  }
}

/** The one that caches join unless told otherwise. */
export const invalidations = new InvalidationBus()

provideMetrics(() => cacheMetrics(invalidations.caches))
