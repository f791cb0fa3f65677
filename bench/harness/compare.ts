// One timed bench from start to end: tools, servers, the proof that they do the same work, rounds, report.
import { cpus } from 'node:os'
import { start, type Contender, type Running } from './contender.ts'
import { circumstances } from './machine.ts'
import type { Options } from './options.ts'
import { objects, save, table } from './report.ts'
import { measureInTurns } from './rounds.ts'
import { requireSameAnswers } from './same-answer.ts'
import { findTool, type Tool } from './tools.ts'

export interface Comparison {
  readonly contenders: readonly Contender[]
  /** Peers that cannot run here, each with the reason. */
  readonly skipped: readonly string[]
  /** Servers whose CPU per request the others are compared with. */
  readonly references: readonly string[]
  /** Requested in turn, by the check as by the load. */
  readonly paths: readonly string[]
  /** What each server is asked for instead, by its name; such a server is not held to the others' answers. */
  readonly pathsOf?: Readonly<Record<string, readonly string[]>>
  readonly versions: Readonly<Record<string, string>>
}

/** Says it on standard error: standard output is for results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export async function compare(comparison: Comparison, options: Options): Promise<void> {
  const { paths, pathsOf = {}, references } = comparison
  const wrk = await findTool('wrk')
  if (typeof wrk === 'string') throw new Error(`no load generator: ${wrk}`)
  const pins = await pinning()
  for (const reason of comparison.skipped) say(`SKIPPED ${reason}`)
  const contenders = chosen(comparison.contenders, options.only)
  const servers: Running[] = []
  try {
    for (const contender of contenders)
      servers.push(await start(contender, pins.server, (pathsOf[contender.name] ?? paths)[0]!))
    await requireSameAnswers(
      servers.filter(server => !pathsOf[server.contender.name]),
      paths,
    )
    const plan = { wrk, pin: pins.load, connections: options.connections, seconds: options.seconds }
    const measured = await measureInTurns(
      servers,
      server => pathsOf[server.contender.name] ?? paths,
      plan,
      options,
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

function chosen(contenders: readonly Contender[], only: readonly string[]): readonly Contender[] {
  const known = contenders.map(({ name }) => name)
  const unknown = only.filter(name => !known.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: there are ${known.join(', ')}`)
  return only.length === 0 ? contenders : contenders.filter(({ name }) => only.includes(name))
}

/** Servers on core 0, load on core 1: neither then takes time from the other. */
async function pinning(): Promise<{ server: readonly string[]; load: readonly string[] }> {
  const taskset: Tool | string = await findTool('taskset')
  if (typeof taskset === 'string' || cpus().length < 2) {
    say(`NOT PINNED: ${typeof taskset === 'string' ? taskset : 'one core only'}; CPU per request is less steady`)
    return { server: [], load: [] }
  }
  return { server: [taskset.path, '-c', '0'], load: [taskset.path, '-c', '1'] }
}
