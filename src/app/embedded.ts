// An app inside somebody else's server: started by its first request, open requests counted, ended by close().
import { MillraceError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import type { ExchangeOwner } from './embedded-exchange.ts'
import type { BodyLimits } from './own-limits.ts'
import type { StartedApp } from './servable.ts'

export class Embedded implements ExchangeOwner {
  readonly #start: () => Promise<StartedApp>
  readonly #open = new Set<Exchange>()
  #starting: Promise<StartedApp> | undefined
  #running: StartedApp | undefined
  #closing: Promise<void> | undefined
  #emptied: (() => void) | undefined

  constructor(start: () => Promise<StartedApp>) {
    this.#start = start
  }

  /** The app once it is up: no request but the first ones pays a promise for it. */
  get running(): StartedApp | undefined {
    return this.#closing ? undefined : this.#running
  }

  /** Starts it if nobody has; after a start that failed the next request tries again. @throws MillraceError `APP_CLOSED` (503) */
  async up(): Promise<StartedApp> {
    if (this.#closing)
      throw new MillraceError('APP_CLOSED', 'a request came after app.close()', {
        status: 503,
        detail: 'The server is shutting down.',
        retryAfterMs: 1000,
      })
    if (!this.#starting) {
      this.#starting = this.#start()
      this.#starting.then(
        started => (this.#running = started),
        () => (this.#starting = undefined),
      )
    }
    return this.#starting
  }

  /** Those of the app that runs. */
  get bodyLimits(): BodyLimits {
    return this.#running?.bodyLimits ?? DEFAULT_LIMITS
  }

  began(exchange: Exchange): void {
    this.#open.add(exchange)
  }

  ended(exchange: Exchange): void {
    this.#open.delete(exchange)
    if (this.#open.size === 0) this.#emptied?.()
  }

  close(graceMs: number): Promise<void> {
    return (this.#closing ??= this.#close(graceMs))
  }

  async #close(graceMs: number): Promise<void> {
    const untilMs = performance.now() + graceMs
    // One whose start fails has nothing to close, and whoever waited for it has been told.
    const started = await this.#starting?.catch(() => undefined)
    if (!started) return
    // Requests that waited for the start begin in this turn of the microtask queue, behind us.
    await Promise.resolve()
    started.leave()
    if (this.#open.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#emptied = resolve
      const timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()))
      await promise
      clearTimeout(timer)
      for (const exchange of this.#open)
        exchange.destroy(new MillraceError('APP_CLOSED', `not answered within the ${graceMs} ms that close() gave`))
    }
    await started.stop(Math.max(0, untilMs - performance.now()))
  }
}
