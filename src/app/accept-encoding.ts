// Which content coding a request wants most, by RFC 9110 §12.5.3. Pure.

export type Coding = 'zstd' | 'br' | 'gzip'

export interface Wish {
  /** The coding to send; undefined: as it is. */
  readonly coding: Coding | undefined
  /** `identity;q=0`, or `*;q=0` without a word on identity: an uncoded answer is not wanted, however small. */
  readonly refusesPlain: boolean
}

const PLAIN: Wish = { coding: undefined, refusesPlain: false }
const NONE: readonly Coding[] = []

/** @param field  Accept-Encoding; @param ours  what we can do, the best first: among equal weights the first wins */
export function wishOf(field: string | undefined, ours: readonly Coding[]): Wish {
  if (field === undefined) return PLAIN
  const { weights, rest, identity } = read(field)
  let coding: Coding | undefined
  // Identity counts only where it was given a weight: unnamed, it is what is left when nothing else fits.
  let best = identity ?? 0
  for (const our of ours) {
    const weight = weights.get(our) ?? rest ?? 0
    if (weight > best || (weight === best && weight > 0 && coding === undefined)) {
      coding = our
      best = weight
    }
  }
  return { coding, refusesPlain: identity === 0 }
}

/** Every coding that is wanted at least as much as none, the one wanted most first: where not all of them can be had. */
export function wishesOf(field: string | undefined, ours: readonly Coding[]): readonly Coding[] {
  if (field === undefined) return NONE
  const { weights, rest, identity = 0 } = read(field)
  const weightOf = (coding: Coding) => weights.get(coding) ?? rest ?? 0
  return ours
    .filter(coding => weightOf(coding) > 0 && weightOf(coding) >= identity)
    .sort((one, other) => weightOf(other) - weightOf(one))
}

interface Weights {
  readonly weights: ReadonlyMap<string, number>
  /** Of '*'. */
  readonly rest: number | undefined
  readonly identity: number | undefined
}

function read(field: string): Weights {
  const weights = new Map<string, number>()
  for (const member of field.split(',')) {
    const [name, ...parameters] = member.split(';').map(text => text.trim().toLowerCase())
    if (name) weights.set(name === 'x-gzip' ? 'gzip' : name, weightIn(parameters))
  }
  const rest = weights.get('*')
  return { weights, rest, identity: weights.get('identity') ?? (rest === 0 ? 0 : undefined) }
}

// A weight that is no number from 0 to 1 is a mistake of the client's; the coding it names is then left alone.
function weightIn(parameters: readonly string[]): number {
  const text = parameters.find(parameter => parameter.startsWith('q='))?.slice(2)
  if (text === undefined) return 1
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0
}
