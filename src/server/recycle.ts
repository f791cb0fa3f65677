// Replaces workers that have served long enough: by requests, by age, or because they have grown. The replacement is ready before the old
// one drains, so that nothing is refused; one worker at a time, and never while a reload runs, which replaces them anyhow.
//
//   look     once a second, at the first that is due
//   replace  as a reload does it: start the new one, wait until it is ready, drain the old one
//   fail     the old one stays; tried again ever more slowly
import type { Logger } from '../observe/logger.ts'
import type { Counters } from './counters.ts'
import { failureOf } from './errors.ts'
import { RestartPolicy } from './restart-policy.ts'
import type { WorkerState } from './worker-process.ts'
import { nameOf } from './worker-name.ts'

export const RECYCLE_REASONS = ['requests', 'age', 'memory'] as const
export type RecycleReason = (typeof RECYCLE_REASONS)[number]

/** null is no limit. */
export interface RecycleLimits {
  readonly maxRequests: number | null
  /** Each worker gets up to so many more by chance, so that not all are due at once. */
  readonly maxRequestsJitter: number
  readonly maxAgeMs: number | null
  /** Resident memory. */
  readonly maxBytes: number | null
}

/** What has to be known of a worker, and of its place. */
export interface Recyclable {
  readonly number: number
  readonly pid: number
  readonly state: WorkerState
  readonly readyAtMs: number | undefined
  readonly counters: Counters
}

export interface RecyclableSlot {
  readonly number: number
  readonly current: Recyclable | undefined
}

export interface RecycleFacts<S extends RecyclableSlot> {
  readonly limits: () => RecycleLimits
  /** Replaces the worker of one slot. @throws StartError of a new one that did not become ready; the old one goes on */
  readonly replace: (slot: S, signal: AbortSignal) => Promise<number>
  readonly log: () => Logger
  readonly nowMs: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

// Between being ready and being looked at for memory: an app that fills its caches first grows fastest in the beginning. It doubles, to ten
// minutes, while fresh workers grow over the limit at once: replacing them helps nobody then.
const REST_MS = 5_000
const LONGEST_REST_MS = 600_000

// What a failed replacement is waited for at least; then as restarts have it.
const RETRY_MS = 1_000

export class Recycling<S extends RecyclableSlot> {
  readonly counts: Record<RecycleReason, number> = { requests: 0, age: 0, memory: 0 }
  readonly #facts: RecycleFacts<S>
  readonly #extraRequests = new WeakMap<Recyclable, number>()
  readonly #restMs = new WeakMap<S, number>()
  #failures = new RestartPolicy()
  #notBeforeMs = 0
  #running: { readonly abort: AbortController; readonly done: Promise<void> } | undefined

  constructor(facts: RecycleFacts<S>) {
    this.#facts = facts
  }

  /** Begins to replace the first that is due, unless one is being replaced. */
  look(slots: readonly S[]): void {
    if (this.#running || this.#facts.nowMs() < this.#notBeforeMs) return
    const limits = this.#facts.limits()
    for (const slot of slots) {
      const reason = this.#due(slot, limits)
      if (reason === undefined) continue
      const abort = new AbortController()
      const done = this.#recycle(slot, reason, abort.signal).finally(() => (this.#running = undefined))
      this.#running = { abort, done }
      return
    }
  }

  /** Ends what is under way: a new worker that is not ready is dropped, an old one that drains goes on to do so. */
  async stop(): Promise<void> {
    this.#running?.abort.abort()
    await this.#running?.done
  }

  #due(slot: S, { maxRequests, maxRequestsJitter, maxAgeMs, maxBytes }: RecycleLimits): RecycleReason | undefined {
    const worker = slot.current
    if (worker?.state !== 'ready' || worker.readyAtMs === undefined) return undefined
    const ageMs = this.#facts.nowMs() - worker.readyAtMs
    if (maxRequests !== null && served(worker) >= maxRequests + this.#extra(worker, maxRequestsJitter))
      return 'requests'
    if (maxAgeMs !== null && ageMs >= maxAgeMs) return 'age'
    const isRested = ageMs >= (this.#restMs.get(slot) ?? REST_MS)
    return maxBytes !== null && worker.counters.rssBytes > maxBytes && isRested ? 'memory' : undefined
  }

  #extra(worker: Recyclable, jitter: number): number {
    const extra = this.#extraRequests.get(worker) ?? Math.floor(this.#facts.random() * (jitter + 1))
    this.#extraRequests.set(worker, extra)
    return extra
  }

  async #recycle(slot: S, reason: RecycleReason, signal: AbortSignal): Promise<void> {
    const old = slot.current!
    const told = nameOf(old)
    const ageMs = this.#facts.nowMs() - old.readyAtMs!
    this.#facts.log().info(`${told} ${why(old, reason, ageMs)} and is replaced`)
    try {
      if ((await this.#facts.replace(slot, signal)) === 0) return
      this.counts[reason]++
      this.#failures = new RestartPolicy()
      if (reason === 'memory') this.#restAfter(slot, ageMs)
    } catch (error) {
      const waitMs = Math.max(RETRY_MS, this.#failures.died(0))
      this.#notBeforeMs = this.#facts.nowMs() + waitMs
      const next = `tried again in ${waitMs / 1000} s`
      this.#facts
        .log()
        .error(`${told} is kept, because the next one did not start; ${next}: ${failureOf(error).message}`)
    }
  }

  #restAfter(slot: S, ageMs: number): void {
    const restMs = this.#restMs.get(slot) ?? REST_MS
    const grewAtOnce = ageMs < 2 * restMs
    this.#restMs.set(slot, grewAtOnce ? Math.min(LONGEST_REST_MS, 2 * restMs) : REST_MS)
    if (grewAtOnce && restMs > REST_MS)
      this.#facts.log().warn(`worker ${slot.number} grows over maxWorkerMemory again and again; it may be too little`)
  }
}

function served({ counters }: Recyclable): number {
  return counters.requests.reduce((sum, count) => sum + count, 0)
}

function why(worker: Recyclable, reason: RecycleReason, ageMs: number): string {
  if (reason === 'requests') return `has answered ${served(worker)} requests`
  if (reason === 'age') return `is ${Math.round(ageMs / 1000)} s old`
  return `has grown to ${Math.round(worker.counters.rssBytes / 1024 ** 2)} MiB`
}
