// What the supervisor knows, as data for /status and as Prometheus text for /metrics.
import type { Metric, MetricKind } from '../core/metrics.ts'
import type { Counters } from './counters.ts'
import type { RecycleReason } from './recycle.ts'
import type { WorkerState } from './worker-process.ts'

export interface WorkerStatus {
  readonly number: number
  readonly pid: number
  readonly state: WorkerState
  readonly readyForMs: number
  readonly counters: Counters
}

export interface ServerStatus {
  readonly title: string
  /** Of the supervisor. */
  readonly pid: number
  /** '' until it has one. */
  readonly url: string
  readonly hasStarted: boolean
  readonly isStopping: boolean
  readonly upForMs: number
  readonly wantedWorkers: number
  /** The number of the worker that does what one does for all. */
  readonly leader: number | undefined
  /** Workers started again after a death. */
  readonly restarts: number
  readonly reloads: number
  /** Workers replaced because they had served long enough. */
  readonly recycles: Readonly<Record<RecycleReason, number>>
  /** (most - mean) / mean of the open connections of ready workers. */
  readonly connectionSkew: number
  /** Totals include workers that are gone; what is open is of those alive. */
  readonly total: Counters
  readonly workers: readonly WorkerStatus[]
}

export function isReady(status: ServerStatus): boolean {
  return status.hasStarted && !status.isStopping && status.workers.some(worker => worker.state === 'ready')
}

/** What stands behind the name, and the number. */
type Line = readonly [rest: string, value: number]

/** Exposition format 0.0.4. Seconds and bytes are in the names. */
export function prometheusText(status: ServerStatus): string {
  const { total, workers } = status
  const perWorker = (read: (worker: WorkerStatus) => number): Line[] =>
    workers.map(worker => [`{worker="${worker.number}",pid="${worker.pid}"}`, read(worker)])
  return [
    family(
      'millrace_requests_total',
      'counter',
      'Finished requests by class of status; cut: ended before a head was written.',
      total.requests.map((count, n) => [`{class="${n === 0 ? 'cut' : `${n}xx`}"}`, count]),
    ),
    family('millrace_connections_accepted_total', 'counter', 'Connections accepted.', [['', total.accepted]]),
    family(
      'millrace_connections_refused_total',
      'counter',
      'Connections refused: at the cap of the worker or of one address, or for want of a PROXY protocol header or a TLS handshake.',
      Object.entries(total.refused).map(([reason, count]) => [`{reason="${reason}"}`, count]),
    ),
    family(
      'millrace_connections_parted_total',
      'counter',
      'Connections ended with an answer because their worker had too many.',
      [['', total.parted]],
    ),
    family(
      'millrace_connection_skew',
      'gauge',
      'How far the worker with most connections is above the mean, as a part of it.',
      [['', status.connectionSkew]],
    ),
    family(
      'millrace_connections',
      'gauge',
      'Open connections.',
      perWorker(({ counters }) => counters.connections),
    ),
    family(
      'millrace_inflight_requests',
      'gauge',
      'Requests being answered.',
      perWorker(({ counters }) => counters.inflight),
    ),
    family(
      'millrace_event_loop_delay_seconds',
      'gauge',
      'Longest delay of the event loop in the last second.',
      perWorker(({ counters }) => counters.loopDelayMs / 1000),
    ),
    family(
      'millrace_event_loop_utilisation_ratio',
      'gauge',
      'Share of the last second in which the event loop did not wait.',
      perWorker(({ counters }) => Math.round(counters.loopUtilisation * 1000) / 1000),
    ),
    family(
      'millrace_heap_bytes',
      'gauge',
      'JavaScript heap in use.',
      perWorker(({ counters }) => counters.heapBytes),
    ),
    family(
      'millrace_resident_memory_bytes',
      'gauge',
      'Resident memory.',
      perWorker(({ counters }) => counters.rssBytes),
    ),
    family('millrace_workers_wanted', 'gauge', 'Workers wanted.', [['', status.wantedWorkers]]),
    family('millrace_workers_ready', 'gauge', 'Workers that accept requests.', [
      ['', workers.filter(worker => worker.state === 'ready').length],
    ]),
    family('millrace_worker_restarts_total', 'counter', 'Workers started again after a death.', [
      ['', status.restarts],
    ]),
    family(
      'millrace_worker_recycles_total',
      'counter',
      'Workers replaced because they had served long enough: requests, age or memory.',
      Object.entries(status.recycles).map(([reason, count]) => [`{reason="${reason}"}`, count]),
    ),
    family('millrace_reloads_total', 'counter', 'Reloads that replaced the workers.', [['', status.reloads]]),
    ...total.metrics.map(metric => family(metric.name, metric.kind, metric.help, linesOf(metric, workers))),
  ].join('')
}

/** Totals of all, those who are gone included; what is so now for each of those alive. */
function linesOf(metric: Metric, workers: readonly WorkerStatus[]): Line[] {
  if (metric.kind !== 'gauge') return samplesOf(metric, {})
  return workers.flatMap(({ number, pid, counters }) => {
    const own = counters.metrics.find(({ name }) => name === metric.name)
    return own ? samplesOf(own, { worker: String(number), pid: String(pid) }) : []
  })
}

function samplesOf(metric: Metric, more: Readonly<Record<string, string>>): Line[] {
  return metric.samples.map(({ suffix = '', labels, value }) => [
    `${suffix}${labelText({ ...more, ...labels })}`,
    // Sums of binary fractions: nanoseconds are enough.
    Math.round(value * 1e9) / 1e9,
  ])
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, escaped)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(char: string): string {
  return char === '\n' ? '\\n' : `\\${char}`
}

function family(name: string, type: MetricKind, help: string, lines: readonly Line[]): string {
  const text = lines.map(([rest, value]) => `${name}${rest} ${value}\n`).join('')
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${text}`
}
