// routes: what an application of thousands of routes costs: to start, in memory, and to find a route in.
//
// Each size runs in a process of its own (servers/many-routes.ts). Every route has params, a query, a body and an answer, as an author would
// write them; CPU time and not the clock, so that a busy machine says nearly the same.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { say } from './harness/compare.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { aligned, writeResult } from './harness/report.ts'

const SIZES = [100, 1_000, 5_000]

export interface RoutesCost {
  readonly routes: number
  /** Making the schemas and declaring the routes: mostly the schema library's. */
  readonly declareCpuMs: number
  readonly startCpuMs: number
  readonly documentCpuMs: number
  /** Of the heap, after a collection, above the process before it declared anything. */
  readonly heapMiB: number
  /** Over all routes in turn, by a path with a value in it; and by one without. */
  readonly findNs: number
  readonly findPlainNs: number
}

const run = promisify(execFile)

export async function routes(options: Options): Promise<void> {
  const costs: RoutesCost[] = []
  for (const size of SIZES) {
    say(`starting ${size} routes`)
    const args = ['--expose-gc', '--conditions=millrace-source', join(import.meta.dirname, 'servers/many-routes.ts')]
    const { stdout } = await run(process.execPath, [...args, String(size)])
    costs.push(JSON.parse(stdout) as RoutesCost)
  }
  const output = options.json ? costs.map(each => JSON.stringify(each)).join('\n') : table(costs)
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  say(`written: ${writeResult(about.date, 'routes', { bench: 'routes', ...about, costs })}`)
}

function table(costs: readonly RoutesCost[]): string {
  const head = ['routes', 'declare ms', 'start ms', 'document ms', 'heap MiB', 'find ns', 'without a value ns']
  const rows = costs.map(each => [
    String(each.routes),
    each.declareCpuMs.toFixed(0),
    each.startCpuMs.toFixed(0),
    each.documentCpuMs.toFixed(0),
    each.heapMiB.toFixed(1),
    each.findNs.toFixed(0),
    each.findPlainNs.toFixed(0),
  ])
  return aligned([head, ...rows])
}
