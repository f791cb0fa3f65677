// Numbers that parts and drivers keep in one process, under the names that /metrics shows. They are read when somebody asks (a worker does
// with each heartbeat), so keeping them costs an addition and no more.

/** Counters and histograms only grow, and outlive their worker in the sum of all; a gauge is what is so now. */
export type MetricKind = 'counter' | 'gauge' | 'histogram'

export interface Sample {
  /** Behind the metric's name: '' or, of a histogram, `_bucket`, `_sum` or `_count`. */
  readonly suffix?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metric {
  /** With its unit, seconds or bytes, and `_total` for a counter. */
  readonly name: string
  readonly kind: MetricKind
  readonly help: string
  readonly samples: readonly Sample[]
}

type Source = () => readonly Metric[]

const sources = new Set<Source>()

/** @returns the function that ends it */
export function provideMetrics(source: Source): () => void {
  sources.add(source)
  return () => sources.delete(source)
}

/** What all sources of this process say now, one entry for each name. */
export function readMetrics(): readonly Metric[] {
  return [...sources].reduce<readonly Metric[]>((sum, source) => addMetrics(sum, source()), [])
}

/** @returns both, added where name and labels are the same */
export function addMetrics(a: readonly Metric[], b: readonly Metric[]): readonly Metric[] {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const sums = new Map(a.map(metric => [metric.name, metric]))
  for (const metric of b) {
    const known = sums.get(metric.name)
    sums.set(metric.name, known ? { ...metric, samples: addSamples(known.samples, metric.samples) } : metric)
  }
  return [...sums.values()]
}

function addSamples(a: readonly Sample[], b: readonly Sample[]): readonly Sample[] {
  const sums = new Map(a.map(sample => [keyOf(sample), sample]))
  for (const sample of b) {
    const key = keyOf(sample)
    const known = sums.get(key)
    sums.set(key, known ? { ...sample, value: known.value + sample.value } : sample)
  }
  return [...sums.values()]
}

function keyOf({ suffix = '', labels = {} }: Sample): string {
  return JSON.stringify([suffix, Object.entries(labels)])
}
