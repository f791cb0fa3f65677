// OAuth 2 (RFC 6749): tokens as with bearer(), and in the documentation how a client comes by one, and what for.
import { UsageError } from '../../core/error.ts'
import { type Token, tokenScheme } from './bearer.ts'
import { type RequiredScopes, type SchemeOptions, secured, type Security } from './scheme.ts'

/** Name to what it allows, for people: `{ 'orders:read': 'See your orders' }`. */
export type ScopeTexts = Readonly<Record<string, string>>

interface Flow {
  readonly refreshUrl?: string
  /** Only these can be required. Default none. */
  readonly scopes?: ScopeTexts
}
export interface TokenFlow extends Flow {
  /** Where tokens are given out; a path of this API, '/token', or a whole URL. */
  readonly tokenUrl: string
}
export interface AuthorizationFlow extends Flow {
  /** Where a person logs in and agrees. */
  readonly authorizationUrl: string
}

/** OpenAPI's names for the ways to a token. */
export interface OAuth2Flows {
  readonly password?: TokenFlow
  readonly authorizationCode?: AuthorizationFlow & TokenFlow
  readonly clientCredentials?: TokenFlow
  readonly implicit?: AuthorizationFlow
}

export interface OAuth2Options extends SchemeOptions {
  readonly realm?: string
}

/**
 * The client asks for name and password itself, and turns them into a token at `tokenUrl`: for clients of your own. `passwordForm` is what
 * it sends there. Swagger UI's Authorize does the same.
 */
export function oauth2Password(of: TokenFlow & OAuth2Options): Security<Token & RequiredScopes> {
  return oauth2Named({ password: flow(of, 'tokenUrl') }, of, 'OAuth2PasswordBearer')
}

/** The client sends a person to `authorizationUrl`, and turns the code it gets back into a token: for clients of others. */
export function oauth2AuthorizationCode(
  of: AuthorizationFlow & TokenFlow & OAuth2Options,
): Security<Token & RequiredScopes> {
  const authorizationCode = flow(of, 'authorizationUrl', 'tokenUrl')
  return oauth2Named({ authorizationCode }, of, 'OAuth2AuthorizationCodeBearer')
}

/** A program that acts for itself gets a token for its client id and secret. */
export function oauth2ClientCredentials(of: TokenFlow & OAuth2Options): Security<Token & RequiredScopes> {
  return oauth2Named({ clientCredentials: flow(of, 'tokenUrl') }, of, 'OAuth2ClientCredentialsBearer')
}

/** Several flows that lead to the same tokens. */
export function oauth2(of: { readonly flows: OAuth2Flows } & OAuth2Options): Security<Token & RequiredScopes> {
  const { password, authorizationCode, clientCredentials, implicit } = of.flows
  const flows = {
    ...(implicit && { implicit: flow(implicit, 'authorizationUrl') }),
    ...(password && { password: flow(password, 'tokenUrl') }),
    ...(clientCredentials && { clientCredentials: flow(clientCredentials, 'tokenUrl') }),
    ...(authorizationCode && { authorizationCode: flow(authorizationCode, 'authorizationUrl', 'tokenUrl') }),
  }
  if (Object.keys(flows).length === 0) throw new UsageError('APP_SECURITY', 'oauth2(): flows names no flow')
  return oauth2Named(flows, of, 'OAuth2')
}

interface FlowDocument {
  readonly scopes: ScopeTexts
}

function oauth2Named(
  flows: Readonly<Record<string, FlowDocument>>,
  of: OAuth2Options,
  name: string,
): Security<Token & RequiredScopes> {
  const scopes = [...new Set(Object.values(flows).flatMap(({ scopes }) => Object.keys(scopes)))]
  return secured(tokenScheme({ type: 'oauth2', flows }, scopes, of.realm), of, name)
}

type Url = 'authorizationUrl' | 'tokenUrl' | 'refreshUrl'

function flow(of: Flow & Partial<Record<Url, string>>, ...required: readonly Url[]): FlowDocument {
  const urls: Partial<Record<Url, string>> = {}
  for (const name of [...required, 'refreshUrl'] as const) {
    const url = of[name]
    if (url === undefined && name === 'refreshUrl') continue
    if (typeof url !== 'string' || !URL.canParse(url, 'http://localhost'))
      throw new UsageError('APP_SECURITY', `OAuth 2: ${name} is ${JSON.stringify(url)}; give a path or a URL`)
    urls[name] = url
  }
  const { scopes = {} } = of
  for (const scope of Object.keys(scopes))
    if (!SCOPE.test(scope))
      throw new UsageError(
        'APP_SECURITY',
        `OAuth 2: ${JSON.stringify(scope)} is no scope; spaces part one from the next`,
      )
  return { ...urls, scopes: { ...scopes } }
}

// RFC 6749 §3.3 scope-token.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
