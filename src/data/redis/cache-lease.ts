// A lease in Redis: renewed for as long as its load may take, and ended once.
import type { Lease, TierValue } from '../../cache/second-tier.ts'

/** A holder that died blocks a key for this long; one that lives renews in time. */
export const LEASE_MS = 5_000
/** A load that hangs loses its lease after this, however alive its process is. */
const LONGEST_LOAD_MS = 60_000

export interface LeaseActs {
  renew(): Promise<boolean>
  ended(): void
  fulfil(value: TierValue): Promise<boolean>
  abandon(failure: { readonly message: string; readonly retryInMs: number } | undefined): Promise<void>
  withdraw(): Promise<void>
}

export class RedisLease implements Lease {
  readonly #acts: LeaseActs
  readonly #untilMs = performance.now() + LONGEST_LOAD_MS
  #renewal: NodeJS.Timeout | undefined
  #hasEnded = false

  constructor(acts: LeaseActs) {
    this.#acts = acts
    this.#renewLater()
  }

  async fulfil(value: TierValue): Promise<boolean> {
    return this.#end() && (await this.#acts.fulfil(value))
  }

  async abandon(failure?: { readonly message: string; readonly retryInMs: number }): Promise<void> {
    if (this.#end()) await this.#acts.abandon(failure)
  }

  async withdraw(): Promise<void> {
    if (this.#end()) await this.#acts.withdraw()
  }

  #end(): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    clearTimeout(this.#renewal)
    this.#acts.ended()
    return true
  }

  #renewLater(): void {
    this.#renewal = setTimeout(() => {
      if (performance.now() > this.#untilMs) return
      this.#acts.renew().then(
        isOurs => {
          if (isOurs && !this.#hasEnded) this.#renewLater()
        },
        // Redis is away; it may be back before the lease has run out.
        () => {
          if (!this.#hasEnded) this.#renewLater()
        },
      )
    }, LEASE_MS / 3).unref()
  }
}
