// Plain numbers a worker counts; the supervisor adds them up and keeps those of workers that are gone.
import { addMetrics, type Metric } from '../core/metrics.ts'
import { type RefusalReason } from './entrance.ts'

/** Totals since the worker started, and what is so now. */
export interface Counters {
  /** Finished requests by the first digit of their status; index 0 counts those cut before a head was written. */
  readonly requests: readonly number[]
  readonly accepted: number
  /** Accepted connections that were closed again before anything was served. */
  readonly refused: Readonly<Record<RefusalReason, number>>
  /** Connections that were ended with an answer, because this worker had too many. */
  readonly parted: number
  readonly connections: number
  readonly inflight: number
  /** Longest the event loop was late in the last second. */
  readonly loopDelayMs: number
  /** Share of the last second in which the event loop did not wait, 0 to 1. */
  readonly loopUtilisation: number
  readonly heapBytes: number
  readonly rssBytes: number
  /** What drivers and other parts count in it. */
  readonly metrics: readonly Metric[]
}

export const NO_COUNTS: Counters = {
  requests: [0, 0, 0, 0, 0, 0],
  accepted: 0,
  refused: { full: 0, address: 0, 'proxy-header': 0, 'tls-handshake': 0 },
  parted: 0,
  connections: 0,
  inflight: 0,
  loopDelayMs: 0,
  loopUtilisation: 0,
  heapBytes: 0,
  rssBytes: 0,
  metrics: [],
}

/** The totals of a worker that is gone: nothing of it is open any more. */
export function totalsOnly(counters: Counters): Counters {
  const { requests, accepted, refused, parted } = counters
  const metrics = counters.metrics.filter(({ kind }) => kind !== 'gauge')
  return { ...NO_COUNTS, requests, accepted, refused, parted, metrics }
}

export function addCounters(a: Counters, b: Counters): Counters {
  return {
    requests: a.requests.map((count, n) => count + (b.requests[n] ?? 0)),
    accepted: a.accepted + b.accepted,
    refused: {
      full: a.refused.full + b.refused.full,
      address: a.refused.address + b.refused.address,
      'proxy-header': a.refused['proxy-header'] + b.refused['proxy-header'],
      'tls-handshake': a.refused['tls-handshake'] + b.refused['tls-handshake'],
    },
    parted: a.parted + b.parted,
    connections: a.connections + b.connections,
    inflight: a.inflight + b.inflight,
    loopDelayMs: Math.max(a.loopDelayMs, b.loopDelayMs),
    loopUtilisation: Math.max(a.loopUtilisation, b.loopUtilisation),
    heapBytes: a.heapBytes + b.heapBytes,
    rssBytes: a.rssBytes + b.rssBytes,
    metrics: addMetrics(a.metrics, b.metrics),
  }
}

/** Counts in one process. */
export class RequestCounter {
  accepted = 0
  parted = 0
  readonly refused = { ...NO_COUNTS.refused }
  readonly requests = [0, 0, 0, 0, 0, 0]

  /** @param status  0 for a request that was cut before a head was written */
  count(status: number): void {
    this.requests[Math.trunc(status / 100)]! += 1
  }
}
