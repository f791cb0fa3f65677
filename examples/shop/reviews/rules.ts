// How stars are summed up.

export interface Stars {
  readonly rating: number
  readonly count: number
}

/** @param stars  how many reviews gave how many stars. @returns count and average of all, to one place */
export function summary(stars: readonly Stars[]): { count: number; average: number | null } {
  const count = stars.reduce((sum, { count }) => sum + count, 0)
  const total = stars.reduce((sum, { rating, count }) => sum + rating * count, 0)
  return { count, average: count === 0 ? null : Math.round((10 * total) / count) / 10 }
}
