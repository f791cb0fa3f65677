// The ways in which a cache can be misused, and a load that failed elsewhere. One that fails here rejects with its own error.
import { OverloadError, UsageError } from '../core/error.ts'

/** A bound that would make the cache useless or endless. */
export function badLimit(name: string, found: unknown): UsageError {
  return new UsageError(
    'CACHE_BAD_LIMIT',
    `${name} is ${String(found)}; a cache needs a whole number of at least 1, or Infinity for no bound`,
  )
}

/** Another process has just failed to load the value, and for a moment nobody tries again. Status 503. */
export class LoadFailedError extends OverloadError {}

/** @param message  of the error that the load ended with */
export function loadFailed(message: string, retryInMs: number): LoadFailedError {
  return new LoadFailedError('CACHE_LOAD_FAILED', `another worker's load of this value has just failed: ${message}`, {
    detail: 'What this answer is made of cannot be had at the moment.',
    retryAfterMs: Math.max(retryInMs, 1),
  })
}

/** @param found  what the load gave */
export function badBatch(found: string): UsageError {
  return new UsageError(
    'CACHE_BAD_BATCH',
    `a load for a batch gave ${found}; it gives a Map by key, or an array with a value for each key, in their order`,
  )
}
