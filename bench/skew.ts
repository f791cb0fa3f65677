// skew: how evenly 1,000 connections fall on four workers under load, kept ones, some of twenty requests, and one for each request:
// (most - mean) / mean.
//
// Looked at fifty times a second in /proc, all workers in the same moment, when the load has been there for a while. A run has two figures: the skew of
// what each worker had open on average, and the median of the skews of the single looks. For kept connections they are the same; those that
// last for one request come and go, and at any one moment somebody has more of them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
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
const LOOK_EVERY_MS = 20
/** Before what is open without a load is counted: the question by which it was found ready is over. */
const IDLE_MS = 500

interface Figures {
  readonly average: number
  readonly look: number
}

interface Run {
  readonly kept: Figures
  /** Some twenty requests on each. */
  readonly short: Figures
  readonly one: Figures
}

const server: Contender = { name: 'millrace', about: '', command: port => command(port, WORKERS) }

export async function skew(options: Options): Promise<void> {
  await allowDescriptors(3 * CONNECTIONS)
  const wrk = await findTool('wrk')
  if (typeof wrk === 'string') throw new Error(`wrk: ${wrk}`)
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    runs.push({
      kept: await oneRun(wrk, []),
      short: await oneRun(wrk, ['-s', join(import.meta.dirname, 'harness/short-lived.lua')]),
      one: await oneRun(wrk, ['-H', 'Connection: close']),
    })
  }
  const of = (read: (run: Run) => number) => [median(runs.map(read)), ...runs.map(read)]
  const head = ['connections', 'median %', ...runs.map((_, n) => `run ${n + 1}`)]
  const percent = (parts: readonly number[]) => parts.map(part => (100 * part).toFixed(1))
  const rows = [
    ['kept', ...percent(of(run => run.kept.average))],
    ['kept, at a look', ...percent(of(run => run.kept.look))],
    ['20 requests each', ...percent(of(run => run.short.average))],
    ['20 requests each, at a look', ...percent(of(run => run.short.look))],
    ['1 request each', ...percent(of(run => run.one.average))],
    ['1 request each, at a look', ...percent(of(run => run.one.look))],
  ]
  process.stdout.write(`${options.json ? runs.map(run => JSON.stringify(run)).join('\n') : aligned([head, ...rows])}\n`)
  if (!options.save) return
  const about = circumstances({ wrk: wrk.version })
  const settings = { connections: CONNECTIONS, workers: WORKERS, seconds: SECONDS }
  say(`written: ${writeResult(about.date, 'skew', { bench: 'skew', ...about, settings, runs })}`)
}

async function oneRun(wrk: Tool, more: readonly string[]): Promise<Figures> {
  const running = await start(server, [], { path: '/' })
  try {
    const pids = (await statusOf(running)).workers.map(({ pid }) => pid)
    await pause(IDLE_MS)
    const own = pids.map(descriptors)
    const args = ['-t', '2', '-c', String(CONNECTIONS), '-d', String(SECONDS), ...more, `${running.origin}/`]
    const load = spawn(wrk.path, args, { env: { ...process.env, ...wrk.env }, stdio: 'ignore' })
    const ended = once(load, 'exit')
    await pause(WARM_UP_SECONDS * 1_000)
    const looks: number[][] = []
    const untilMs = performance.now() + (SECONDS - WARM_UP_SECONDS - 1) * 1_000
    while (performance.now() < untilMs) {
      looks.push(pids.map((pid, n) => descriptors(pid) - own[n]!))
      await pause(LOOK_EVERY_MS)
    }
    await ended
    const averages = pids.map((_, n) => looks.reduce((sum, look) => sum + look[n]!, 0) / looks.length)
    return { average: skewOf(averages), look: median(looks.map(skewOf)) }
  } finally {
    await running.stop()
  }
}

/** Those that a process has open: all but a handful, which do not change, are connections. */
function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function skewOf(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return (Math.max(...counts) - mean) / mean
}
