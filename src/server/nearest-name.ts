// Finds the name somebody probably meant, for "did you mean" in messages.

/** @returns the closest of `names` within a third of its length in edits; undefined when none is close */
export function nearestName(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestEdits = Infinity
  for (const name of names) {
    const edits = editDistance(typed.toLowerCase(), name.toLowerCase())
    if (edits < bestEdits) [best, bestEdits] = [name, edits]
  }
  return best !== undefined && bestEdits <= Math.max(1, Math.floor(best.length / 3)) ? best : undefined
}

/** "; did you mean --port?" or nothing. */
export function didYouMean(typed: string, names: Iterable<string>): string {
  const name = nearestName(typed, names)
  return name === undefined ? '' : `; did you mean ${name}?`
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}
