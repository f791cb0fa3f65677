// OpenID Connect: tokens as with bearer(); clients find out at `url` how to come by one.
import { UsageError } from '../../core/error.ts'
import { type Token, tokenScheme } from './bearer.ts'
import { type RequiredScopes, type SchemeOptions, secured, type Security } from './scheme.ts'

export interface OpenIdConnectOptions extends SchemeOptions {
  /** Of the discovery document: 'https://login.example/.well-known/openid-configuration'. */
  readonly url: string
  readonly realm?: string
}

/**
 * Documents the flow and reads the token; `jwt({ jwks })` verifies it.
 *
 * @throws UsageError `APP_SECURITY` for a URL that is none
 */
export function openIdConnect(of: OpenIdConnectOptions): Security<Token & RequiredScopes> {
  if (typeof of.url !== 'string' || !URL.canParse(of.url, 'http://localhost'))
    throw new UsageError('APP_SECURITY', `openIdConnect(): url is ${JSON.stringify(of.url)}; give a path or a URL`)
  const document = { type: 'openIdConnect', openIdConnectUrl: of.url }
  return secured(tokenScheme(document, undefined, of.realm), of, 'OpenIdConnect')
}
