// What can be wrong with a form as a whole; what is wrong with a field or a file in it is an issue like any other.
import { MillraceError } from '../core/error.ts'

/** `detail` in words that give nothing of the form away. FastAPI's own where it has the case. */
export function badMultipart(detail: string): MillraceError {
  return new MillraceError('APP_BAD_MULTIPART', `a multipart body: ${detail}`, { status: 400, detail })
}

// A part without a name is the one thing in a body for which FastAPI has words of its own.
const NAMELESS = new Set(['A part has no name.', 'A part has no Content-Disposition of form-data.'])
const BOUNDARY = 'Missing boundary in multipart.'

/** As FastAPI tells it. */
export function retold(error: unknown): unknown {
  if (!(error instanceof MillraceError) || error.code !== 'APP_BAD_MULTIPART' || error.detail === BOUNDARY) return error
  const isNameless = NAMELESS.has(error.detail ?? '')
  const detail = isNameless
    ? 'The Content-Disposition header field "name" must be provided.'
    : 'Invalid multipart data.'
  return new MillraceError(error.code, error.message, { status: 400, detail, cause: error })
}

/** @param status  413; where errors are FastAPI's, its 400 */
export function formTooLarge(detail: string, status = 413): MillraceError {
  return new MillraceError('APP_FORM_TOO_LARGE', `a form over its limits: ${detail}`, { status, detail })
}

export function fileTooLarge(name: string, maxBytes: number): MillraceError {
  return new MillraceError('APP_FILE_TOO_LARGE', `a file ${name} of over ${maxBytes} bytes`, {
    status: 413,
    detail: `A file in ${name} may have at most ${maxBytes} bytes.`,
  })
}

export function fileGone(): MillraceError {
  return new MillraceError(
    'APP_FILE_GONE',
    'an uploaded file was read after its request had ended; save() it before, or read it in defer()',
    { status: 500 },
  )
}
