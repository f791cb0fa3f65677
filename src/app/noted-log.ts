// A log that carries what has been noted about its request on every line.
import type { Log } from './context.ts'

/** Fields first, as pino takes them; what a line says itself wins. */
export function noted(log: Log, fields: Readonly<Record<string, unknown>>): Log {
  const withFields = ([first, ...rest]: unknown[]): unknown[] => {
    if (first instanceof Error) return [{ ...fields, err: first }, ...rest]
    return typeof first === 'object' && first !== null ? [{ ...fields, ...first }, ...rest] : [fields, first, ...rest]
  }
  return {
    debug: (...of) => log.debug(...withFields(of)),
    info: (...of) => log.info(...withFields(of)),
    warn: (...of) => log.warn(...withFields(of)),
    error: (...of) => log.error(...withFields(of)),
  }
}
