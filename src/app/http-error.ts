// A handler's decision to end the request with an error status.

export interface HttpErrorInit {
  /** Sent with the answer, e.g. { 'www-authenticate': 'Bearer' }. */
  readonly headers?: Readonly<Record<string, string>>
  /** For the log; never sent. */
  readonly cause?: unknown
}

/**
 * Ends the request with this status. `detail` is sent to the client as it is.
 *
 * @example throw new HttpError(404, 'No such product')
 */
export class HttpError extends Error {
  readonly status: number
  readonly detail: string | undefined
  readonly headers: Readonly<Record<string, string>>

  /** @throws RangeError when the status is not a whole number from 400 to 599 */
  constructor(status: number, detail?: string, init: HttpErrorInit = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599)
      throw new RangeError(`HttpError takes a status from 400 to 599, not ${status}; use reply() for the others`)
    super(detail ?? `HTTP ${status}`, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'HttpError'
    this.status = status
    this.detail = detail
    this.headers = init.headers ?? {}
  }
}

/** Throws HttpError. A declared function and no context field: only so can the compiler tell that what follows is unreachable. */
export function fail(status: number, detail?: string, init?: HttpErrorInit): never {
  throw new HttpError(status, detail, init)
}

/**
 * The same error with more fields to send. A view of it, so that it stays of its class and keeps its stack: one instance may have been
 * thrown for several requests.
 */
export function withFields(error: HttpError, fields: Readonly<Record<string, string>>): HttpError {
  return Object.create(error, { headers: { value: { ...error.headers, ...fields }, enumerable: true } }) as HttpError
}
