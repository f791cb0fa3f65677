// Percentiles by nearest rank: always a value that was measured, never one between two.

/** @returns the smallest value that `percent` of all are not above; NaN of none */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) return NaN
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!
}
