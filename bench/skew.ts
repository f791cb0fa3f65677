// skew: how evenly 1,000 connections fall on four workers, kept ones and one for each request, under load: (most - mean) / mean.
//
// Looked at once a second while the load runs, when it has been there for a while; the median of the looks is a run's figure.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'
import { findTool, type Tool } from './harness/tools.ts'
import { command, statusOf } from './processes.ts'

const CONNECTIONS = 1_000
const WORKERS = 4
const SECONDS = 15
/** Of them, before the first look. */
const WARM_UP_SECONDS = 7

interface Run {
  readonly kept: number
  readonly short: number
}

const server: Contender = { name: 'millrace', about: '', command: port => command(port, WORKERS) }

export async function skew(options: Options): Promise<void> {
  await allowDescriptors(3 * CONNECTIONS)
  const wrk = await findTool('wrk')
  if (typeof wrk === 'string') throw new Error(`wrk: ${wrk}`)
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    runs.push({ kept: await oneRun(wrk, []), short: await oneRun(wrk, ['-H', 'Connection: close']) })
  }
  const of = (read: (run: Run) => number) => [median(runs.map(read)), ...runs.map(read)]
  const head = ['connections', 'median %', ...runs.map((_, n) => `run ${n + 1}`)]
  const percent = (parts: readonly number[]) => parts.map(part => (100 * part).toFixed(1))
  const rows = [
    ['kept', ...percent(of(run => run.kept))],
    ['one each', ...percent(of(run => run.short))],
  ]
  process.stdout.write(`${options.json ? runs.map(run => JSON.stringify(run)).join('\n') : aligned([head, ...rows])}\n`)
  if (!options.save) return
  const about = circumstances({ wrk: wrk.version })
  const settings = { connections: CONNECTIONS, workers: WORKERS, seconds: SECONDS }
  say(`written: ${writeResult(about.date, 'skew', { bench: 'skew', ...about, settings, runs })}`)
}

async function oneRun(wrk: Tool, more: readonly string[]): Promise<number> {
  const running = await start(server, [], { path: '/' })
  try {
    const args = ['-t', '2', '-c', String(CONNECTIONS), '-d', String(SECONDS), ...more, `${running.origin}/`]
    const load = spawn(wrk.path, args, { env: { ...process.env, ...wrk.env }, stdio: 'ignore' })
    const ended = once(load, 'exit')
    await pause(WARM_UP_SECONDS * 1_000)
    const looks: number[] = []
    for (let second = WARM_UP_SECONDS; second < SECONDS - 1; second++) {
      looks.push((await statusOf(running)).connectionSkew)
      await pause(1_000)
    }
    await ended
    return median(looks)
  } finally {
    await running.stop()
  }
}
