// A token in the Authorization field (RFC 6750): whoever holds it is believed.
import type { Exchange } from '../../http/exchange.ts'
import { authorization } from './authorization.ts'
import {
  type Credentials,
  MALFORMED,
  realmOnly,
  type RequiredScopes,
  type Scheme,
  type SchemeOptions,
  secured,
  type Security,
} from './scheme.ts'

export interface Token {
  /** As it was sent; nobody has looked at it yet. */
  readonly token: string
}

export interface BearerOptions extends SchemeOptions {
  /** What the tokens are, for the documentation: 'JWT'. */
  readonly format?: string
  readonly realm?: string
}

/**
 * `Authorization: Bearer TOKEN`. Only asks for the token: whether it is any good is for the dependency to say.
 *
 * @example
 * const currentUser = dependency({ security: bearer() }, async ({ token }) => (await userByToken(token)) ?? fail(401, 'Bad token'))
 */
export function bearer(of: BearerOptions = {}): Security<Token & RequiredScopes> {
  const document = { type: 'http', scheme: 'bearer', ...(of.format === undefined ? {} : { bearerFormat: of.format }) }
  return secured(tokenScheme(document, undefined, of.realm), of, 'HTTPBearer')
}

/** What bearer(), the OAuth2 flows and OpenID Connect have in common: how the token travels. */
export function tokenScheme(
  document: Scheme['document'],
  scopes: readonly string[] | undefined,
  realm?: string,
): Omit<Scheme, 'name' | 'isNamed'> {
  return {
    document,
    gives: ['token'],
    scopes,
    challenge: { scheme: 'Bearer', parameters: realmOnly(realm), tellsErrors: true },
    read: readToken,
  }
}

function readToken(exchange: Exchange): Credentials | typeof MALFORMED | undefined {
  const token = authorization(exchange, 'bearer')
  if (typeof token !== 'string') return token
  // RFC 6750 §2.1 has token68; what else servers have given out as tokens has no spaces or commas in it either.
  return /^[^\s,]+$/.test(token) ? { token } : MALFORMED
}
