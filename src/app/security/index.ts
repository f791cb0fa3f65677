// Who asks, and may they: schemes for the `security` of a dependency, tokens, passwords.
export { apiKey, type ApiKeyOptions } from './api-key.ts'
export { either, optional } from './alternatives.ts'
export { basic, type BasicOptions, type NameAndPassword } from './basic.ts'
export { bearer, type BearerOptions, type Token } from './bearer.ts'
export { http, type HttpSchemeOptions } from './http.ts'
export { type Claims, jwt, type Jwt, type JwtOptions, type RegisteredClaims } from './jwt.ts'
export type { AsymmetricKey, JwtAlgorithm, Secret } from './jwt-keys.ts'
export {
  type AuthorizationFlow,
  oauth2,
  oauth2AuthorizationCode,
  oauth2ClientCredentials,
  type OAuth2Flows,
  type OAuth2Options,
  oauth2Password,
  type ScopeTexts,
  type TokenFlow,
} from './oauth2.ts'
export { openIdConnect, type OpenIdConnectOptions } from './open-id-connect.ts'
export { passwordForm, strictPasswordForm, TokenAnswer, TokenRefusal } from './password-form.ts'
export { type PasswordCost, type Passwords, passwords, type PasswordsOptions } from './passwords.ts'
export type { RequiredScopes, SchemeOptions, Security } from './scheme.ts'
export { checkScopes, requireScopes, scopesOf } from './scopes.ts'
export { timingSafeEqual } from './timing-safe.ts'
export { TokenError } from './token-error.ts'
