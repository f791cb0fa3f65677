// Errors become answers here and nowhere else: RFC 9457 problem documents, or FastAPI's shapes for clients that already speak them.
import { MillraceError } from '../core/error.ts'
import { reasonPhrase } from '../http/status.ts'
import { ValidationError } from '../schema/errors.ts'
import { fastapiIssue } from '../schema/fastapi-issues.ts'
import { Answer } from './answer.ts'
import { HttpError } from './http-error.ts'
import { UnsupportedCodingError } from './request-content.ts'

export type ErrorFormat = 'problem' | 'fastapi'

interface Told {
  readonly status: number
  readonly detail?: string | undefined
  readonly fields?: readonly string[]
  readonly errors?: readonly object[]
}

/** Turns whatever was thrown into an answer. What is not meant for clients becomes a bare 500, with the error kept for the log. */
export function problemAnswer(error: unknown, format: ErrorFormat): Answer {
  const told = tell(error, format)
  const answer =
    format === 'fastapi'
      ? new Answer(told.status, fastapiBody(told), [
          'content-type',
          told.status === 500 ? TEXT : JSON_TYPE,
          ...(told.fields ?? []),
        ])
      : problem(told)
  answer.error = error
  return answer
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'

function problem(told: Told): Answer {
  const body: Record<string, unknown> = {
    type: 'about:blank',
    title: reasonPhrase(told.status) || 'Error',
    status: told.status,
  }
  if (told.detail !== undefined) body['detail'] = told.detail
  if (told.errors) body['errors'] = told.errors
  return new Answer(told.status, JSON.stringify(body), [
    'content-type',
    'application/problem+json',
    ...(told.fields ?? []),
  ])
}

function fastapiBody(told: Told): string {
  if (told.status === 500) return 'Internal Server Error'
  return JSON.stringify({ detail: told.errors ?? told.detail ?? reasonPhrase(told.status) })
}

function tell(error: unknown, format: ErrorFormat): Told {
  if (error instanceof ValidationError) {
    return {
      status: 422,
      detail: error.issues.length === 1 ? 'One input is not valid' : `${error.issues.length} inputs are not valid`,
      errors: format === 'fastapi' ? error.issues.map(fastapiIssue) : error.issues,
    }
  }
  if (error instanceof HttpError)
    return { status: error.status, detail: error.detail, fields: Object.entries(error.headers).flat() }
  if (error instanceof MillraceError && error.status !== undefined && error.status < 600) {
    // Whole seconds, rounded up: half a second told as 0 would bring everybody back at once.
    const retry =
      error.retryAfterMs === undefined ? [] : ['retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)))]
    const accepts = error instanceof UnsupportedCodingError ? ['accept-encoding', error.accepted] : []
    return { status: error.status, detail: error.detail, fields: [...retry, ...accepts] }
  }
  return { status: 500 }
}
