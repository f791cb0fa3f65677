// One question to a child process of ours, and its answer: the child ends with it, and is ended when that takes too long or is not wanted.
import type { ChildProcess } from 'node:child_process'
import type { WorkerExit } from './worker-exit.ts'

export interface AskTerms {
  readonly timeoutMs: number
  /** Ends the child; one that is aborted already asks nothing. */
  readonly signal?: AbortSignal | undefined
}

export interface Told<Answer> {
  /** Undefined when the child ended without a word. */
  readonly answer: Answer | undefined
  readonly exit: WorkerExit
  /** It was ended because its time was over. */
  readonly isLate: boolean
}

/** Resolves when the child is gone, and its pipes are read to their end. Call it in the turn in which the child was started. */
export function askChild<Answer>(
  child: ChildProcess,
  question: object,
  { timeoutMs, signal }: AskTerms,
): Promise<Told<Answer>> {
  return new Promise(resolve => {
    let answer: Answer | undefined
    let isLate = false
    const kill = (): void => void child.kill('SIGKILL')
    const timer = setTimeout(() => {
      isLate = true
      kill()
    }, timeoutMs)
    const ended = (exit: WorkerExit): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', kill)
      resolve({ answer, exit, isLate })
    }
    // One that could not be started never ends.
    child.on('error', error => {
      if (!child.pid) ended({ code: null, signal: null, error })
    })
    child.once('message', message => (answer = message as Answer))
    child.once('close', (code, signal) => ended({ code, signal }))
    signal?.addEventListener('abort', kill, { once: true })
    if (signal?.aborted) return kill()
    // One that has just died is told by its end, and one that could not be started has no channel.
    if (child.connected) child.send(question, () => {})
  })
}
