// ws: what an open WebSocket costs in memory, an echoed message in processor time, and how a drain ends 5,000 of them; beside the library
// ws on node:http by hand in the same run.
//
// A fresh server for each round, as in connections.ts: memory is weighed without garbage, with few sockets and with all of them, each of
// which has had one message echoed. Then all send, one message at a time. At last the server is told to end.
import { kill } from 'node:process'
import type { Closed, Echoed, Opened, WebSocketLoad } from './clients/websocket.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import { collecting, settledRssKiB } from './harness/memory.ts'
import type { Options } from './harness/options.ts'
import { usageOfTree } from './harness/process-tree.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'
import { script, serve } from './hello.ts'

const CONNECTIONS = 5000
const WARM_UP_CONNECTIONS = 500
// Longer than the grace time: what has not been closed by then was cut.
const CLOSED_WITHIN_MS = 35_000

interface Measured {
  readonly server: string
  readonly bytesPerSocket: number
  readonly cpuUsPerMessage: number
  readonly messagesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Sockets that were told to go away (1001), of all. */
  readonly closedWith1001: number
  readonly drainMs: number
}

const contenders: readonly Contender[] = [
  {
    name: 'millrace',
    about: 'millrace serve bench/servers/ws-echo.ts --workers 1; supervisor and worker counted together',
    command: port => {
      const command = serve('bench/servers/ws-echo.ts', port)
      // The cap is 0.4 of the descriptors by default, which on some machines is less than are opened here.
      return { ...command, args: [...command.args, '--max-connections', String(CONNECTIONS + 1_000)] }
    },
  },
  {
    name: 'ws',
    about: 'the library ws on node:http, echoing by hand',
    command: port => script('bench/servers/ws-library.ts', port),
  },
]

export async function webSocket(options: Options): Promise<void> {
  await allowDescriptors(CONNECTIONS + 1_000)
  const pins = await pinning()
  const chosen = contenders.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const rounds: Measured[][] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    const measured: Measured[] = []
    for (const contender of chosen) measured.push(await measure(contender, pins, options.seconds))
    rounds.push(measured)
  }
  const medians = chosen.map(({ name }, n) => {
    const of = (figure: keyof Omit<Measured, 'server'>) => median(rounds.map(round => round[n]![figure]))
    return {
      server: name,
      bytesPerSocket: Math.round(of('bytesPerSocket')),
      cpuUsPerMessage: of('cpuUsPerMessage'),
      messagesPerSecond: Math.round(of('messagesPerSecond')),
      p50Ms: of('p50Ms'),
      p99Ms: of('p99Ms'),
      closedWith1001: of('closedWith1001'),
      drainMs: Math.round(of('drainMs')),
    }
  })
  const head = ['server', 'B/socket', 'us/message', 'messages/s', 'p50 ms', 'p99 ms', 'told 1001', 'drain ms']
  const rows = medians.map(each => [
    each.server,
    String(each.bytesPerSocket),
    each.cpuUsPerMessage.toFixed(2),
    String(each.messagesPerSecond),
    each.p50Ms.toFixed(1),
    each.p99Ms.toFixed(1),
    `${each.closedWith1001} of ${CONNECTIONS}`,
    String(each.drainMs),
  ])
  process.stdout.write(
    `${options.json ? medians.map(each => JSON.stringify(each)).join('\n') : aligned([head, ...rows])}\n`,
  )
  if (!options.save) return
  const about = circumstances({})
  say(`written: ${writeResult(about.date, 'ws', { bench: 'ws', ...about, connections: CONNECTIONS, medians, rounds })}`)
}

async function measure(
  contender: Contender,
  pins: Awaited<ReturnType<typeof pinning>>,
  seconds: number,
): Promise<Measured> {
  const collected: Contender = { ...contender, command: async port => collecting(await contender.command(port)) }
  const server = await start(collected, pins.server, { path: '/ready' })
  const client = helper('websocket.ts', pins.load)
  const ask = <Report>(load: WebSocketLoad): Promise<Report> => client.ask<Report>(load)
  try {
    const port = Number(new URL(server.origin).port)
    const opened = async (connections: number) => {
      await ask<Opened>({ kind: 'open', port, connections })
      await ask<Echoed>({ kind: 'echo', seconds: 0 })
      return settledRssKiB(server)
    }
    const fewKiB = await opened(WARM_UP_CONNECTIONS)
    const allKiB = await opened(CONNECTIONS)
    const before = usageOfTree(server.pid).cpuMs
    const startedMs = performance.now()
    const { messages, p50Ms, p99Ms } = await ask<Echoed>({ kind: 'echo', seconds })
    const tookMs = performance.now() - startedMs
    const cpuMs = usageOfTree(server.pid).cpuMs - before
    const told = ask<Closed>({ kind: 'closed', withinMs: CLOSED_WITHIN_MS })
    const endedMs = performance.now()
    kill(server.pid, 'SIGTERM')
    const { byCode } = await told
    return {
      server: contender.name,
      bytesPerSocket: ((allKiB - fewKiB) * 1024) / (CONNECTIONS - WARM_UP_CONNECTIONS),
      cpuUsPerMessage: (cpuMs * 1000) / messages,
      messagesPerSecond: (messages * 1000) / tookMs,
      p50Ms,
      p99Ms,
      closedWith1001: byCode[1001] ?? 0,
      drainMs: performance.now() - endedMs,
    }
  } finally {
    await client.stop()
    await server.stop()
  }
}
