// Lets a thread of its own see whether the event loop of this worker still turns. When it does not, the thread stops the code that
// holds it with the inspector, on no port, and writes Node's diagnostic report of that moment, the stack of that code in it.
//
// A thread, because nothing else reaches a loop that is blocked: report-on-signal is a listener of the very loop, and USR1 would open a
// debugger's port. It costs a worker about 7 MB of memory and one look a second (Node 26, private memory with and without).
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { modulePath } from './child-processes.ts'

/** Between two beats, and between two looks of whoever counts them. */
export const BEAT_MS = 1_000

/** What the thread starts with. */
export interface LoopWatchOrders {
  /** Shared: how many beats there were, and 1 while none are expected. */
  readonly beats: Int32Array<SharedArrayBuffer>
  /** Between two of them. */
  readonly beatMs: number
  /** Looks without a beat before it reports. */
  readonly silentTicks: number
  /** Where the report goes. */
  readonly file: string
}

export class LoopWatch {
  readonly #beats = new Int32Array(new SharedArrayBuffer(8))

  constructor(orders: Omit<LoopWatchOrders, 'beats' | 'beatMs'>) {
    // Without it a worker serves just as well, and is killed without a report: at a limit of threads, it throws at once.
    try {
      // Nothing of ours is inherited: no preloaded module and no variable of the app concerns a thread that only counts.
      const thread = new Worker(modulePath('loop-watch-thread'), {
        workerData: { ...orders, beats: this.#beats, beatMs: BEAT_MS } satisfies LoopWatchOrders,
        execArgv: [],
        env: {},
        resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
      })
      thread.unref()
      thread.on('error', () => {})
    } catch {
      // The same.
    }
  }

  /** From the event loop, once every BEAT_MS. */
  beat(): void {
    Atomics.add(this.#beats, 0, 1)
  }

  /** The loop is about to stand still on purpose: nothing is reported until goOn(). */
  hold(): void {
    Atomics.store(this.#beats, 1, 1)
  }

  goOn(): void {
    Atomics.store(this.#beats, 1, 0)
  }
}

/** The report of a worker; worker and supervisor both work it out. */
export function stallReportFile(directory: string, worker: number, pid: number): string {
  return join(directory, `worker-${worker}-${pid}.json`)
}

/** Looks without a sign of life before a worker counts as blocked. */
export function silentTicksOf(workerTimeoutMs: number): number {
  return Math.max(1, Math.ceil(workerTimeoutMs / BEAT_MS))
}
