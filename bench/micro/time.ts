// Nanoseconds per call of small functions, in turns, the median of many short runs: for choosing between two ways of doing one thing.
import { aligned } from '../harness/report.ts'
import { median } from '../harness/rounds.ts'

const RUNS = 15
const RUN_MS = 40

/** @param cases  by name; each makes `count` calls and returns something, so that nothing is optimised away */
export function compareCalls(title: string, cases: Readonly<Record<string, (count: number) => unknown>>): void {
  const timed = Object.entries(cases).map(([name, calls]) => ({
    name,
    calls,
    count: callsPerRun(calls),
    ns: [] as number[],
  }))
  for (let run = 0; run < RUNS; run++)
    for (const { calls, count, ns } of timed) {
      const startMs = performance.now()
      calls(count)
      ns.push(((performance.now() - startMs) * 1e6) / count)
    }
  print(title, timed)
}

/** The same for what ends in a later microtask; each case resolves when its calls are over. */
export async function compareCallsAsync(
  title: string,
  cases: Readonly<Record<string, (count: number) => Promise<unknown>>>,
): Promise<void> {
  const timed = Object.entries(cases).map(([name, calls]) => ({ name, calls, ns: [] as number[] }))
  for (const { calls } of timed) await calls(WARM_UP_CALLS)
  for (let run = 0; run < RUNS; run++)
    for (const { calls, ns } of timed) {
      const startMs = performance.now()
      await calls(ASYNC_CALLS)
      ns.push(((performance.now() - startMs) * 1e6) / ASYNC_CALLS)
    }
  print(title, timed)
}

const WARM_UP_CALLS = 100_000
const ASYNC_CALLS = 40_000

function print(title: string, timed: readonly { readonly name: string; readonly ns: readonly number[] }[]): void {
  const rows = timed.map(({ name, ns }) => [
    name,
    median(ns).toFixed(1),
    `${Math.min(...ns).toFixed(1)}-${Math.max(...ns).toFixed(1)}`,
  ])
  process.stdout.write(`${aligned([[title, 'ns/call', 'spread'], ...rows])}\n\n`)
}

/** Enough calls for RUN_MS; finding out warms the code up. */
function callsPerRun(calls: (count: number) => unknown): number {
  for (let count = 1_000; ; count *= 2) {
    const startMs = performance.now()
    calls(count)
    if (performance.now() - startMs >= RUN_MS) return count
  }
}
