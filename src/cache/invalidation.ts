// Carries an invalidation to every cache of every worker, and returns when each live worker has acted on it.
//
// Why a worker that was silent cannot serve what was invalidated: `invalidate` waits BOUND_MS for each acknowledgement. A worker
// that misses it had its loop blocked that long with the message unread, so each worker watches its own loop: a pulse stamps the
// time, and whoever finds the stamp older than the bound, the pulse itself or the first look-up after the stall, drops everything.
import { host, type Host } from '../core/host.ts'

/** A cache as the bus sees it. Each method also keeps loads that are under way from being stored. */
export interface Invalidatable {
  readonly name: string
  dropTagged(tags: readonly string[]): void
  dropKey(key: string): void
  dropAll(): void
}

type Message = { readonly tags: readonly string[] } | { readonly name: string; readonly key: string }

const CHANNEL = 'cache:invalidate'
/** How long an invalidation waits for a worker, and so how long a worker may be deaf before it must distrust its memory. */
export const BOUND_MS = 1_000
/** A fifth of the bound: a stall as long as the bound is always seen, one under four fifths of it never is. */
const PULSE_MS = 200

export class InvalidationBus {
  /** Weak: a cache made for one test or one request must not live as long as the process. */
  readonly #caches = new Set<WeakRef<Invalidatable>>()
  readonly #hostOf: () => Host
  readonly #now: () => number
  #listening: Host | undefined
  #stopListening: () => void = () => {}
  #pulse: NodeJS.Timeout | undefined
  #pulseMs = 0

  /** @param now  milliseconds, never backwards */
  constructor(hostOf: () => Host = host, now: () => number = () => performance.now()) {
    this.#hostOf = hostOf
    this.#now = now
  }

  join(cache: Invalidatable): void {
    this.#caches.add(new WeakRef(cache))
  }

  /** Answers for this process on the host of now: a worker provides its own after modules have loaded. Cheap when nothing changed. */
  listen(): void {
    const current = this.#hostOf()
    if (current === this.#listening) return
    this.stop()
    this.#listening = current
    this.#stopListening = current.respond(CHANNEL, message => this.#apply(message as Message))
    if (current.worker === 0) return // alone: nobody could have told us anything while we were blocked
    this.#pulseMs = this.#now()
    this.#pulse = setInterval(() => this.checkPulse(), PULSE_MS).unref()
  }

  /** Leaves the host and stops the pulse; `listen` begins again. */
  stop(): void {
    this.#stopListening()
    clearInterval(this.#pulse)
    this.#pulse = undefined
    this.#listening = undefined
  }

  /** Drops everything if this process may have missed an invalidation: call before trusting an entry. */
  checkPulse(nowMs = this.#now()): void {
    if (this.#pulse === undefined) return
    const silentMs = nowMs - this.#pulseMs
    if (silentMs < PULSE_MS) return
    this.#pulseMs = nowMs
    if (silentMs >= BOUND_MS) for (const cache of this.#living()) cache.dropAll()
  }

  /** @throws what the host's `request` rejects with, when the supervisor cannot be reached; this process is clean even then */
  async invalidate(tags: readonly string[]): Promise<void> {
    if (tags.length > 0) await this.#send({ tags })
  }

  /** @param name  which caches; keys are only unique within one name */
  async delete(name: string, key: string): Promise<void> {
    await this.#send({ name, key })
  }

  async #send(message: Message): Promise<void> {
    this.listen()
    this.#apply(message)
    await this.#hostOf().request(CHANNEL, message, BOUND_MS)
  }

  #apply(message: Message): void {
    for (const cache of this.#living()) {
      if ('tags' in message) cache.dropTagged(message.tags)
      else if (cache.name === message.name) cache.dropKey(message.key)
    }
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
