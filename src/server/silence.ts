// Workers that say nothing, because their event loop is blocked or the system has stopped them: told with what holds them, and killed.
//
//   limit          the worker's own thread writes a report (loop-watch.ts)
//   a little later it is killed; if it speaks before that, it is told and left alone
//
// Counts looks and not the clock: after a suspended machine wakes, everybody has been silent for hours and nobody hangs.
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../observe/logger.ts'
import { silentTicksOf, stallReportFile } from './loop-watch.ts'
import { heldUntilReport, whatHolds } from './stall-report.ts'
import { type Named, nameOf } from './worker-name.ts'

export interface Listened extends Named {
  readonly isOpen: boolean
  /** Looks since it was last heard of. */
  silentTicks: number
  kill(): void
}

export interface SilenceFacts<W> {
  /** Read anew each time: a reload changes it. @returns ms, null when silence is not looked at, and the folder for reports, '' for our own */
  readonly settings: () => { readonly workerTimeout: number | null; readonly reportDir: string }
  /** Does something that holds its loop because somebody has asked for that. */
  readonly isExcused: (worker: W) => boolean
  readonly log: () => Logger
}

// Between the report of a silent worker, which its own thread writes, and its end.
const REPORT_TICKS = 2

export class Silence<W extends Listened> {
  readonly #facts: SilenceFacts<W>
  /** A name that nobody can guess and take before us; made when the first report is. */
  readonly #ownFolder = join(tmpdir(), `millrace-${randomBytes(8).toString('hex')}`)

  constructor(facts: SilenceFacts<W>) {
    this.#facts = facts
  }

  /** Where reports go. */
  get reportDir(): string {
    return this.#facts.settings().reportDir || this.#ownFolder
  }

  /** Called once a second. */
  look(workers: Iterable<W>): void {
    const limit = this.#limitTicks
    for (const worker of workers) {
      if (!worker.isOpen || this.#facts.isExcused(worker)) continue
      if (++worker.silentTicks !== limit + REPORT_TICKS + 1) continue
      const why = whatHolds(worker.pid, this.#reportFile(worker), worker.silentTicks)
      this.#facts.log().error(`${nameOf(worker)} was silent for ${limit} s and is killed: ${why}`)
      worker.kill()
    }
  }

  /** Called with each message, before the count begins anew. */
  heard(worker: W): void {
    if (worker.silentTicks <= this.#limitTicks || !worker.isOpen) return
    const held = heldUntilReport(this.#reportFile(worker), worker.silentTicks) ?? 'blocked or stopped'
    this.#facts.log().warn(`${nameOf(worker)} was silent for ${worker.silentTicks} s and goes on; it was ${held}`)
  }

  /** Infinity when silence is not looked at. */
  get #limitTicks(): number {
    const { workerTimeout } = this.#facts.settings()
    return workerTimeout === null ? Infinity : silentTicksOf(workerTimeout)
  }

  #reportFile({ number, pid }: W): string {
    return stallReportFile(this.reportDir, number, pid)
  }
}
