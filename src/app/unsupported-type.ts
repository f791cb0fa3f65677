// A body of a Content-Type that its route does not read.
import { MillraceError } from '../core/error.ts'

/** @param read  what the route reads */
export function unsupportedType(read: string, type: string | undefined): MillraceError {
  return new MillraceError('APP_UNSUPPORTED_TYPE', `a body of ${type ?? 'no content type'}`, {
    status: 415,
    detail:
      type === undefined
        ? `The body has no Content-Type; this route reads ${read}`
        : `This route reads ${read}, not ${type}`,
  })
}
