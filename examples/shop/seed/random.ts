// Numbers that look random and are the same on every machine: mulberry32, a 32-bit generator in the public domain.

export interface Random {
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  pick<T>(from: readonly T[]): T
  /** True in `share` of all cases. */
  chance(share: number): boolean
}

/** @param seed  a whole number; equal seeds give equal sequences */
export function random(seed: number): Random {
  let state = seed | 0
  // In [0, 1).
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    between,
    pick: from => from[between(0, from.length - 1)]!,
    chance: share => next() < share,
  }
}
