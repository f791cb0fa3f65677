// The one shape of every error that Millrace itself throws: a stable code, and how it may be told to a client.

export interface ErrorFacts {
  /** HTTP status a client should see when this error ends its request. None: it is a 500. */
  readonly status?: number
  /** What the client may read. The message is for the log only: it can name files, hosts and values. */
  readonly detail?: string
  /** Sent as Retry-After, rounded up to whole seconds. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/**
 * Base of Millrace's errors. Each kind says whose turn it is: the peer broke the protocol, the client sent bad input,
 * we are full, time ran out, the operator misconfigured, the programmer misused the API.
 */
export class MillraceError extends Error {
  /** Stable, upper snake case, a heading in docs/reference/errors.md. */
  readonly code: string
  readonly status: number | undefined
  readonly detail: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = new.target.name
    this.code = code
    this.status = facts.status
    this.detail = facts.detail
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** The programmer misused the API. Thrown while routes are being registered or the app starts, before any traffic. */
export class UsageError extends MillraceError {}

/** Work was refused because something is full; the client may come back after `retryAfterMs`. Status 503. */
export class OverloadError extends MillraceError {
  constructor(code: string, message: string, facts: ErrorFacts = {}) {
    super(code, message, { status: 503, retryAfterMs: 1000, ...facts })
  }
}
