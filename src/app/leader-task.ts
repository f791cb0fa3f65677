// What one worker of a server does for all of them: started again when it fails, ever later, for as long as the worker leads.
import { host } from '../core/host.ts'
import type { Log, WorkerContext } from './context.ts'

/** Runs in one worker at a time; `signal` aborts when it is to end. */
export type Leader = (context: WorkerContext) => void | Promise<void>

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

/** @returns the function that ends it, and resolves when it has ended */
export function lead(task: Leader, log: Log): () => Promise<void> {
  return host().lead(signal => untilDone(task, { signal, log }))
}

/** Resolves when all have ended, or after `graceMs`. */
export async function endLeading(ends: readonly (() => Promise<void>)[], graceMs: number, log: Log): Promise<void> {
  const late = new AbortController()
  const ended = Promise.all(ends.map(end => end())).then(() => true)
  const hasEnded = await Promise.race([ended, pause(graceMs, late.signal).then(() => false)])
  late.abort()
  if (!hasEnded) log.warn(`the leader's task has not ended within ${Math.round(graceMs)} ms after its signal`)
}

async function untilDone(task: Leader, context: WorkerContext): Promise<void> {
  const { signal, log } = context
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    try {
      return await task(context)
    } catch (err) {
      // What waits with the signal rejects with it: no failure.
      if (signal.aborted) return
      log.error({ err }, `the leader's task failed; it starts again in ${pauseMs / 1000} s`)
    }
    await pause(pauseMs, signal)
  }
}

/** Resolves after `ms`, or as soon as the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
