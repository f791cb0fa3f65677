// The pid file: names the process of the server for scripts that signal it. Written as a whole or not at all, gone when the server is.
//
// One that a killed server left is recognised: its process is gone, or began after the file was written and is another that got the number
// again, as happens in every container that is restarted.
import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { link, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

export interface PidFile {
  /** Unless it names another server by now. */
  remove(): Promise<void>
}

/**
 * @param before  a process of ours that hands its place over: its file is replaced
 * @throws StartError `PIDFILE_BUSY` when it names another process that runs, `PIDFILE_FAILED` when it cannot be written; exit code 4
 */
export async function writePidFile(path: string, pid = process.pid, before?: number): Promise<PidFile> {
  const file = resolve(path)
  const whole = `${file}.${randomBytes(4).toString('hex')}`
  try {
    await writeFile(whole, `${pid}\n`, { flag: 'wx', mode: 0o644 })
    try {
      await place(whole, file, before)
    } finally {
      await unlink(whole).catch(() => {})
    }
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(
      'PIDFILE_FAILED',
      EXIT.address,
      `the pid file ${path} cannot be written: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
  return {
    remove: async () => {
      if ((await namedIn(file)) === pid) await unlink(file).catch(() => {})
    },
  }
}

async function place(whole: string, file: string, before: number | undefined): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (before !== undefined && (await namedIn(file)) === before) return rename(whole, file)
    try {
      // Fails when it is there: of two servers that start together one gets it.
      return await link(whole, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries > 3) throw error
    }
    const found = await stat(file, { bigint: true }).catch(() => undefined)
    const other = await namedIn(file)
    if (other !== undefined && (await isTheSame(other, file)))
      throw new StartError(
        'PIDFILE_BUSY',
        EXIT.address,
        `${file} names process ${other}, which runs: stop that server, or choose another --pidfile`,
      )
    if (found !== undefined) await clearAway(file, found)
  }
}

/** Of two servers that find the same stale file, the later one must not take away what the earlier one has written since. */
async function clearAway(file: string, stale: BigIntStats): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`
  try {
    await rename(file, aside)
    const { ino, dev, mtimeNs } = await stat(aside, { bigint: true })
    if (ino !== stale.ino || dev !== stale.dev || mtimeNs !== stale.mtimeNs) await link(aside, file)
  } catch (error) {
    // Somebody was faster, and is looked at next.
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await unlink(aside).catch(() => {})
  }
}

/** @returns undefined for a file that is not there, or names no process */
async function namedIn(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return /^\d{1,10}\s*$/.test(text) ? Number(text) : undefined
}

/** The process runs, and is the one that was meant when the file was written. */
async function isTheSame(pid: number, file: string): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const [beganMs, written] = await Promise.all([startOf(pid), stat(file).catch(() => undefined)])
  // A second, which is how exactly the system says when it was started itself.
  return beganMs === undefined || written === undefined || beganMs <= written.mtimeMs + 1_000
}

/** In ms since 1970; undefined where the system does not tell. */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const [own, system] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile('/proc/stat', 'utf8')])
    // proc_pid_stat(5): field 22, in ticks of a hundredth of a second since the system started. The name in field 2 may hold anything.
    const ticks = Number(own.slice(own.lastIndexOf(')') + 2).split(' ')[19])
    const bootSeconds = Number(/^btime (\d+)$/m.exec(system)?.[1])
    return Number.isFinite(ticks + bootSeconds) ? (bootSeconds + ticks / 100) * 1000 : undefined
  } catch {
    return undefined
  }
}
