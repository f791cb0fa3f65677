// Counts that all workers of a server share.
import { type Duration, milliseconds } from '../core/duration.ts'
import { UsageError } from '../core/error.ts'
import { host } from '../core/host.ts'

export interface CounterOptions {
  /** The count starts anew this long after the first that was added: a window, as rate limits have. Default: never. */
  readonly window?: Duration
}

export interface Counter {
  readonly name: string
  /**
   * Adds, in the order in which the workers ask.
   *
   * @param by  a whole number, also below zero; default 1
   * @returns the count with it, over all workers
   * @throws UsageError `APP_BAD_COUNT`
   */
  add(by?: number): Promise<number>
  value(): Promise<number>
}

/**
 * Names a count that all workers of this server share; the same name is the same count everywhere. It outlives workers and reloads, and goes with
 * the server: what must be kept is for a database. At most 100,000 names are kept, those used last.
 *
 * One message to the supervisor and back, some 0.1 ms; beyond one host, use Redis.
 *
 * @example if ((await counter(`login ${client.address}`, { window: '1m' }).add()) > 10) fail(429, 'Try again in a minute')
 * @throws UsageError `CORE_BAD_DURATION`
 */
export function counter(name: string, options: CounterOptions = {}): Counter {
  const lifeMs = options.window === undefined ? Infinity : milliseconds(options.window, `counter ${name} window`)
  return {
    name,
    async add(by = 1) {
      if (!Number.isSafeInteger(by))
        throw new UsageError('APP_BAD_COUNT', `counter ${name}: ${String(by)} is not a whole number`)
      return host().count(name, by, lifeMs)
    },
    value: () => host().count(name, 0, lifeMs),
  }
}
