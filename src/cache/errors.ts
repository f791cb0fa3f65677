// The ways in which a cache can be misused. A load that fails rejects with its own error, never with one of these.
import { UsageError } from '../core/error.ts'

/** A bound that would make the cache useless or endless. */
export function badLimit(name: string, found: unknown): UsageError {
  return new UsageError(
    'CACHE_BAD_LIMIT',
    `${name} is ${String(found)}; a cache needs a whole number of at least 1, or Infinity for no bound`,
  )
}
