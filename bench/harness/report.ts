// Says what was measured: a table for people, an object per server for programs, a dated file for later.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Circumstances } from './machine.ts'
import type { Options } from './options.ts'
import { medians, ratioTo, type Measured, type Ratio } from './rounds.ts'

const RESULTS = join(import.meta.dirname, '../results')

/** As wide as a terminal; with more ratios than fit beside the rest, the rest stands in a table below. */
const COLUMNS = 80

/** @param references  names of servers to compare with; those that did not run are left out */
export function table(measured: readonly Measured[], references: readonly string[]): string {
  const present = references.flatMap(name => measured.find(other => other.name === name) ?? [])
  const figures = measured.map(medians)
  const name = column('server', measured, server => server.name)
  const costs = [
    column('us/req', figures, ({ cpuUsPerRequest }) => cpuUsPerRequest.toFixed(2)),
    ...present.map(reference =>
      column(`/ ${reference.name}`, measured, server =>
        server === reference ? '1' : spread(ratioTo(reference, server)),
      ),
    ),
  ]
  const rest = [
    column('req/s', figures, ({ requestsPerSecond }) => requestsPerSecond.toFixed(0)),
    column('p50 ms', figures, ({ p50Ms }) => p50Ms.toFixed(2)),
    column('p99 ms', figures, ({ p99Ms }) => p99Ms.toFixed(2)),
    column('MiB', figures, ({ rssKiB }) => (rssKiB / 1024).toFixed(0)),
    column('err', figures, ({ errors }) => String(errors)),
  ]
  const whole = aligned(rows([name, ...costs, ...rest]))
  if (whole.indexOf('\n') <= COLUMNS) return whole
  const size = column('B/answer', figures, ({ answerBytes }) => answerBytes.toFixed(0))
  return `${aligned(rows([name, ...costs]))}\n\n${aligned(rows([name, ...rest, size]))}`
}

function column<T>(head: string, of: readonly T[], cell: (one: T) => string): readonly string[] {
  return [head, ...of.map(cell)]
}

function rows(columns: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return columns[0]!.map((_, row) => columns.map(cells => cells[row]!))
}

/** The median and half the distance between the extremes. */
function spread({ median, least, most }: Ratio): string {
  return `${median.toFixed(2)} ±${((most - least) / 2).toFixed(2)}`
}

/** Columns as wide as they must be; the first to the left, the others to the right. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map(row => row[column]!.length)))
  return lines
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
