// Replaces every worker by one with fresh code, one at a time: start the new one, wait until it is ready, drain the old one, go on.
// A new one that fails changes nothing: the old one stays, and so do those after it.
import type { RestartPolicy } from './restart-policy.ts'
import type { WorkerProcess } from './worker-process.ts'

/** The place of one worker: whoever dies there is replaced there. */
export interface Slot {
  /** 1 and up. */
  readonly number: number
  readonly restarts: RestartPolicy
  current: WorkerProcess | undefined
  /** Until the next start after a death. */
  timer: NodeJS.Timeout | undefined
}

export interface Roll {
  readonly slots: readonly Slot[]
  /** Starts a worker for the slot without giving it the place yet. */
  launch(slot: Slot): WorkerProcess
  /** Also one that is not ready yet: it may be accepting before it is known to be. */
  drain(worker: WorkerProcess): Promise<unknown>
  /** False once the slot was scaled away. */
  isWanted(slot: Slot): boolean
  /** Ends the roll where it is. */
  readonly signal: AbortSignal
}

/**
 * @returns how many were replaced
 * @throws StartError of the new worker that did not become ready
 */
export async function roll({ slots, launch, drain, isWanted, signal }: Roll): Promise<number> {
  let replaced = 0
  const aborted = new Promise<'aborted'>(resolve => signal.addEventListener('abort', () => resolve('aborted')))
  for (const slot of slots) {
    if (signal.aborted) break
    if (!isWanted(slot)) continue
    const next = launch(slot)
    if ((await Promise.race([next.ready, aborted])) === 'aborted') {
      void drain(next)
      break
    }
    if (!isWanted(slot)) {
      void drain(next)
      continue
    }
    const old = slot.current
    slot.current = next
    clearTimeout(slot.timer)
    replaced++
    if (old) await Promise.race([drain(old), aborted])
  }
  return replaced
}
