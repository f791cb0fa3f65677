// WWW-Authenticate: what a 401 must say, and a 403 for want of scopes may (RFC 9110 §11.6.1, RFC 6750 §3).
import type { ErrorFormat } from '../problem.ts'
import type { Scheme } from './scheme.ts'

/** `required` are the scopes that the route asks for; they are told by schemes that know the word. */
export interface Asked {
  readonly scheme: Scheme
  readonly required: readonly string[]
}

export type BearerError = 'invalid_token' | 'insufficient_scope'

/**
 * One value for all the schemes that would do. FastAPI sends neither errors nor anything but what was declared, and so does its format.
 *
 * @param error  what is wrong with what was shown; undefined when nothing was
 */
export function challenges(asked: readonly Asked[], error: BearerError | undefined, format: ErrorFormat): string {
  const told = asked.map(({ scheme: { challenge }, required }) => {
    const parameters = [...challenge.parameters(format)]
    if (challenge.tellsErrors) {
      if (error !== undefined && format === 'problem') parameters.push(['error', error])
      if (required.length > 0) parameters.push(['scope', required.join(' ')])
    }
    const pairs = parameters.map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`)
    return pairs.length === 0 ? challenge.scheme : `${challenge.scheme} ${pairs.join(', ')}`
  })
  return [...new Set(told)].join(', ')
}
