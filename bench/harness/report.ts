// Says what was measured: a table for people, an object per server for programs, a dated file for later.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Circumstances } from './machine.ts'
import type { Options } from './options.ts'
import { medians, ratioTo, type Measured, type Ratio } from './rounds.ts'

const RESULTS = join(import.meta.dirname, '../results')

/** @param references  names of servers to compare with; those that did not run are left out */
export function table(measured: readonly Measured[], references: readonly string[]): string {
  const present = references.flatMap(name => measured.find(other => other.name === name) ?? [])
  const head = [
    'server',
    'us/req',
    ...present.map(({ name }) => `/ ${name}`),
    'req/s',
    'p50 ms',
    'p99 ms',
    'MiB',
    'err',
  ]
  const rows = measured.map(server => {
    const { cpuUsPerRequest, requestsPerSecond, p50Ms, p99Ms, rssKiB, errors } = medians(server)
    return [
      server.name,
      cpuUsPerRequest.toFixed(2),
      ...present.map(reference => (reference === server ? '1' : spread(ratioTo(reference, server)))),
      requestsPerSecond.toFixed(0),
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
      (rssKiB / 1024).toFixed(0),
      String(errors),
    ]
  })
  return aligned([head, ...rows])
}

/** The median and half the distance between the extremes. */
function spread({ median, least, most }: Ratio): string {
  return `${median.toFixed(2)} ±${((most - least) / 2).toFixed(2)}`
}

/** Columns as wide as they must be; the first to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n')
}

export function objects(measured: readonly Measured[]): readonly object[] {
  return measured.map(server => ({ server: server.name, ...rounded(medians(server)) }))
}

function rounded(sample: object): object {
  return Object.fromEntries(Object.entries(sample).map(([name, value]) => [name, Number((value as number).toFixed(3))]))
}

/** @returns the file's path, relative to the working directory */
export function save(
  measured: readonly Measured[],
  references: readonly string[],
  about: Circumstances,
  options: Options,
  skipped: readonly string[],
): string {
  const { seconds, warmUpSeconds, connections, rounds } = options
  const servers = measured.map(server => ({
    server: server.name,
    about: server.about,
    median: rounded(medians(server)),
    cpuRatios: Object.fromEntries(
      references.flatMap(name => {
        const reference = measured.find(other => other.name === name)
        return reference ? [[name, rounded(ratioTo(reference, server))]] : []
      }),
    ),
    rounds: server.rounds.map(rounded),
  }))
  const settings = { seconds, warmUpSeconds, connections, rounds, serverCore: 0, loadCore: 1 }
  return writeResult(about.date, options.bench, { bench: options.bench, ...about, settings, skipped, servers })
}

export function writeResult(date: string, bench: string, result: object): string {
  mkdirSync(RESULTS, { recursive: true })
  const file = join(RESULTS, `${date.slice(0, 16).replace(':', '')}-${bench}.json`)
  writeFileSync(file, JSON.stringify(result, null, 2) + '\n')
  return relative(process.cwd(), file)
}
