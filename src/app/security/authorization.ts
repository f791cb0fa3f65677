// The Authorization field (RFC 9110 §11.6.2): a scheme, and behind it what the scheme calls credentials.
import type { Exchange } from '../../http/exchange.ts'
import { MALFORMED } from './scheme.ts'

/**
 * @param scheme  in lower case; a request may spell it in any
 * @returns what stands behind the scheme; undefined when there is no such field, or it is of another scheme
 */
export function authorization(exchange: Exchange, scheme: string): string | typeof MALFORMED | undefined {
  const lines = exchange.fields.all('authorization')
  if (lines.length === 0) return undefined
  // Which of two would the next reader of this request believe?
  if (lines.length > 1) return MALFORMED
  const text = lines[0]!
  const space = text.indexOf(' ')
  const found = space === -1 ? text : text.slice(0, space)
  if (found.length !== scheme.length || found.toLowerCase() !== scheme) return undefined
  return space === -1 ? '' : text.slice(space + 1).trim()
}
