// churn: a minute of reloads, scalings and recyclings under 1,000 kept connections, and what it costs their requests; then a worker killed every
// two seconds, which costs what that worker was answering.
import { kill } from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import type { SteadyOrder, SteadyReport } from './clients/steady.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender, type Running } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { aligned, writeResult } from './harness/report.ts'
import { command, statusOf } from './processes.ts'

const CONNECTIONS = 1_000
/** Between an answer and the next question: most of the processor is left to the changes. */
const PAUSE_MS = 500
const CHANGING_MS = 60_000
const KILLING_MS = 20_000
const KILL_EVERY_MS = 2_000
const RELOADS = 10
const SCALINGS: readonly NodeJS.Signals[] = ['SIGTTIN', 'SIGTTIN', 'SIGTTOU', 'SIGTTIN', 'SIGTTOU']

interface Phase extends SteadyReport {
  readonly phase: string
  readonly reloads: number
  readonly recycled: number
  readonly restarts: number
}

export async function churn(options: Options): Promise<void> {
  await allowDescriptors(3 * CONNECTIONS)
  const { load } = await pinning()
  // Some 2,000 requests a second over two to four workers: each is due after a second or two, as soon as no reload runs.
  const recycling = ['--max-requests', '600', '--max-requests-jitter', '600']
  const changing = await phase('changes', load, recycling, CHANGING_MS, change)
  const killing = await phase('kill -9', load, [], KILLING_MS, killOneByOne)
  const phases = [changing, killing]
  const output = options.json ? phases.map(each => JSON.stringify(each)).join('\n') : table(phases)
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  say(`written: ${writeResult(about.date, 'churn', { bench: 'churn', ...about, connections: CONNECTIONS, phases })}`)
}

async function phase(
  name: string,
  pin: readonly string[],
  more: readonly string[],
  forMs: number,
  act: (running: Running, untilMs: number) => Promise<void>,
): Promise<Phase> {
  say(`${name}, for ${forMs / 1000} s`)
  const server: Contender = { name: 'millrace', about: '', command: port => command(port, 2, more) }
  // Not pinned: several workers share the cores with whoever asks them.
  const running = await start(server, [], { path: '/' })
  const client = helper('steady.ts', pin)
  try {
    const port = Number(new URL(running.origin).port)
    await client.ask({ begin: { port, connections: CONNECTIONS, pauseMs: PAUSE_MS } } satisfies SteadyOrder)
    await act(running, performance.now() + forMs)
    const report = await client.ask<SteadyReport>({ end: true } satisfies SteadyOrder)
    const { reloads, recycles, restarts } = await statusOf(running)
    return { phase: name, ...report, reloads, recycled: recycles.requests, restarts }
  } finally {
    await client.stop()
    await running.stop()
  }
}

async function change(running: Running, untilMs: number): Promise<void> {
  const changes: readonly NodeJS.Signals[] = Array.from({ length: RELOADS }).flatMap((_, n) =>
    n % 2 === 0 ? ['SIGHUP'] : ['SIGHUP', SCALINGS[(n - 1) / 2]!],
  )
  for (const [n, signal] of changes.entries()) {
    const { reloads } = await statusOf(running)
    kill(running.pid, signal)
    // A second reload would end the first where it is, and recyclings wait for both.
    while (signal === 'SIGHUP' && (await statusOf(running)).reloads === reloads) await pause(50)
    const leftMs = untilMs - performance.now()
    await pause(Math.max(0, leftMs / (changes.length - n)))
  }
}

async function killOneByOne(running: Running, untilMs: number): Promise<void> {
  for (let n = 0; performance.now() < untilMs; n++) {
    const ready = (await statusOf(running)).workers.filter(({ state }) => state === 'ready')
    const victim = ready[n % ready.length]
    if (victim) kill(victim.pid, 'SIGKILL')
    await pause(KILL_EVERY_MS)
  }
}

function table(phases: readonly Phase[]): string {
  const head = ['', 'reloads', 'recycled', 'killed', 'answered', 'refused', 'failed', 'lost']
  const rows = phases.map(({ phase, reloads, recycled, restarts, answered, refused, failed, lost }) => [
    phase,
    ...[reloads, recycled, restarts, answered, refused, failed, lost].map(String),
  ])
  return aligned([head, ...rows])
}
