// Name and password in the Authorization field (RFC 7617).
import { authorization } from './authorization.ts'
import { MALFORMED, type RequiredScopes, type SchemeOptions, secured, type Security } from './scheme.ts'

export interface NameAndPassword {
  readonly username: string
  readonly password: string
}

export interface BasicOptions extends SchemeOptions {
  /** What the name and password are for; browsers show it. Default 'api'. */
  readonly realm?: string
}

/**
 * `Authorization: Basic BASE64`, in UTF-8. Browsers ask for name and password by themselves when they are answered with 401.
 *
 * Compare with `timingSafeEqual`, or verify with `passwords()`.
 */
export function basic(of: BasicOptions = {}): Security<NameAndPassword & RequiredScopes> {
  return secured(
    {
      document: { type: 'http', scheme: 'basic' },
      gives: ['username', 'password'],
      scopes: undefined,
      challenge: {
        scheme: 'Basic',
        // The RFC wants a realm, FastAPI sends one only when it was given.
        parameters: format =>
          format === 'problem'
            ? [
                ['realm', of.realm ?? 'api'],
                ['charset', 'UTF-8'],
              ]
            : of.realm === undefined
              ? []
              : [['realm', of.realm]],
        tellsErrors: false,
      },
      read: exchange => {
        const encoded = authorization(exchange, 'basic')
        return typeof encoded === 'string' ? (decoded(encoded) ?? MALFORMED) : encoded
      },
    },
    of,
    'HTTPBasic',
  )
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Node's own decoder takes anything and leaves out what is not base64. */
function decoded(encoded: string): { username: string; password: string } | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)) return undefined
  let text: string
  try {
    text = utf8.decode(Buffer.from(encoded, 'base64'))
  } catch {
    return undefined
  }
  const colon = text.indexOf(':')
  // RFC 7617 §2: no control characters in either.
  if (colon === -1 || /[\x00-\x1f\x7f]/.test(text)) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
