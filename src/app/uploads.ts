// The files of one request, let go of together: when its answer is out and what it deferred has run, or as soon as its signal aborts.
import type { Exchange } from '../http/exchange.ts'
import { fileGone } from './form-errors.ts'
import type { Spool } from './spool.ts'

export class Uploads {
  readonly #exchange: Exchange
  readonly #spools = new Set<Spool>()
  readonly #abort = () => this.release()
  /** Deferred tasks may read the files; behind them somebody calls `release`. */
  outlives = false
  #isOver = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** @throws MillraceError `APP_FILE_GONE` when the request is over */
  add(spool: Spool): void {
    if (this.#isOver) throw fileGone()
    // The signal is made on first use: a form without files does not ask for it.
    if (this.#spools.size === 0) this.#exchange.signal.addEventListener('abort', this.#abort, { once: true })
    this.#spools.add(spool)
  }

  drop(spool: Spool): void {
    this.#spools.delete(spool)
    spool.release()
  }

  /** The answer is out: a client that leaves changes nothing any more for what was deferred. */
  end(): void {
    if (!this.outlives) this.release()
    else if (this.#spools.size > 0) this.#exchange.signal.removeEventListener('abort', this.#abort)
  }

  /** May come twice. */
  release(): void {
    if (this.#spools.size > 0) this.#exchange.signal.removeEventListener('abort', this.#abort)
    this.#isOver = true
    for (const spool of this.#spools) spool.release()
    this.#spools.clear()
  }
}
