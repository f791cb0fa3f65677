// Statements that took longer than they should, in the log: which route asked, what it asked, and where the time went. Never the values.
import type { StartLog } from './log.ts'

// A database that stands still makes every statement slow; the log is to say so, and not to be filled by it.
const LINES_PER_SECOND = 10

// Workers that start wait so for the one that migrates or seeds: that is what they ask for, and nobody's request waits with them.
const WAITS_FOR_ITS_TURN = /^\s*select\s+(?:pg_catalog\.)?pg_advisory_(?:xact_)?lock(?:_shared)?\s*\(/i

export class SlowQueries {
  /** Infinity: never. Of the waiting for a connection and the running together. */
  readonly thresholdMs: number
  /** Since the start. */
  count = 0
  readonly #log: StartLog | undefined
  #windowMs = 0
  #lines = 0
  #leftOut = 0

  constructor(thresholdMs: number, log: StartLog | undefined) {
    this.thresholdMs = thresholdMs
    this.#log = log
  }

  /** @param route  '' where it is not known: a script, a worker's own work */
  note(text: string, route: string, waitedMs: number, ranMs: number): void {
    if (route === '' && WAITS_FOR_ITS_TURN.test(text)) return
    this.count++
    const nowMs = performance.now()
    if (nowMs - this.#windowMs >= 1000) {
      this.#windowMs = nowMs
      this.#lines = 0
    }
    if (++this.#lines > LINES_PER_SECOND) {
      this.#leftOut++
      return
    }
    const more = this.#leftOut > 0 ? { leftOut: this.#leftOut } : {}
    this.#leftOut = 0
    const statement = text.replace(/\s+/g, ' ').trim()
    const of = route === '' ? { statement } : { route, statement }
    this.#log?.warn({ ...of, waitedMs: Math.round(waitedMs), ranMs: Math.round(ranMs), ...more }, 'slow query')
  }
}
