// What a server costs, all its processes together: CPU time and resident memory from /proc. Linux only.
import { readdirSync, readFileSync } from 'node:fs'

export interface Usage {
  /** User plus system time since the processes began, those of children that have ended included. */
  readonly cpuMs: number
  /** Sum of VmRSS: pages that processes share are counted in each. */
  readonly rssKiB: number
}

/** USER_HZ, the unit of times in /proc: 100 on every Linux that Node runs on, whatever the kernel's own HZ. */
const TICK_MS = 10

interface Stat {
  readonly parent: number
  readonly ticks: number
}

/** @throws Error when the root process is gone */
export function usageOfTree(root: number): Usage {
  const stats = readStats()
  if (!stats.has(root)) throw new Error(`process ${root} has ended`)
  let ticks = 0
  let rssKiB = 0
  for (const pid of treeOf(root, stats)) {
    ticks += stats.get(pid)!.ticks
    rssKiB += readRss(pid)
  }
  return { cpuMs: ticks * TICK_MS, rssKiB }
}

/** Resident memory of these processes: a look that costs those who are measured nothing to speak of. */
export function residentKiB(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readRss(pid), 0)
}

/** Every process below and including `root` now. */
export function processesOf(root: number): readonly number[] {
  const stats = readStats()
  return stats.has(root) ? treeOf(root, stats) : []
}

function readStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined
    if (stat) stats.set(Number(name), stat)
  }
  return stats
}

function treeOf(root: number, stats: ReadonlyMap<number, Stat>): number[] {
  const tree = [root]
  for (const member of tree) for (const [pid, { parent }] of stats) if (parent === member) tree.push(pid)
  return tree
}

function readStat(pid: string): Stat | undefined {
  const text = readProc(pid, 'stat')
  if (text === undefined) return undefined
  // The second field is the name in parentheses, which may contain anything; the third is the state.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number) as [number, number, number, number]
  return { parent: Number(fields[1]), ticks: utime + stime + cutime + cstime }
}

function readRss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readProc(String(pid), 'status') ?? '')?.[1] ?? 0)
}

/** Undefined when the process ended meanwhile. */
function readProc(pid: string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return undefined
  }
}
