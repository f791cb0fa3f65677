// connections: what an idle keep-alive connection costs in memory, beside raw node:net and node:http in the same run.
//
// A fresh server for each figure, because a heap that has been large stays large. All of it holds no garbage when it is weighed: before,
// warm and without a connection, and with all of them, each having made one request.
import type { IdleLoad, IdleReport } from './clients/idle.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import { collecting, settledRssKiB } from './harness/memory.ts'
import { allowDescriptors } from './harness/descriptors.ts'
import type { Options } from './harness/options.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'
import { heldSockets } from './harness/sockets.ts'
import { engine, millraceHello, rawNet, script } from './hello.ts'
import { peerPath } from './harness/peers.ts'

const CONNECTIONS = 10_000
const WARM_UP_CONNECTIONS = 500
const KEEP_ALIVE_MS = '600000'

interface Weighed {
  readonly server: string
  readonly emptyMiB: number
  readonly fullMiB: number
  readonly bytesPerConnection: number
}

const env = { KEEP_ALIVE_MS }
const contenders: readonly Contender[] = [
  rawNet,
  { ...engine, command: async port => ({ ...(await engine.command(port)), env }) },
  {
    ...millraceHello,
    command: async port => {
      const command = await millraceHello.command(port)
      // The cap is 0.4 of the descriptors by default, which on some machines is less than are weighed here.
      const room = ['--keep-alive-timeout', `${KEEP_ALIVE_MS}ms`, '--max-connections', String(CONNECTIONS + 1_000)]
      return { ...command, args: [...command.args, ...room] }
    },
  },
  {
    name: 'node-http',
    about: 'node:http, routed by hand',
    command: port => ({ ...script(peerPath('node-http', 'hello.js'), port), env }),
  },
]

export async function connections(options: Options): Promise<void> {
  await allowDescriptors(CONNECTIONS + 1_000)
  const pins = await pinning()
  const chosen = contenders.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const rounds: Weighed[][] = []
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`)
    const weighed: Weighed[] = []
    for (const contender of chosen) weighed.push(await weigh(contender, pins))
    rounds.push(weighed)
  }
  const medians = chosen.map(({ name }, i) => {
    const of = (figure: (weighed: Weighed) => number) => median(rounds.map(round => figure(round[i]!)))
    return {
      server: name,
      bytesPerConnection: Math.round(of(weighed => weighed.bytesPerConnection)),
      ratioToRawNet: of((weighed): number => {
        const round = rounds.find(each => each.includes(weighed))!
        return weighed.bytesPerConnection / round[0]!.bytesPerConnection
      }),
      emptyMiB: of(weighed => weighed.emptyMiB),
      fullMiB: of(weighed => weighed.fullMiB),
    }
  })
  const rows = medians.map(each => [
    each.server,
    String(each.bytesPerConnection),
    each.ratioToRawNet.toFixed(2),
    each.emptyMiB.toFixed(1),
    each.fullMiB.toFixed(1),
  ])
  const head = ['server', 'B/connection', `/ ${chosen[0]!.name}`, 'MiB empty', `MiB with ${CONNECTIONS}`]
  const output = options.json ? medians.map(each => JSON.stringify(each)).join('\n') : aligned([head, ...rows])
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  const result = { bench: 'connections', ...about, connections: CONNECTIONS, medians, rounds }
  say(`written: ${writeResult(about.date, 'connections', result)}`)
}

async function weigh(contender: Contender, pins: Awaited<ReturnType<typeof pinning>>): Promise<Weighed> {
  const collected: Contender = { ...contender, command: async port => collecting(await contender.command(port)) }
  const server = await start(collected, pins.server, { path: '/' })
  try {
    const port = Number(new URL(server.origin).port)
    await held(port, WARM_UP_CONNECTIONS, pins.load, async () => {})
    const emptyKiB = await settledRssKiB(server)
    const fullKiB = await held(port, CONNECTIONS, pins.load, async () => {
      const full = await settledRssKiB(server)
      const found = heldSockets(port)
      const count = [...found.values()].reduce((sum, each) => sum + each, 0)
      if (count !== CONNECTIONS) throw new Error(`${contender.name} holds ${count} connections of ${CONNECTIONS}`)
      return full
    })
    return {
      server: contender.name,
      emptyMiB: emptyKiB / 1024,
      fullMiB: fullKiB / 1024,
      bytesPerConnection: ((fullKiB - emptyKiB) * 1024) / CONNECTIONS,
    }
  } finally {
    await server.stop()
  }
}

/** Runs `during` while so many connections are open. */
async function held<T>(port: number, count: number, pin: readonly string[], during: () => Promise<T>): Promise<T> {
  const client = helper('idle.ts', pin)
  try {
    await client.ask<IdleReport>({ port, connections: count } satisfies IdleLoad)
    return await during()
  } finally {
    await client.stop()
  }
}
