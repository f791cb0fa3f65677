// What validating gives: an output as it is, or Failed with what was found.

/** A finding before the place it was read from is known. */
export interface Found {
  readonly type: string
  readonly path: readonly (string | number)[]
  readonly msg: string
  readonly ctx?: Readonly<Record<string, unknown>> | undefined
  /** The members of unions that it is about, as FastAPI names them in a `loc`: what stands in front of which step. Only where it is asked for. */
  readonly members?: readonly Member[] | undefined
}

export interface Member {
  readonly at: number
  readonly name: string
}

/** Told apart from any output by its class, so that an output needs no wrapper. */
export class Failed {
  readonly found: readonly Found[]

  constructor(found: readonly Found[]) {
    this.found = found
  }
}

/** The validated output, or Failed, or a promise of either where a schema validates asynchronously. */
export type Outcome = unknown

/** The value at a path, or undefined where the path leaves the value. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string | number, unknown>)[step]
  }
  return at
}
