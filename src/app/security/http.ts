// Any other scheme of the Authorization field: Digest, DPoP, one of your own.
import { authorization } from './authorization.ts'
import { MALFORMED, realmOnly, type RequiredScopes, type SchemeOptions, secured, type Security } from './scheme.ts'
import { UsageError } from '../../core/error.ts'

export interface HttpSchemeOptions extends SchemeOptions {
  /** 'Digest', or another name of the IANA's registry of authentication schemes. */
  readonly scheme: string
  readonly realm?: string
}

/**
 * `Authorization: SCHEME CREDENTIALS`. Reads the credentials and knows nothing about them; for Digest as for all others, the dependency has
 * to check them, and to send challenges with more in them than a realm.
 *
 * @throws UsageError `APP_SECURITY` for a scheme that is no token
 */
export function http(of: HttpSchemeOptions): Security<{ readonly credentials: string } & RequiredScopes> {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(of.scheme))
    throw new UsageError(
      'APP_SECURITY',
      `http(): ${JSON.stringify(of.scheme)} is no name of an authentication scheme; one is 'Digest'`,
    )
  const scheme = of.scheme.toLowerCase()
  return secured(
    {
      document: { type: 'http', scheme },
      gives: ['credentials'],
      scopes: undefined,
      challenge: { scheme: of.scheme, parameters: realmOnly(of.realm), tellsErrors: false },
      read: exchange => {
        const credentials = authorization(exchange, scheme)
        if (typeof credentials !== 'string') return credentials
        return credentials === '' ? MALFORMED : { credentials }
      },
    },
    of,
    `HTTP${of.scheme[0]!.toUpperCase()}${of.scheme.slice(1)}`,
  )
}
