// Finds the name somebody probably meant, for "did you mean" in messages.

/**
 * An edit is a letter added, left out or changed, or two neighbours in the wrong order.
 *
 * @returns the closest of `names` within a third of its length in edits; undefined when none is close
 */
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
  let beforePrevious: number[] = []
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = isSwap ? beforePrevious[j - 2]! + 1 : Infinity
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1, swap))
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}
