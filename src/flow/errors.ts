// Why work was refused: three ways of being full, told apart in logs and the same to a client (503, come back later), and misuse.
import { OverloadError, UsageError } from '../core/error.ts'

/** Not sooner than a second, and spread over two more: refused clients that return together are refused together. */
const RETRY_AFTER_MS = 1_000
const RETRY_SPREAD_MS = 2_000

const DETAIL = 'The server is busy; try again in a moment.'

/** No permit and no room to wait, or pushed out of the queue by more important work. */
export function queueFull(message: string, random: number): OverloadError {
  return new OverloadError('FLOW_QUEUE_FULL', message, { detail: DETAIL, retryAfterMs: retryAfterMs(random) })
}

/** The deadline passed before a permit was free; the work was never started. */
export function waitedTooLong(random: number): OverloadError {
  const message = 'the deadline passed while waiting for a permit'
  return new OverloadError('FLOW_WAITED_TOO_LONG', message, { detail: DETAIL, retryAfterMs: retryAfterMs(random) })
}

export function badLimit(name: string, found: unknown, least: number): UsageError {
  return new UsageError('FLOW_BAD_LIMIT', `${name} is ${String(found)}; give a whole number of at least ${least}`)
}

export function releasedTwice(): UsageError {
  return new UsageError('FLOW_RELEASED_TWICE', 'release() was called more often than permits were acquired')
}

function retryAfterMs(random: number): number {
  return RETRY_AFTER_MS + RETRY_SPREAD_MS * random
}
