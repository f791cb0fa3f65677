// Runs mutants in batches and counts what came of them. The same seed and count give the same mutants and the same counts.
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { compared, differing, type Verdict } from './compare.ts'
import { generated, wireCases } from './corpus.ts'
import { mutated } from './mutate.ts'
import { NodeServer, throughOurs, type Feeding, type Seen } from './observe.ts'
import { Random } from './random.ts'
import type { Difference } from './reasons.ts'

export interface Report {
  readonly cases: number
  readonly kept: number
  readonly counts: ReadonlyMap<string, number>
  readonly unexplained: readonly Difference[]
  /** A mutant that broke a promise, whatever node makes of it. */
  readonly broken: readonly { readonly bytes: Buffer; readonly error: unknown }[]
}

interface Case {
  readonly bytes: Buffer
  readonly feeding: Feeding
}

export interface RunOptions {
  readonly count: number
  readonly seed: number
  /** After each batch: asks a server something harmless. */
  readonly afterBatch?: (cases: number) => Promise<void>
}

// 100: enough to share the turns of the loop that a case waits for, and few enough to find the one that hangs.
const BATCH = 100
// Nothing in a batch waits for a clock.
const HANG_MS = 20_000

export async function runMutants({ count, seed, afterBatch }: RunOptions): Promise<Report> {
  const random = new Random(seed)
  const node = new NodeServer()
  const corpus = wireCases()
  // Mutants with an outcome that none before them had are mutated further.
  const kept: Buffer[] = []
  const outcomes = new Set<string>()
  const counts = new Map<string, number>()
  const unexplained: Difference[] = []
  const broken: { bytes: Buffer; error: unknown }[] = []
  const original = () => {
    const kind = random.below(4)
    if (kind === 0 && kept.length > 0) return random.pick(kept)
    return kind === 1 ? generated(random) : random.pick(corpus)
  }
  for (let cases = 0; cases < count;) {
    const batch = Array.from({ length: Math.min(BATCH, count - cases) }, (): Case => {
      const bytes = mutated(original(), random, original)
      return { bytes, feeding: feedingOf(bytes, random) }
    })
    const ends = batch.map(({ bytes }) => node.begin(bytes))
    const ours = batch.map(({ feeding }) => throughOurs(feeding).then(seen => ({ seen }), (error: unknown) => ({ error })))
    // What node sees takes no more than what is due in two turns.
    await turn()
    await turn()
    for (const [n, { bytes }] of batch.entries()) {
      const [mine, theirs] = (await inTime(Promise.all([ours[n]!, ends[n]!()]))) ?? [{ error: new Error('hangs') }]
      if ('error' in mine) {
        broken.push({ bytes, error: mine.error })
        continue
      }
      const verdict = await judged(batch[n]!, mine.seen, theirs!)
      const label = 'name' in verdict ? `${verdict.kind}: ${verdict.name}` : verdict.kind
      counts.set(label, (counts.get(label) ?? 0) + 1)
      if (verdict.kind === 'unexplained') unexplained.push(verdict.difference)
      const outcome = outcomeOf(mine.seen, theirs!)
      if (outcomes.has(outcome)) continue
      outcomes.add(outcome)
      kept.push(bytes)
    }
    cases += batch.length
    await afterBatch?.(cases)
  }
  return { cases: count, kept: kept.length, counts, unexplained, broken }
}

const PROBE = Buffer.from('GET /probe HTTP/1.1\r\nHost: a\r\n\r\n')

/** That ours waits is believed only if it really does: a body begun shows without gathering, and an idle connection serves a probe. */
async function judged({ bytes, feeding }: Case, ours: Seen, node: Seen): Promise<Verdict> {
  const verdict = compared(bytes, ours, node)
  if (verdict.kind !== 'ours waits') return verdict
  const again = compared(bytes, await throughOurs({ ...feeding, gathers: false }), node)
  if (again.kind !== 'ours waits') return again
  const probed = await throughOurs({ ...feeding, pieces: [...feeding.pieces, PROBE] })
  const isIdle = probed.requests.length > ours.requests.length && probed.requests.at(-1)!.target === '/probe'
  return isIdle ? differing(bytes, ours, node) : verdict
}

/** Which code, behind how many requests, with what begun: in both. */
function outcomeOf(...all: readonly Seen[]): string {
  return all
    .map(({ requests, refusal }) => `${refusal} ${requests.map(({ isWhole, body }) => `${isWhole}${body === ''}`).join()}`)
    .join(' | ')
}

function feedingOf(bytes: Buffer, random: Random): Feeding {
  const pieces: Buffer[] = []
  const way = random.below(3)
  for (let at = 0; at < bytes.length;) {
    const size = way === 0 ? bytes.length : way === 1 ? 1 : 1 + random.below(60)
    // Copies: each packet has memory of its own, and what is beyond a packet's end is not the next one.
    pieces.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return { pieces, gathers: random.isOneIn(2), halfClose: random.isOneIn(2) ? 'abort' : 'answer' }
}

async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController()
  const late = wait(HANG_MS, undefined, { signal: timer.signal }).catch(() => undefined)
  const first = await Promise.race([promise, late])
  timer.abort()
  return first
}
