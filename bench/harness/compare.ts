// One timed bench from start to end: tools, servers, the proof that they do the same work, rounds, report.
import { cpus } from 'node:os'
import { start, type Contender, type Running } from './contender.ts'
import type { LoadRequest } from './load-request.ts'
import { circumstances } from './machine.ts'
import type { Options } from './options.ts'
import { objects, save, table } from './report.ts'
import { measureInTurns } from './rounds.ts'
import { requireAnswers, requireSameAnswers, type Expected } from './same-answer.ts'
import { findTool, type Tool } from './tools.ts'

export interface Comparison {
  readonly contenders: readonly Contender[]
  /** Peers that cannot run here, each with the reason. */
  readonly skipped: readonly string[]
  /** Servers whose CPU per request the others are compared with. */
  readonly references: readonly string[]
  /** Sent in turn, by the check as by the load. */
  readonly requests: readonly LoadRequest[]
  /** What each server is asked for instead, by its name; such a server is not held to the others' answers. */
  readonly requestsOf?: Readonly<Record<string, readonly LoadRequest[]>>
  /** What the answers must be, beyond being the same: proved of every server before the load. */
  readonly expected?: readonly Expected[]
  /** Proves of each server what one answer alone does not show. */
  readonly prove?: (server: Running) => Promise<void>
  /** Requests sent back to back on a connection. Default 1. */
  readonly pipelined?: number
  /** Seconds of load before each turn of a server, which are not counted. Default none. */
  readonly settleSeconds?: number
  /** Instead of the option's. */
  readonly connections?: number
  readonly versions: Readonly<Record<string, string>>
}

/** Says it on standard error: standard output is for results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export async function compare(comparison: Comparison, given: Options): Promise<void> {
  const { requests, requestsOf = {}, expected = [], references, prove, pipelined = 1, settleSeconds = 0 } = comparison
  const options = { ...given, connections: comparison.connections ?? given.connections }
  const wrk = await findTool('wrk')
  if (typeof wrk === 'string') throw new Error(`no load generator: ${wrk}`)
  const pins = await pinning()
  for (const reason of comparison.skipped) say(`SKIPPED ${reason}`)
  const contenders = chosen(comparison.contenders, options.only)
  const servers: Running[] = []
  try {
    for (const contender of contenders)
      servers.push(await started(contender, pins.server, (requestsOf[contender.name] ?? requests)[0]!, servers))
    await requireAnswers(servers, expected)
    if (prove) for (const server of servers) await prove(server)
    await requireSameAnswers(
      servers.filter(server => !requestsOf[server.contender.name]),
      requests,
    )
    const plan = { wrk, pin: pins.load, connections: options.connections, seconds: options.seconds, pipelined }
    const measured = await measureInTurns(
      servers,
      server => requestsOf[server.contender.name] ?? requests,
      plan,
      { ...options, settleSeconds },
      say,
    )
    for (const { name, about } of measured) say(`  ${name}: ${about}`)
    const output = options.json
      ? objects(measured)
          .map(object => JSON.stringify(object))
          .join('\n')
      : table(measured, references)
    process.stdout.write(`${output}\n`)
    if (!options.save) return
    const about = circumstances({ wrk: wrk.version, ...comparison.versions })
    say(`written: ${save(measured, references, about, options, comparison.skipped)}`)
  } finally {
    await Promise.all(servers.map(server => server.stop()))
  }
}

/** Starts it, unless it is another load of a server that runs already. */
async function started(
  contender: Contender,
  pin: readonly string[],
  request: LoadRequest,
  running: readonly Running[],
): Promise<Running> {
  const same = running.find(server => server.contender.name === contender.sameAs)
  return same ? { ...same, contender, stop: async () => {} } : start(contender, pin, request)
}

function chosen(contenders: readonly Contender[], only: readonly string[]): readonly Contender[] {
  const known = contenders.map(({ name }) => name)
  const unknown = only.filter(name => !known.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: there are ${known.join(', ')}`)
  return only.length === 0 ? contenders : contenders.filter(({ name }) => only.includes(name))
}

/** Servers on core 0, load on core 1: neither then takes time from the other. */
export async function pinning(): Promise<{ server: readonly string[]; load: readonly string[] }> {
  const taskset: Tool | string = await findTool('taskset')
  if (typeof taskset === 'string' || cpus().length < 2) {
    say(`NOT PINNED: ${typeof taskset === 'string' ? taskset : 'one core only'}; CPU per request is less steady`)
    return { server: [], load: [] }
  }
  return { server: [taskset.path, '-c', '0'], load: [taskset.path, '-c', '1'] }
}
