// How long things took, as counts by upper bound: what Prometheus makes quantiles of.
import type { Sample } from './metrics.ts'

export class Histogram {
  readonly #bounds: readonly number[]
  /** One more than bounds: the last counts what is beyond them all. */
  readonly #counts: number[]
  #sum = 0

  /** @param bounds  ascending, in the unit of what is observed */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += value
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0)
  }

  samples(labels: Readonly<Record<string, string>>): readonly Sample[] {
    let count = 0
    const buckets = this.#counts.map((each, index) => {
      const le = index === this.#bounds.length ? '+Inf' : String(this.#bounds[index])
      return { suffix: '_bucket', labels: { ...labels, le }, value: (count += each) }
    })
    return [...buckets, { suffix: '_sum', labels, value: this.#sum }, { suffix: '_count', labels, value: count }]
  }
}
