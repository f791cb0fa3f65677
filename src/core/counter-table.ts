// Counts by name, each for a while or for good. One of them is kept for a whole server: by the process itself, or by its supervisor.
import { LruMap } from './lru-map.ts'

interface Count {
  readonly name: string
  value: number
  /** By the monotonic clock; Infinity for good. */
  readonly untilMs: number
}

/** Names kept: beyond, the one that was used longest ago starts anew. 200 bytes each. */
const MAX_NAMES = 100_000

export class CounterTable {
  readonly #counts = new LruMap<string, Count>()
  readonly #maxNames: number
  readonly #now: () => number

  constructor({ maxNames = MAX_NAMES, now = () => performance.now() } = {}) {
    this.#maxNames = maxNames
    this.#now = now
  }

  /**
   * @param by  0 to look
   * @param lifeMs  from the first that is added to the moment at which it starts anew
   * @returns the count with it
   */
  add(name: string, by: number, lifeMs: number): number {
    const now = this.#now()
    const known = this.#counts.get(name)
    if (known && now < known.untilMs) return (known.value += by)
    if (known) this.#counts.delete(name)
    if (by === 0) return 0
    this.#counts.set(name, { name, value: by, untilMs: now + lifeMs })
    if (this.#counts.size > this.#maxNames) this.#counts.delete(this.#counts.oldest()!.name)
    return by
  }
}
