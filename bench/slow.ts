// slow: what 1,500 clients that are slow on purpose do to everybody else, and how long the server puts up with them.
//
// Each run is a fresh server: normal requests on a schedule alone, then the same beside the slow clients until all of those are gone.
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenLoad, OpenLoadReport } from './clients/open-loop.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import { collecting, settledRssKiB } from './harness/memory.ts'
import type { Options } from './harness/options.ts'
import { processesOf, residentKiB } from './harness/process-tree.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'
import { SLOW_ADDRESSES, SLOW_KINDS, type SlowClients, slowClients, type SlowKind } from './harness/slow-clients.ts'
import { heldSockets } from './harness/sockets.ts'
import { serve } from './hello.ts'

/** Of each kind. */
const SOCKETS = 500
/** A steady rate that leaves both cores room on a small machine: what is measured is the wait, not the throughput. */
const PER_SECOND = 500
/** With the slow ones: past the time-outs of bodies (from 5 s) and of heads (10 s), which end 500 connections at once each. */
const SECONDS_BESIDE = 12
/** The longest limit, 30 s without progress, and the sweeps around it. */
const PATIENCE_MS = 45_000
/** Seldom, and at little: what looks shares the cores with what is measured (a list of all sockets takes 10 ms of one). */
const LOOK_EVERY_MS = 1000

interface Run {
  readonly alone: OpenLoadReport
  readonly beside: OpenLoadReport
  /** From the first of them, until the server has ended the last of the kind; undefined: some were left. */
  readonly goneAfterSeconds: Readonly<Record<SlowKind, number | undefined>>
  readonly beforeMiB: number
  readonly mostMiB: number
  readonly afterMiB: number
}

const server: Contender = {
  name: 'millrace',
  about: 'millrace serve bench/servers/bodies.ts --workers 1, shipped defaults',
  command: port => collecting(serve('bench/servers/bodies.ts', port)),
}

export async function slow(options: Options): Promise<void> {
  await allowDescriptors(SOCKETS * SLOW_KINDS.length + 1_000)
  const pins = await pinning()
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`run ${round + 1} of ${options.rounds}`)
    runs.push(await once(options, pins))
  }
  const output = options.json ? runs.map(run => JSON.stringify(run)).join('\n') : table(runs)
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  const settings = {
    socketsOfEachKind: SOCKETS,
    perSecond: PER_SECOND,
    secondsAlone: options.seconds,
    secondsBeside: SECONDS_BESIDE,
  }
  say(`written: ${writeResult(about.date, 'slow', { bench: 'slow', ...about, settings, runs })}`)
}

async function once({ seconds, warmUpSeconds }: Options, pins: Awaited<ReturnType<typeof pinning>>): Promise<Run> {
  const running = await start(server, pins.server, { path: '/' })
  const normal = helper('open-loop.ts', pins.load)
  const port = Number(new URL(running.origin).port)
  const load = (forSeconds: number) =>
    normal.ask<OpenLoadReport>({ port, path: '/', perSecond: PER_SECOND, seconds: forSeconds } satisfies OpenLoad)
  let clients: SlowClients | undefined
  try {
    await load(warmUpSeconds)
    const beforeKiB = await settledRssKiB(running)
    const alone = await load(seconds)
    const startMs = performance.now()
    clients = await slowClients(port, SOCKETS, pins.load)
    const watched = watch(clients, running.pid, port, startMs)
    const beside = await load(SECONDS_BESIDE)
    const { goneAfterSeconds, mostKiB } = await watched
    const afterKiB = await settledRssKiB(running)
    return {
      alone,
      beside,
      goneAfterSeconds,
      beforeMiB: beforeKiB / 1024,
      mostMiB: mostKiB / 1024,
      afterMiB: afterKiB / 1024,
    }
  } finally {
    await Promise.all([normal.stop(), clients?.stop(), running.stop()])
  }
}

/** Looks at the server's memory until the slow clients are gone, as they and the kernel say, or patience is at its end. */
async function watch(
  { goneAtMs }: SlowClients,
  pid: number,
  port: number,
  startMs: number,
): Promise<{ goneAfterSeconds: Run['goneAfterSeconds']; mostKiB: number }> {
  const pids = processesOf(pid)
  let mostKiB = 0
  do {
    await delay(LOOK_EVERY_MS)
    mostKiB = Math.max(mostKiB, residentKiB(pids))
  } while (goneAtMs.size < SLOW_KINDS.length && performance.now() - startMs < PATIENCE_MS)
  const held = heldSockets(port)
  const seconds = (kind: SlowKind): number | undefined => {
    const atMs = goneAtMs.get(kind)
    return atMs === undefined || held.has(SLOW_ADDRESSES[kind])
      ? undefined
      : Number(((atMs - startMs) / 1000).toFixed(1))
  }
  return { goneAfterSeconds: { head: seconds('head'), body: seconds('body'), reader: seconds('reader') }, mostKiB }
}

function table(runs: readonly Run[]): string {
  const head = [
    'run',
    'p99 alone',
    'beside',
    'most',
    'failed',
    'heads s',
    'bodies s',
    'readers s',
    'MiB',
    'most',
    'after',
  ]
  const seconds = (value: number | undefined) => value?.toFixed(1) ?? 'left'
  const rows = runs.map((run, n) => [
    String(n + 1),
    run.alone.p99Ms.toFixed(2),
    run.beside.p99Ms.toFixed(2),
    run.beside.mostMs.toFixed(2),
    String(run.alone.failed + run.beside.failed),
    ...SLOW_KINDS.map(kind => seconds(run.goneAfterSeconds[kind])),
    run.beforeMiB.toFixed(1),
    run.mostMiB.toFixed(1),
    run.afterMiB.toFixed(1),
  ])
  const alone = median(runs.map(run => run.alone.p99Ms))
  const beside = median(runs.map(run => run.beside.p99Ms))
  const allowed = Math.max(2 * alone, alone + 5)
  return `${aligned([head, ...rows])}\np99 of normal requests, median of the runs: ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside (allowed: ${allowed.toFixed(2)})`
}
