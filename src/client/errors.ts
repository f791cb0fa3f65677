// What a call throws: no answer, none in time, or one that no Millrace app gives. Messages say which call it was and what came back.
import type { ProblemDetails, Told } from '../app/call.ts'
import { MillraceError } from '../core/error.ts'
import { reasonPhrase } from '../http/status.ts'

/** Which call it was. */
export interface CallName {
  readonly method: string
  /** The pattern: '/products/{id}'. */
  readonly path: string
  readonly url: string
}

/**
 * A call that came to nothing. `code` says why: `CLIENT_NO_ANSWER`, `CLIENT_TIMED_OUT`, or that of an AnswerError.
 *
 * Thrown in a handler it becomes a 502, or a 504 when time ran out: the handler's client learns whose fault it is, and no more.
 */
export class CallError extends MillraceError implements CallName {
  readonly method: string
  readonly path: string
  readonly url: string

  constructor(code: string, call: CallName, why: string, cause?: unknown) {
    const status = code === 'CLIENT_TIMED_OUT' ? 504 : 502
    super(code, `${call.method} ${call.path} ${why}`, { status, detail: DETAILS[status], cause })
    this.method = call.method
    this.path = call.path
    this.url = call.url
  }
}

const DETAILS = {
  502: 'A server behind this one did not answer as it should.',
  504: 'A server behind this one did not answer in time.',
} as const

/** An answer that the types do not have. `code` is `CLIENT_UNEXPECTED_ANSWER`; from unwrap(), `CLIENT_NOT_OK`. */
export class AnswerError extends CallError {
  readonly answer: Told<number, unknown>

  constructor(
    code: 'CLIENT_UNEXPECTED_ANSWER' | 'CLIENT_NOT_OK',
    call: CallName,
    answer: Told<number, unknown>,
    cause?: unknown,
  ) {
    super(code, call, `answered ${tellAnswer(answer)}`, cause)
    this.answer = answer
  }

  /** The problem document, where the answer is one. */
  get problem(): ProblemDetails | undefined {
    return problemOf(this.answer.body)
  }
}

/** '404 Not Found: No such product', '502 Bad Gateway (text/html): <html>...'. */
function tellAnswer({ status, body, headers }: Told<number, unknown>): string {
  const phrase = reasonPhrase(status)
  const problem = problemOf(body)
  const title = problem?.title ?? phrase
  const head = title ? `${status} ${title}` : String(status)
  if (problem) return problem.detail === undefined ? head : `${head}: ${problem.detail}`
  const type = headers.get('content-type')
  const shown = body === null || body instanceof Blob ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  return `${head}${type === null ? '' : ` (${type})`}${shown === '' ? '' : `: ${excerpt(shown)}`}`
}

function problemOf(body: unknown): ProblemDetails | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  return typeof (body as Partial<ProblemDetails>).title === 'string' ? (body as ProblemDetails) : undefined
}

// Enough to know a proxy's page by.
const EXCERPT = 200

function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}...` : line
}
