// Keeps connections even over the workers. Who wakes first takes what comes (docs/decisions/0002), and a worker that was started later
// has none of what was there before: so a worker with too many asks some of its clients, with their next answer, to come again.
//
// Nothing is lost by that: an answer with `Connection: close` is a whole answer, and the client's next request is a new connection.

/** What has to be known of a worker. */
export interface Balanced {
  readonly counters: { readonly connections: number }
}

// A tenth above the mean: what is promised. Below so many connections a tenth is a handful, and chance alone makes more.
const TOLERATED = 0.1
const FEW = 40

// Two looks, a second apart: what is above the mean in both is there to stay, and those who were asked to come again have had time to.
const LOOKS = 2

/** (most - mean) / mean of the open connections; 0 is even. */
export function skewOf(workers: readonly Balanced[]): number {
  const counts = workers.map(({ counters }) => counters.connections)
  const sum = counts.reduce((a, b) => a + b, 0)
  return sum === 0 ? 0 : (Math.max(...counts) * counts.length) / sum - 1
}

export class Balance<W extends Balanced> {
  /** By worker: what it had above the mean in every look since the last time that anybody was to part with some. */
  #excess = new Map<W, number>()
  #looks = 0
  readonly #isOn: () => boolean

  constructor(isOn: () => boolean) {
    this.#isOn = isOn
  }

  /**
   * Called once a second.
   *
   * @param workers  those that are ready
   * @returns how many connections each is to part with; the others nothing
   */
  look(workers: readonly W[]): ReadonlyMap<W, number> {
    if (!this.#isOn()) return new Map()
    const sum = workers.reduce((all, { counters }) => all + counters.connections, 0)
    const mean = sum / workers.length
    const before = this.#excess
    this.#excess = new Map(
      workers.map(worker => {
        const excess = Math.floor(worker.counters.connections - mean)
        return [worker, Math.min(excess, before.get(worker) ?? (this.#looks === 0 ? excess : 0))]
      }),
    )
    if (++this.#looks < LOOKS) return new Map()
    const found = [...this.#excess].filter(([, excess]) => excess > 0)
    this.#looks = 0
    this.#excess = new Map()
    const isUneven = sum >= FEW * workers.length && found.some(([, excess]) => excess > mean * TOLERATED)
    return new Map(isUneven ? found : [])
  }
}
