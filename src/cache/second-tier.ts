// What a second tier must be able to do: keep values where other processes find them, and let one of all who miss a key load it.
//
// Implementations: within this process (memory-tier.ts), over the supervisor (workers of one host), over Redis (every host). One list of
// cases holds all of them (test/cache/second-tier-cases.ts).
//
// The life of a key, seen from a cache that missed it in its first tier:
//
//   claim     found    somebody's value, fresh: keep it in the first tier for `freshForMs`
//             stale    somebody's value, to be served while whoever holds the lease loads a new one: you, if there is a lease
//             yours    nobody has it and nobody loads it: load, then end the lease
//             failed   somebody's load has just failed: leave the source alone for `retryInMs`
//             alone    the tier is out of reach: load for yourself. It never takes longer than the tier's bound to say so (100 ms)
//             While another process holds the lease, a claim waits for what becomes of it; a holder that dies loses its lease by time.
//   fulfil    the value, for everybody; refused when an invalidation came after the claim or the lease was lost
//   abandon   no value: the next may load at once, or after a pause when the load failed
//   withdraw  no value, and none any more: a stale one is forgotten
//
// Fencing: a lease remembers how far invalidations had come when it was given. What a load brings is stored only if none of its tags, nor
// its key, was invalidated since. So once `invalidate` has resolved, no value whose claim is older is found by anybody. Nothing here compares
// the clocks of two machines: ages are spans, told by whoever keeps the value.

/** Values travel as bytes; making them and reading them is the cache's business, as is counting what cannot be read (`discard`). */
export interface TierValue {
  readonly bytes: Uint8Array
  /** How long it is fresh from now on, and how long after that it may be served stale. Milliseconds. */
  readonly freshForMs: number
  readonly staleForMs: number
  readonly tags: readonly string[]
}

export type Claim =
  | { readonly state: 'found'; readonly value: TierValue }
  /** `value.freshForMs` is 0, or less than was asked for. No lease: another process is loading. */
  | { readonly state: 'stale'; readonly value: TierValue; readonly lease: Lease | undefined }
  | { readonly state: 'yours'; readonly lease: Lease }
  /** `message` is of the error that the load ended with, in whichever process. */
  | { readonly state: 'failed'; readonly message: string; readonly retryInMs: number }
  | { readonly state: 'alone' }

/** The right, and the duty, to load a key. Renewed by the tier until it is ended: end each one, by one of the two. */
export interface Lease {
  /**
   * Hands in the value and ends the lease. Never rejects.
   *
   * @returns whether it was stored: not when it was invalidated since the claim, when the lease was lost, when it is larger than the tier takes
   *   (a stale one is forgotten then), or when the tier is out of reach. Then who waited claims again
   */
  fulfil(value: TierValue): Promise<boolean>
  /**
   * Ends the lease without a value: everybody who loaded it has gone, its answer is for nobody else, what it read was invalidated, or it failed.
   * Never rejects.
   *
   * @param failure  given when the load failed: until `retryInMs` is over claims of this key are told so instead of loading
   */
  abandon(failure?: { readonly message: string; readonly retryInMs: number }): Promise<void>
  /** Ends the lease without a value, and forgets the stale one: what was loaded is for nobody else, and has taken its place. Never rejects. */
  withdraw(): Promise<void>
}

/** What to forget: everything that carries one of the tags, or one key of the caches of a name. */
export type Invalidation = { readonly tags: readonly string[] } | { readonly name: string; readonly key: string }

/** What a tier tells the caches of its process. Both are done when they return. */
export interface TierListener {
  /** Somebody invalidated: drop it from the first tier, and keep loads under way from being stored. Our own come too. */
  invalidated(what: Invalidation): void
  /** Invalidations may have been missed, or may be missed from now on: drop everything. */
  lost(): void
}

/** Counts since the tier was made. */
export interface TierStats {
  readonly found: number
  readonly stale: number
  /** Claims that got the lease because there was no value. */
  readonly missed: number
  /** Claims that waited for another process. */
  readonly waited: number
  /** Claims that were told that the tier is out of reach. */
  readonly alone: number
  readonly stored: number
  /** Values not stored because they were invalidated meanwhile, or their lease was lost. */
  readonly fenced: number
  /** Values over the limit, which stay in the first tier. */
  readonly tooLarge: number
  /** Values that were not ours, of another version, cut short, or unreadable: deleted, and loaded anew. */
  readonly poisoned: number
  /** How often the tier went out of reach. */
  readonly losses: number
}

export interface SecondTier {
  /** Whether the tier can be used now. While it is false `claim` says `alone` at once. */
  readonly isReachable: boolean
  /**
   * Its processes are the workers of this host, whom the caches tell of invalidations themselves: it hears what they send, so that they need not
   * call `invalidate`, and it has nothing to tell them.
   */
  readonly isOfHost?: boolean
  readonly stats: TierStats

  /**
   * Finds the value of a key, or who shall load it. One call for each key at a time in a process: the cache's single flight sees to that.
   *
   * @param name  of the cache; a key is unique within it
   * @param of.signal  ends the wait for another process
   * @param of.freshForMs  how fresh it has to be at least, for who refreshes early: less counts as stale. Default: more than 0
   * @throws only the reason of `of.signal`
   */
  claim(name: string, key: string, of?: { readonly signal?: AbortSignal; readonly freshForMs?: number }): Promise<Claim>

  /**
   * Forgets in all processes. Resolves when every live process has (`TierListener.invalidated` has returned there), or after a second: who was
   * silent that long drops its first tier before it serves again. Never rejects.
   *
   * @returns false when the tier is out of reach: it is remembered, and done before the tier is used again. Meanwhile others who reach the tier
   *   may find what was to be forgotten; let one of them invalidate it
   */
  invalidate(what: Invalidation): Promise<boolean>

  /** A sibling on this host invalidated it while the tier was out of reach here: remembered as our own are. Nothing to do otherwise. */
  remember(what: Invalidation): void

  /** The bytes that a claim found cannot be read: counted as poisoned and deleted, so that the next claim is given the lease. Never rejects. */
  discard(name: string, key: string): Promise<void>

  /** @returns the function that ends it */
  listen(listener: TierListener): () => void

  /**
   * Calls `lost` if this process may have been deaf without having noticed yet, as after a blocked loop: call before trusting the first tier. Cheap.
   *
   * @param nowMs  performance.now()
   */
  checkPulse(nowMs?: number): void
}

let current: SecondTier | undefined

/** The second tier of this process; undefined when there is none. Ask when needed: one is provided at start, and taken away when it drains. */
export function secondTier(): SecondTier | undefined {
  return current
}

/** Called by whoever opens a tier (millrace/redis, server/worker), and by tests. @returns the one that was there before */
export function provideSecondTier(next: SecondTier | undefined): SecondTier | undefined {
  const before = current
  current = next
  return before
}
