// skew: how evenly 1,000 connections fall on four workers under load, kept ones, some of twenty requests, and one for each request:
// (most - mean) / mean.
//
// Looked at fifty times a second in /proc, all workers in the same moment, when the load has been there for a while. A run has two figures: the skew of
// what each worker had open on average, and the median of the skews of the single looks. For kept connections they are the same; those that
// last for one request come and go, and at any one moment somebody has more of them.
//
// Twice: apart, where the workers share core 0 and the load has core 1, so that each worker gets as much of the processor as the others; and together,
// where workers and load share both, and a worker that has a core to itself takes more of what is new than two that share one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pinning, say } from './harness/compare.ts'
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
const SECONDS = 13
/** Of them, before the first look. */
const WARM_UP_SECONDS = 5
const LOOK_EVERY_MS = 20
/** Before what is open without a load is counted: the question by which it was found ready is over. */
const IDLE_MS = 500

interface Figures {
  readonly average: number
  readonly look: number
}

const LOADS: readonly (readonly [string, readonly string[]])[] = [
  ['kept', []],
  ['20 requests each', ['-s', join(import.meta.dirname, 'harness/short-lived.lua')]],
  ['1 request each', ['-H', 'Connection: close']],
]

type Pins = Awaited<ReturnType<typeof pinning>>

/** By what is told of it: the load and where everybody runs. */
type Run = Readonly<Record<string, Figures>>

const server: Contender = { name: 'millrace', about: '', command: port => command(port, WORKERS) }

export async function skew(options: Options): Promise<void> {
  await allowDescriptors(3 * CONNECTIONS)
  const wrk = await findTool('wrk')
  if (typeof wrk === 'string') throw new Error(`wrk: ${wrk}`)
  const places: readonly (readonly [string, Pins])[] = [
    ['apart', await pinning()],
    ['together', { server: [], load: [] }],
  ]
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    const run: Record<string, Figures> = {}
    for (const [place, pins] of places)
      for (const [load, args] of LOADS) run[`${load}, ${place}`] = await oneRun(wrk, args, pins)
    runs.push(run)
  }
  const percents = (figures: readonly number[]) =>
    [median(figures), ...figures].map(figure => (100 * figure).toFixed(1))
  const head = ['connections', 'median %', ...runs.map((_, n) => `run ${n + 1}`)]
  const rows = Object.keys(runs[0] ?? {}).flatMap(name => [
    [name, ...percents(runs.map(run => run[name]!.average))],
    ['  at a look', ...percents(runs.map(run => run[name]!.look))],
  ])
  process.stdout.write(`${options.json ? runs.map(run => JSON.stringify(run)).join('\n') : aligned([head, ...rows])}\n`)
  if (!options.save) return
  const about = circumstances({ wrk: wrk.version })
  const settings = { connections: CONNECTIONS, workers: WORKERS, seconds: SECONDS }
  say(`written: ${writeResult(about.date, 'skew', { bench: 'skew', ...about, settings, runs })}`)
}

async function oneRun(wrk: Tool, more: readonly string[], pins: Pins): Promise<Figures> {
  const running = await start(server, pins.server, { path: '/' })
  try {
    const pids = (await statusOf(running)).workers.map(({ pid }) => pid)
    await pause(IDLE_MS)
    const own = pids.map(descriptors)
    const args = ['-t', '2', '-c', String(CONNECTIONS), '-d', String(SECONDS), ...more, `${running.origin}/`]
    const [file, ...rest] = [...pins.load, wrk.path, ...args] as [string, ...string[]]
    const load = spawn(file, rest, { env: { ...process.env, ...wrk.env }, stdio: 'ignore' })
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
