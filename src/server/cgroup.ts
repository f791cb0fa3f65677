// What the control group of this process allows: processors, memory, and how often the kernel has killed in it for want of memory.
// Version 2 and version 1, each with the groups above, because the narrowest counts and a container shows only part of the path.
//
// Node tells some of it (availableParallelism, constrainedMemory), rounding a quota of 1.5 processors down to 1 and overlooking
// version 1 where the controllers are mounted apart (Node 26.10, 22.18).
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/** @param root  of the file system that is read; another in tests */
export function cpuQuota(root = '/'): number | undefined {
  const v2 = readings(root, '', 'cpu.max').map(text => share(...(text.split(' ') as [string, string])))
  const quota = readings(root, 'cpu', 'cpu.cfs_quota_us')
  const period = readings(root, 'cpu', 'cpu.cfs_period_us')
  const v1 = quota.map((text, level) => share(text, period[level]))
  return least([...v2, ...v1])
}

/** What `workers: auto` means here: one for each processor that this process may use, by its quota too. */
export function processors(root = '/'): number {
  const quota = cpuQuota(root)
  if (quota === undefined) return availableParallelism()
  // Rounded up: half a processor that nobody uses is lost, and the kernel slows down whoever takes more.
  return Math.max(1, Math.min(Math.ceil(quota), allowedProcessors(root)))
}

/** Bytes; undefined without a limit, which version 2 calls "max" and version 1 a number near 2^63. */
export function memoryLimit(root = '/'): number | undefined {
  const found = [...readings(root, '', 'memory.max'), ...readings(root, 'memory', 'memory.limit_in_bytes')]
  return least(found.map(Number).map(bytes => (bytes < UNLIMITED ? bytes : undefined)))
}

/** Processes of our group that the kernel has killed for want of memory; of the group itself, not of those above. */
export function oomKills(root = '/'): number {
  const text = readings(root, '', 'memory.events')[0] ?? readings(root, 'memory', 'memory.oom_control')[0] ?? ''
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
}

const UNLIMITED = 2 ** 60

/** @param controller  '' is version 2 @returns the file in our group, then in those above it, as far as there are any */
function readings(root: string, controller: string, file: string): string[] {
  const texts: string[] = []
  for (let path = ownGroup(root, controller); path !== undefined; path = path === '/' ? undefined : dirname(path)) {
    // Both versions at once have version 2 in a folder of its own, without the controllers that version 1 holds.
    const text = read(join(root, 'sys/fs/cgroup', controller, path, file))
    if (text !== undefined) texts.push(text.trim())
  }
  return texts
}

/** "0::/app" in version 2, "4:memory:/app" or "3:cpu,cpuacct:/app" in version 1. */
function ownGroup(root: string, controller: string): string | undefined {
  for (const line of (read(join(root, 'proc/self/cgroup')) ?? '').split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (names?.split(',').includes(controller) === true) return path
  }
  return undefined
}

/** "0-3,8": those that this process may run on, whatever its quota; what Node says where the system does not. */
function allowedProcessors(root: string): number {
  const listed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read(join(root, 'proc/self/status')) ?? '')?.[1]
  if (listed === undefined) return availableParallelism()
  const ranges = listed.split(',').map(range => range.split('-').map(Number))
  return ranges.reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0)
}

/** "150000 100000" is 1.5 processors; "max" and -1 are no limit. */
function share(quota: string, period: string | undefined): number | undefined {
  const processors = Number(quota) / Number(period)
  return processors > 0 && Number.isFinite(processors) ? processors : undefined
}

function least(found: readonly (number | undefined)[]): number | undefined {
  const limits = found.filter(limit => limit !== undefined)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

function read(file: string): string | undefined {
  try {
    // eslint-disable-next-line n/no-sync -- files of the kernel, in the supervisor, which serves nothing
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
