// What a second tier counts, as numbers that can be added to; `TierStats` is the same to look at.
import type { TierStats } from './second-tier.ts'

export type TierCounts = { -readonly [N in keyof TierStats]: number }

export function noCounts(): TierCounts {
  return {
    found: 0,
    stale: 0,
    missed: 0,
    waited: 0,
    alone: 0,
    stored: 0,
    fenced: 0,
    tooLarge: 0,
    poisoned: 0,
    losses: 0,
  }
}
