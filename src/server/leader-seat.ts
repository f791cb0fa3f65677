// Which worker leads: the lowest number that is ready, until it resigns or is gone. Never two at once. Runs in the supervisor.
import type { ToWorker } from './messages.ts'

export interface Candidate {
  readonly number: number
  readonly state: string
  send(message: ToWorker): void
}

export class LeaderSeat<C extends Candidate> {
  readonly #candidates: Iterable<C>
  #holder: C | undefined
  #isClosed = false
  #emptied: (() => void) | undefined

  /** @param candidates  every worker that is alive, now and at any later time */
  constructor(candidates: Iterable<C>) {
    this.#candidates = candidates
  }

  /** The number of the worker that leads. */
  get leader(): number | undefined {
    return this.#holder?.number
  }

  /** Nobody leads from now on, because somebody else's worker does. Resolves when the one who leads has left. */
  close(): Promise<void> {
    this.#isClosed = true
    if (!this.#holder) return Promise.resolve()
    return new Promise(resolve => (this.#emptied = resolve))
  }

  open(): void {
    this.#isClosed = false
    this.fill()
  }

  /** A worker has become ready. */
  fill(): void {
    if (this.#holder || this.#isClosed) return
    const ready = [...this.#candidates].filter(({ state }) => state === 'ready')
    const next = ready.toSorted((a, b) => a.number - b.number)[0]
    this.#holder = next
    next?.send({ type: 'lead' })
  }

  /** A worker leads no more: it has said so, or it is gone. */
  leave(worker: C): void {
    if (this.#holder !== worker) return
    this.#holder = undefined
    this.#emptied?.()
    this.fill()
  }
}
