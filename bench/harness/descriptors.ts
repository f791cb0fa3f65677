// Enough file descriptors for this process and all that it starts.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

/** @throws Error that says what to do, when the hard limit is too low and we may not raise it */
export async function allowDescriptors(count: number): Promise<void> {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
  // Node raises its own soft limit to the hard one.
  if (hard === 'unlimited' || Number(hard) >= count) return
  try {
    await promisify(execFile)('prlimit', ['--pid', String(process.pid), `--nofile=${count}:${count}`])
  } catch (error) {
    throw new Error(
      `${count} descriptors are needed and the hard limit is ${hard}: raise it (ulimit -Hn), or run as root`,
      {
        cause: error,
      },
    )
  }
}
