// A second tier within one process: caches that share nothing else find each other's values in it, as workers do over the supervisor.
//
// For apps that make several caches, and the plainest form of the contract: what the other tiers do over messages it does at once.
import { LeaseTable, tierId, type LeaseTableOptions } from './lease-table.ts'
import type { Claim, Invalidation, Lease, SecondTier, TierListener, TierStats, TierValue } from './second-tier.ts'
import { noCounts } from './tier-counts.ts'

/** What the tiers of one process have in common. */
export class MemoryHub {
  readonly table: LeaseTable
  readonly listeners = new Set<TierListener>()
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(options?: LeaseTableOptions) {
    this.table = new LeaseTable(options)
  }

  /** @returns what one cache holds of it */
  join(): MemoryTier {
    return new MemoryTier(this)
  }

  /** A lease of this key has ended: whoever waits claims again. */
  wake(id: string): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    for (const go of waiting ?? []) go()
  }

  /** Resolves when a lease of this key has ended, or after `forMs`. @throws the reason of the signal */
  wait(id: string, forMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? new Set()
      this.#waiting.set(id, waiting)
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', gone)
        if (waiting.delete(go) && waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id)
      }
      const go = (): void => (leave(), resolve())
      const gone = (): void => {
        leave()
        reject(signal!.reason as Error)
      }
      const timer = setTimeout(go, forMs)
      waiting.add(go)
      if (signal?.aborted) gone()
      else signal?.addEventListener('abort', gone, { once: true })
    })
  }
}

export class MemoryTier implements SecondTier {
  readonly isReachable = true
  readonly #hub: MemoryHub
  readonly #counts = noCounts()

  /** Use `MemoryHub.join`. */
  constructor(hub: MemoryHub) {
    this.#hub = hub
  }

  get stats(): TierStats {
    return { ...this.#counts }
  }

  async claim(
    name: string,
    key: string,
    of: { readonly signal?: AbortSignal; readonly freshForMs?: number } = {},
  ): Promise<Claim> {
    const id = tierId(name, key)
    for (let hasWaited = false; ; hasWaited = true) {
      of.signal?.throwIfAborted()
      const claim = this.#hub.table.claim(id, this, of.freshForMs)
      switch (claim.state) {
        case 'found':
          this.#counts.found++
          return claim
        case 'stale':
          this.#counts.stale++
          return {
            state: 'stale',
            value: claim.value,
            lease: claim.token === undefined ? undefined : this.#lease(id, claim.token),
          }
        case 'yours':
          this.#counts.missed++
          return { state: 'yours', lease: this.#lease(id, claim.token) }
        case 'held':
          if (!hasWaited) this.#counts.waited++
          await this.#hub.wait(id, claim.leftMs, of.signal)
          break
        case 'failed':
          return claim
        case 'alone':
          this.#counts.alone++
          return claim
      }
    }
  }

  async invalidate(what: Invalidation): Promise<boolean> {
    this.#hub.table.invalidate(what)
    for (const listener of this.#hub.listeners) listener.invalidated(what)
    return true
  }

  remember(): void {}

  async discard(name: string, key: string): Promise<void> {
    this.#counts.poisoned++
    this.#hub.table.discard(tierId(name, key))
  }

  listen(listener: TierListener): () => void {
    this.#hub.listeners.add(listener)
    return () => this.#hub.listeners.delete(listener)
  }

  checkPulse(): void {}

  #lease(id: string, token: number): Lease {
    return {
      fulfil: async (value: TierValue) => {
        const ending = this.#hub.table.fulfil(id, token, value)
        this.#counts[ending]++
        this.#hub.wake(id)
        return ending === 'stored'
      },
      abandon: async failure => {
        this.#hub.table.abandon(id, token, failure)
        this.#hub.wake(id)
      },
      withdraw: async () => {
        this.#hub.table.withdraw(id, token)
        this.#hub.wake(id)
      },
    }
  }
}
