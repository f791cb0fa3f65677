// Measures servers in turn, A B C, A B C, ..., so that what disturbs the machine disturbs all of them, and compares within a round.
import type { Contender, Running } from './contender.ts'
import type { LoadRequest } from './load-request.ts'
import { usageOfTree } from './process-tree.ts'
import { type Load, runWrk, type LoadPlan } from './wrk.ts'

export interface Sample {
  readonly cpuUsPerRequest: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly rssKiB: number
  /** Mean size of an answer, head included. */
  readonly answerBytes: number
  readonly errors: number
}

export interface Measured {
  readonly name: string
  readonly about: string
  readonly rounds: readonly Sample[]
}

/**
 * @param turns.warmUpSeconds  each server is loaded that long before the first round, which is not counted
 * @param turns.settleSeconds  and so long before each of its turns: what ran out while the others had theirs is there again
 * @param progress  told what happens, a line at a time
 */
export async function measureInTurns(
  servers: readonly Running[],
  requestsOf: (server: Running) => readonly LoadRequest[],
  plan: LoadPlan,
  turns: { readonly rounds: number; readonly warmUpSeconds: number; readonly settleSeconds?: number },
  progress: (line: string) => void,
): Promise<readonly Measured[]> {
  for (const server of servers)
    await runWrk({ ...plan, seconds: turns.warmUpSeconds }, server.origin, requestsOf(server))
  const samples = servers.map((): Sample[] => [])
  for (let round = 0; round < turns.rounds; round++) {
    progress(`round ${round + 1} of ${turns.rounds}`)
    for (const [i, server] of servers.entries()) {
      const asked = requestsOf(server)
      if (turns.settleSeconds) await runWrk({ ...plan, seconds: turns.settleSeconds }, server.origin, asked)
      samples[i]!.push(await measure(server, asked, plan))
    }
  }
  return servers.map(({ contender: { name, about } }, i) => ({ name, about, rounds: samples[i]! }))
}

async function measure(server: Running, asked: readonly LoadRequest[], plan: LoadPlan): Promise<Sample> {
  const before = usageOfTree(server.pid)
  const load = await runWrk(plan, server.origin, asked)
  const { requests, seconds, p50Ms, p99Ms, answerBytes } = load
  const after = usageOfTree(server.pid)
  if (requests === 0) throw new Error(`${server.contender.name} answered nothing in ${seconds} s`)
  return {
    cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1_000) / requests,
    requestsPerSecond: requests / seconds,
    p50Ms,
    p99Ms,
    rssKiB: after.rssKiB,
    answerBytes,
    errors: errorsOf(load, server.contender),
  }
}

/** Of one that closes without saying so, as many connections as it was asked to close may have ended. */
export function errorsOf({ errors, cut, closesAsked }: Load, { closesUnsaid = false }: Contender): number {
  return closesUnsaid ? errors - Math.min(cut, closesAsked) : errors
}

/** The middle of each figure over the rounds; errors are summed. */
export function medians({ rounds }: Measured): Sample {
  const of = (figure: (sample: Sample) => number) => median(rounds.map(figure))
  return {
    cpuUsPerRequest: of(sample => sample.cpuUsPerRequest),
    requestsPerSecond: of(sample => sample.requestsPerSecond),
    p50Ms: of(sample => sample.p50Ms),
    p99Ms: of(sample => sample.p99Ms),
    rssKiB: of(sample => sample.rssKiB),
    answerBytes: of(sample => sample.answerBytes),
    errors: rounds.reduce((sum, sample) => sum + sample.errors, 0),
  }
}

export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** CPU per request, round by round, over the reference's in the same round. */
export function ratioTo(reference: Measured, measured: Measured): Ratio {
  const ratios = measured.rounds.map((sample, i) => sample.cpuUsPerRequest / reference.rounds[i]!.cpuUsPerRequest)
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
