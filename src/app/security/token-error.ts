// A token that is not believed. What exactly was wrong is for the log; the client hears no more than it needs.
import { MillraceError } from '../../core/error.ts'

/** Status 401: in a dependency with `security` it may simply be thrown on. */
export class TokenError extends MillraceError {
  constructor(code: 'APP_BAD_TOKEN' | 'APP_TOKEN_EXPIRED', message: string, cause?: unknown) {
    const detail = code === 'APP_TOKEN_EXPIRED' ? 'The token has expired' : 'The token is not valid'
    super(code, message, { status: 401, detail, cause })
  }
}
