// What was invalidated while Redis was away: done there when it is back, before anything is found in it again.
import type { Invalidation } from '../../cache/second-tier.ts'

/** More than this, and everything is forgotten instead. */
const MAX_REMEMBERED = 10_000

type What = Map<string, Invalidation> | 'everything'

export interface Doing {
  invalidate(what: Invalidation): Promise<void>
  forgetAll(): Promise<void>
}

export class Remembered {
  #what: What = new Map()
  readonly #maxTags: number

  /** @param maxTags  in one invalidation at most */
  constructor(maxTags: number) {
    this.#maxTags = maxTags
  }

  get isEmpty(): boolean {
    return this.#what !== 'everything' && this.#what.size === 0
  }

  add(what: Invalidation): void {
    if (this.#what === 'everything') return
    this.#what.set(JSON.stringify(what), what)
    if (this.#what.size > MAX_REMEMBERED) this.#what = 'everything'
  }

  /**
   * Does all of it. What is added meanwhile is done after it, though it be the same again: between the two somebody may have loaded what the second
   * is about. What fails stays remembered.
   *
   * @throws what `doing` throws
   */
  async do(doing: Doing): Promise<void> {
    while (!this.isEmpty) {
      const taken = this.#what
      this.#what = new Map()
      try {
        await this.#doAll(taken, doing)
      } catch (error) {
        if (taken === 'everything') this.#what = taken
        else for (const what of taken.values()) this.add(what)
        throw error
      }
    }
  }

  async #doAll(taken: What, doing: Doing): Promise<void> {
    if (taken === 'everything') return doing.forgetAll()
    // By tags many at once, by keys one by one, all on their way together.
    const all = [...taken.values()]
    const tags = [...new Set(all.flatMap(what => ('tags' in what ? what.tags : [])))]
    const batches = all.filter(what => 'key' in what) as Invalidation[]
    for (let n = 0; n < tags.length; n += this.#maxTags) batches.push({ tags: tags.slice(n, n + this.#maxTags) })
    await Promise.all(batches.map(what => doing.invalidate(what)))
  }
}
