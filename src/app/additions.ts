// What a middleware adds to the routes it is around, told before the first request: for their document, and for how they are compiled.

export interface Additions {
  /** What it reads of a request; never required, because a middleware decides that for itself. */
  readonly parameters?: readonly AddedParameter[]
  /** Statuses that it answers with itself, as errors or, for 304, without a body. */
  readonly statuses?: readonly number[]
  /** Fields of the answers that pass through it, with what they say. */
  readonly fields?: Readonly<Record<string, string>>
  /** The same, of answers that are no errors. */
  readonly successFields?: Readonly<Record<string, string>>
  /** The most that a request body may have where the route itself says nothing. */
  readonly maxBodyBytes?: number
  /** It does nothing while a request is answered: what it says here is all, so a route leaves it out. */
  readonly isInert?: boolean
  /** It is for what no route takes, so a route leaves it out. */
  readonly isForUnrouted?: boolean
}

export interface AddedParameter {
  readonly name: string
  readonly in: 'header' | 'cookie'
  readonly description: string
}

/** By the method of the route: a check of writes adds nothing to reads. */
export type AdditionsOf = (method: string) => Additions

/** What may say so: a middleware. */
export interface Adding {
  readonly '~adds'?: AdditionsOf
}

/** A middleware that says what it adds. */
export function adding<M extends object>(middleware: M, additions: Additions | AdditionsOf): M & Adding {
  const of = typeof additions === 'function' ? additions : () => additions
  return Object.assign(middleware, { '~adds': of })
}

export function isInert(middleware: Adding): boolean {
  return middleware['~adds']?.('GET').isInert === true
}

export function isForUnrouted(middleware: Adding): boolean {
  return middleware['~adds']?.('GET').isForUnrouted === true
}

/** What those around a route of this method add, from the outside in. */
export function additionsOf(middleware: readonly Adding[], method: string): readonly Additions[] {
  return middleware.flatMap(each => each['~adds']?.(method) ?? [])
}

/** What comes with an entity tag, for GET and HEAD: of conditional(), and of routes whose answers are cached. */
export const ENTITY_TAGS: Additions = {
  statuses: [304],
  successFields: { ETag: 'Tells one state of the answer from another' },
  parameters: [{ name: 'If-None-Match', in: 'header', description: 'Tags of states that the client has' }],
}
