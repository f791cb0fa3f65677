// Where and with what a figure was measured: it means nothing without.
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

export interface Circumstances {
  readonly date: string
  /** With '+' when there were uncommitted changes. */
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryMiB: number
    readonly kernel: string
  }
  readonly versions: Readonly<Record<string, string>>
}

export function circumstances(versions: Readonly<Record<string, string>>): Circumstances {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryMiB: Math.round(totalmem() / 2 ** 20),
      kernel: release(),
    },
    versions: { node: process.versions.node, ...versions },
  }
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  try {
    return (
      git('rev-parse', '--short=12', 'HEAD') +
      (git('status', '--porcelain', '--', '../../src', '../../examples') ? '+' : '')
    )
  } catch {
    return 'unknown'
  }
}
