// How a worker, or another child of ours, ended, in words, with what is likely to be behind it where the system gives a hint.

export interface WorkerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why there never was a process: too many of them, or of descriptors. */
  readonly error?: Error
}

/** "was killed by SIGKILL", "ended with code 1", "could not be started: spawn EAGAIN". */
export function endedHow({ code, signal, error }: WorkerExit): string {
  if (error !== undefined) return `could not be started: ${error.message}`
  return signal === null ? `ended with code ${code}` : `was killed by ${signal}`
}

export interface ExitFacts {
  /** We did it. */
  readonly isKilledByUs: boolean
  /** Processes of our control group that the kernel killed for want of memory since the last worker ended. */
  readonly oomKills: number
}

/** What to think of first; '' where the exit says enough. */
export function likelyCause({ code, signal }: WorkerExit, { isKilledByUs, oomKills }: ExitFacts): string {
  if (signal === 'SIGKILL' && !isKilledByUs)
    return oomKills > 0
      ? ' (out of memory: the kernel killed it at the memory limit of its control group)'
      : ' (not by Millrace: an operator, or the kernel for want of memory)'
  if (signal === 'SIGABRT') return ' (Node itself: most often its heap was full, see --max-old-space-size)'
  return code === 0 ? ' (the app called process.exit(), or closed what keeps it alive)' : ''
}
