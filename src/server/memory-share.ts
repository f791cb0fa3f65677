// How much memory one worker may have, where nobody has said: its part of what the container, or the machine, allows.
import { totalmem } from 'node:os'
import { memoryLimit } from './cgroup.ts'

// A worker is replaced at this part of its share, so that there is room for its successor to start beside it.
const RECYCLED_AT = 0.8

// The supervisor, which stays about as large as a Node that does nothing.
const RESERVE_BYTES = 64 * 1024 * 1024

/** @param workers  wanted; one more is there while one is replaced */
export function workerShare(workers: number, allowed = allowedBytes()): number {
  return Math.max(0, Math.floor((RECYCLED_AT * (allowed - RESERVE_BYTES)) / (workers + 1)))
}

/** Of the control group where it has a limit, of the machine otherwise. */
function allowedBytes(): number {
  return Math.min(memoryLimit() ?? Infinity, totalmem())
}
