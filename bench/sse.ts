// sse: what 5,000 clients of a stream of events cost in memory, how long one event takes to reach all of them, and how a drain ends them.
//
// A fresh server for each round, weighed as in `connections`: without garbage, before and with all streams open, each having had one event.
import type { EventsLoad, EventsReport } from './clients/events.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import { collecting, settledRssKiB } from './harness/memory.ts'
import type { Options } from './harness/options.ts'
import { peerPath } from './harness/peers.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'
import { script, serve } from './hello.ts'

const CLIENTS = 5_000
const WARM_UP_CLIENTS = 250
const BROADCASTS = 10

interface Run {
  readonly server: string
  readonly bytesPerClient: number
  readonly emptyMiB: number
  readonly fullMiB: number
  readonly openedPerSecond: number
  /** Median over the broadcasts: from asking for it to half, and all, of the clients having it. */
  readonly halfHaveItMs: number
  readonly allHaveItMs: number
  /** From SIGTERM to the last stream's end, each whole. */
  readonly drainMs: number
  readonly endedWhole: number
  readonly retries: EventsReport['retries']
}

const contenders: readonly Contender[] = [
  {
    name: 'millrace',
    about: 'millrace serve bench/servers/sse.ts --workers 1: an async generator over a channel for each client',
    command(port) {
      const command = serve('bench/servers/sse.ts', port)
      return collecting({
        ...command,
        args: [...command.args, '--max-connections', String(CLIENTS + 1_000), '--drain-delay', '0s'],
      })
    },
  },
  {
    name: 'node-http',
    about: 'node:http by hand: responses in a set, written to in turn',
    command: port => collecting(script(peerPath('node-http', 'sse.js'), port)),
  },
]

export async function sse(options: Options): Promise<void> {
  await allowDescriptors(CLIENTS + 1_000)
  const pins = await pinning()
  const chosen = contenders.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const runs: Run[] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    for (const contender of chosen) runs.push(await run(contender, pins))
  }
  const medians = chosen.map(({ name }) => {
    const own = runs.filter(({ server }) => server === name)
    const of = (figure: (run: Run) => number) => median(own.map(figure))
    return {
      server: name,
      bytesPerClient: Math.round(of(run => run.bytesPerClient)),
      emptyMiB: of(run => run.emptyMiB),
      fullMiB: of(run => run.fullMiB),
      openedPerSecond: Math.round(of(run => run.openedPerSecond)),
      halfHaveItMs: of(run => run.halfHaveItMs),
      allHaveItMs: of(run => run.allHaveItMs),
      drainMs: of(run => run.drainMs),
      endedWhole: Math.min(...own.map(run => run.endedWhole)),
    }
  })
  const rows = medians.map(each => [
    each.server,
    String(each.bytesPerClient),
    each.emptyMiB.toFixed(1),
    each.fullMiB.toFixed(1),
    String(each.openedPerSecond),
    each.halfHaveItMs.toFixed(1),
    each.allHaveItMs.toFixed(1),
    each.drainMs.toFixed(0),
    String(each.endedWhole),
  ])
  const head = [
    'server',
    'B/client',
    'MiB empty',
    `MiB with ${CLIENTS}`,
    'opened/s',
    'ms to half',
    'ms to all',
    'ms to drain',
    'ended whole',
  ]
  const output = options.json ? medians.map(each => JSON.stringify(each)).join('\n') : aligned([head, ...rows])
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  const result = { bench: 'sse', ...about, clients: CLIENTS, broadcasts: BROADCASTS, medians, runs }
  say(`written: ${writeResult(about.date, 'sse', result)}`)
}

async function run(contender: Contender, pins: Awaited<ReturnType<typeof pinning>>): Promise<Run> {
  const server = await start(contender, pins.server, { path: '/' })
  const port = Number(new URL(server.origin).port)
  try {
    const warm = helper('events.ts', pins.load)
    await warm.ask<EventsReport>({ do: 'open', port, connections: WARM_UP_CLIENTS } satisfies EventsLoad)
    await warm.ask<EventsReport>({ do: 'broadcast', port, n: 1 } satisfies EventsLoad)
    await warm.stop()
    const emptyKiB = await settledRssKiB(server)
    const client = helper('events.ts', pins.load)
    try {
      const opened = await client.ask<EventsReport>({ do: 'open', port, connections: CLIENTS } satisfies EventsLoad)
      const fullKiB = await settledRssKiB(server)
      const broadcasts: EventsReport[] = []
      for (let n = 1; n <= BROADCASTS; n++)
        broadcasts.push(await client.ask<EventsReport>({ do: 'broadcast', port, n } satisfies EventsLoad))
      const ended = await client.ask<EventsReport>({ do: 'end', pid: server.pid } satisfies EventsLoad)
      return {
        server: contender.name,
        bytesPerClient: ((fullKiB - emptyKiB) * 1024) / CLIENTS,
        emptyMiB: emptyKiB / 1024,
        fullMiB: fullKiB / 1024,
        openedPerSecond: CLIENTS / (opened.allMs / 1000),
        halfHaveItMs: median(broadcasts.map(({ halfMs }) => halfMs)),
        allHaveItMs: median(broadcasts.map(({ allMs }) => allMs)),
        drainMs: ended.allMs,
        endedWhole: ended.count,
        retries: ended.retries,
      }
    } finally {
      await client.stop()
    }
  } finally {
    await server.stop()
  }
}
