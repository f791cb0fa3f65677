// What a serializer says of a value that does not fit its schema: a sentinel on the fast path, and the reason beside it.

export const MISFIT = Symbol('misfit')

/** The JSON form of a value, or MISFIT. */
export type Pick = (value: unknown) => unknown

/** Why the last MISFIT was: the innermost place that was wrong. Written only when something is; serializing never waits. */
export const misfit = {
  path: [] as (string | number)[],
  expected: '',
  found: undefined as unknown,
}

export function miss(expected: string, found: unknown): typeof MISFIT {
  misfit.path = []
  misfit.expected = expected
  misfit.found = found
  return MISFIT
}

/** Called by a container on its way out: the path is built from the inside. */
export function missUnder(step: string | number): typeof MISFIT {
  misfit.path.unshift(step)
  return MISFIT
}

/** A required key that is not there. */
export function missing(key: string): typeof MISFIT {
  miss('a value', undefined)
  return missUnder(key)
}
