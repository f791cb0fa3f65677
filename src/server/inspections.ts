// What the supervisor has asked workers to look into, and is waiting for.
import { ControlError } from './control-protocol.ts'
import type { InspectionOrder } from './inspection.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { nameOf } from './worker-name.ts'

/** What has to be known of a worker. */
export interface Inspected {
  readonly number: number
  readonly pid: number
  send(message: ToWorker): void
}

interface Open<W> {
  readonly worker: W
  /** It stands still meanwhile. */
  readonly holdsLoop: boolean
  /** The worker has read the order, and said so. */
  hasBegun: boolean
  readonly timer: NodeJS.Timeout
  resolve(bytes: number): void
  reject(error: ControlError): void
}

// Measured: 200 MB of small objects took 14 s on a busy machine. Ten minutes are for the largest heap that a worker can have.
const SNAPSHOT_MS = 600_000
// On top of the time that a profile takes: a busy worker gets to it.
const ANSWER_MS = 30_000

export class Inspections<W extends Inspected> {
  readonly #open = new Map<number, Open<W>>()
  #lastId = 0

  /**
   * @returns bytes that were written
   * @throws ControlError `CONTROL_FILE`, `CONTROL_BUSY` when it is being inspected, `CONTROL_NO_ANSWER` when it ends or hangs meanwhile
   */
  ask(worker: W, order: InspectionOrder): Promise<number> {
    if (this.#of(worker).length > 0)
      return Promise.reject(
        new ControlError(
          'CONTROL_BUSY',
          `worker ${worker.number} is being inspected already; ask again when that is done`,
        ),
      )
    const id = ++this.#lastId
    const isSnapshot = order.what === 'heap-snapshot'
    const patienceMs = isSnapshot ? SNAPSHOT_MS : order.seconds * 1000 + ANSWER_MS
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, 'does not answer: its event loop is blocked'), patienceMs)
      this.#open.set(id, { worker, holdsLoop: isSnapshot, hasBegun: false, timer, resolve, reject })
      worker.send({ type: 'inspect', id, order })
    })
  }

  began({ id }: FromWorker & { type: 'inspecting' }): void {
    const open = this.#open.get(id)
    if (open) open.hasBegun = true
  }

  answered({ id, bytes, failure }: FromWorker & { type: 'inspected' }): void {
    const open = this.#open.get(id)
    if (!open) return
    this.#close(id)
    if (failure) open.reject(new ControlError(failure.code, failure.message))
    else open.resolve(bytes ?? 0)
  }

  /** The worker has ended. */
  gone(worker: W): void {
    for (const id of this.#of(worker)) this.#fail(id, 'has ended before it was done')
  }

  /** It is silent because we have asked it to stand still, and it has begun to. One that hangs does not get so far. */
  excuses(worker: W): boolean {
    return [...this.#open.values()].some(open => open.worker === worker && open.holdsLoop && open.hasBegun)
  }

  #of(worker: W): number[] {
    return [...this.#open].filter(([, open]) => open.worker === worker).map(([id]) => id)
  }

  #fail(id: number, why: string): void {
    const { worker, reject } = this.#open.get(id)!
    this.#close(id)
    reject(new ControlError('CONTROL_NO_ANSWER', `${nameOf(worker)} ${why}`))
  }

  #close(id: number): void {
    clearTimeout(this.#open.get(id)?.timer)
    this.#open.delete(id)
  }
}
