// How schemas fail: the client sent bad input, the text is not JSON, or a handler returned what its route does not declare.
import { MillraceError } from '../core/error.ts'
import type { Issue } from './issue.ts'

/** One or more inputs do not fit their schemas. Status 422; every place's issues are in one error. */
export class ValidationError extends MillraceError {
  readonly issues: readonly Issue[]

  constructor(issues: readonly Issue[]) {
    const [first] = issues
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
    super('SCHEMA_INVALID_INPUT', first ? `${first.loc.join('.')}: ${first.msg}${more}` : 'invalid input', {
      status: 422,
      detail: 'The input does not fit what this route declares',
    })
    this.issues = issues
  }
}

/** The bytes are not a JSON text we accept. Status 400. */
export class BadJsonError extends MillraceError {
  /** Where it went wrong, in characters from the start; 0 when that is not known. */
  readonly position: number

  constructor(message: string, position: number) {
    super('SCHEMA_BAD_JSON', message, { status: 400, detail: `The body is not valid JSON: ${message}` })
    this.position = position
  }
}

/** A handler's value does not fit what its route declares in `returns`. A bug of the application: 500, details in the log only. */
export class ResponseError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('SCHEMA_BAD_RESPONSE', message, { status: 500, cause })
  }
}
