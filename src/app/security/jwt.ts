// JSON Web Tokens (RFC 7519): signed, verified, and their claims checked by a schema. The cryptography is jose's.
import type { KeyObject } from 'node:crypto'
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify, type JWTVerifyGetKey, SignJWT } from 'jose'
import { type Duration, milliseconds } from '../../core/duration.ts'
import { MillraceError } from '../../core/error.ts'
import { compileBody } from '../../schema/decode.ts'
import type { Issue } from '../../schema/issue.ts'
import type { In, Out, Schema } from '../../schema/schema.ts'
import { RemoteKeys } from './jwks.ts'
import {
  algorithmKind,
  type AsymmetricKey,
  type JwtAlgorithm,
  misuse,
  privateKey,
  publicKey,
  type Secret,
  secretKey,
} from './jwt-keys.ts'
import { TokenError } from './token-error.ts'

export interface JwtOptions<C> {
  /** Those that a token may be signed with, all for one kind of key; the first signs. No default, and no 'none'. */
  readonly algorithms: readonly JwtAlgorithm[]
  /** For HS256 and its like. Several: the first signs, all verify, so that one can be exchanged for the next. */
  readonly secret?: Secret | readonly Secret[]
  /** For the others: verifies. Several, as above. */
  readonly publicKey?: AsymmetricKey | readonly AsymmetricKey[]
  /** Signs. Its public half verifies, where no other is given. */
  readonly privateKey?: AsymmetricKey
  /** Keys of whoever gives out the tokens: the URL of the set (`jwks_uri` of OpenID Connect), or the set itself. */
  readonly jwks?: string | URL | JSONWebKeySet
  /** Must be the token's `iss`; one of several. Signed tokens get the first. */
  readonly issuer?: string | readonly string[]
  /** Must be among the token's `aud`; one of several. Signed tokens get the first. */
  readonly audience?: string | readonly string[]
  /** By how much clocks may differ. Default 5 s. */
  readonly clockTolerance?: Duration
  /** What else is in the token. Claims that it does not name are left out. */
  readonly claims?: C
  /** Milliseconds since 1970. Default Date.now. */
  readonly now?: () => number
}

/** What every token may say of itself; times in seconds since 1970. */
export interface RegisteredClaims {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string | readonly string[]
  readonly exp: number
  readonly nbf?: number
  readonly iat?: number
  readonly jti?: string
}
export type Claims<C> = [C] extends [undefined]
  ? RegisteredClaims & { readonly [name: string]: unknown }
  : Out<C> & RegisteredClaims

export interface Jwt<C> {
  /**
   * @param signal  ends the wait for the keys of others
   * @returns the claims of a token that is signed by a known key, in its time, and for us
   * @throws TokenError `APP_BAD_TOKEN` or `APP_TOKEN_EXPIRED` (401); MillraceError `APP_JWKS_UNAVAILABLE` (503)
   */
  verify(token: string, of?: { readonly signal?: AbortSignal }): Promise<Claims<C>>
  /**
   * @param of.expiresIn  from now; every token ends
   * @throws UsageError `APP_JWT` where there is nothing to sign with
   */
  sign(
    claims: [C] extends [undefined] ? Readonly<Record<string, unknown>> : In<C>,
    of: { readonly expiresIn: Duration; readonly keyId?: string },
  ): Promise<string>
}

/**
 * Signs and verifies tokens of one kind.
 *
 * @throws UsageError `APP_JWT` for algorithms and keys that do not go together, or a secret that is too short
 * @example
 * const tokens = jwt({ algorithms: ['HS256'], secret, issuer: 'shop', claims: z.object({ sub: z.uuid() }) })
 * const currentUser = dependency({ security: bearer() }, async ({ token, signal }) => tokens.verify(token, { signal }))
 */
export function jwt<const C extends Schema | undefined = undefined>(of: JwtOptions<C>): Jwt<C> {
  const { now = Date.now } = of
  const algorithms = [...of.algorithms]
  const { verifying, signing } = keysOf(of, algorithms)
  const clockTolerance = milliseconds(of.clockTolerance ?? '5s', 'jwt() clockTolerance') / 1000
  const decoder = of.claims === undefined ? undefined : compileBody(of.claims, 'jwt() claims')
  const issuers = listOf(of.issuer)
  const audiences = listOf(of.audience)
  const expected = {
    algorithms,
    clockTolerance,
    requiredClaims: ['exp'],
    ...(issuers.length > 0 ? { issuer: [...issuers] } : {}),
    ...(audiences.length > 0 ? { audience: [...audiences] } : {}),
  }

  async function verified(token: string): Promise<Readonly<Record<string, unknown>>> {
    const options = { ...expected, currentDate: new Date(now()) }
    let last: unknown
    for (const key of verifying)
      try {
        // Two signatures of jwtVerify, one for a key and one for what finds it.
        const found = typeof key === 'function' ? jwtVerify(token, key, options) : jwtVerify(token, key, options)
        return (await found).payload
      } catch (error) {
        last = error
        // A set without key ids, and several keys that it could be.
        if (error instanceof errors.JWKSMultipleMatchingKeys)
          for await (const each of error) {
            const payload = await jwtVerify(token, each, options).then(
              result => result.payload,
              (next: unknown) => void (last = next),
            )
            if (payload) return payload
          }
        if (!(last instanceof errors.JWSSignatureVerificationFailed)) break
      }
    throw refusal(last)
  }

  async function checked(payload: Readonly<Record<string, unknown>>): Promise<Claims<C>> {
    if (!decoder) return payload as Claims<C>
    const issues: Issue[] = []
    const decoded = (await decoder.decode(payload, issues)) as object
    if (issues.length > 0)
      throw new TokenError(
        'APP_BAD_TOKEN',
        `claims: ${issues.map(({ loc, msg }) => `${loc.slice(1).join('.')}: ${msg}`).join('; ')}`,
      )
    const registered = Object.fromEntries(REGISTERED.flatMap(name => (name in payload ? [[name, payload[name]]] : [])))
    return { ...registered, ...decoded } as Claims<C>
  }

  return {
    async verify(token, { signal } = {}) {
      return checked(await unlessAborted(verified(token), signal))
    },
    async sign(claims, { expiresIn, keyId }) {
      if (!signing) throw misuse('there is nothing to sign with: give secret or privateKey')
      const seconds = Math.floor(now() / 1000)
      const token = new SignJWT({ ...(claims as Record<string, unknown>) })
        .setProtectedHeader({ alg: algorithms[0]!, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) })
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + Math.ceil(milliseconds(expiresIn, 'jwt() expiresIn') / 1000))
      if (issuers[0] !== undefined) token.setIssuer(issuers[0])
      if (audiences[0] !== undefined) token.setAudience(audiences[0])
      return token.sign(signing)
    },
  }
}

const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'] as const

function keysOf(
  of: JwtOptions<any>,
  algorithms: readonly JwtAlgorithm[],
): { readonly verifying: readonly (KeyObject | JWTVerifyGetKey)[]; readonly signing: KeyObject | undefined } {
  const kind = algorithmKind(algorithms)
  if (kind === 'secret') {
    if ((of.publicKey ?? of.privateKey ?? of.jwks) !== undefined)
      throw misuse(`${algorithms.join(', ')} takes a secret, and there is a public or private key`)
    const secrets = listOf<Secret>(of.secret)
    if (secrets.length === 0) throw misuse(`${algorithms.join(', ')} takes a secret`)
    const keys = secrets.map(secret => secretKey(secret, algorithms))
    return { verifying: keys, signing: keys[0] }
  }
  if (of.secret !== undefined)
    throw misuse(`${algorithms.join(', ')} takes publicKey, privateKey or jwks, and there is a secret`)
  const signing = of.privateKey === undefined ? undefined : privateKey(of.privateKey, algorithms)
  const keys = listOf<AsymmetricKey>(of.publicKey).map(key => publicKey(key, algorithms))
  const verifying: (KeyObject | JWTVerifyGetKey)[] = [...keys]
  if (of.jwks !== undefined) verifying.push(keySet(of.jwks))
  if (verifying.length === 0 && signing) verifying.push(publicKey(signing, algorithms))
  if (verifying.length === 0) throw misuse(`${algorithms.join(', ')} takes publicKey, privateKey or jwks`)
  return { verifying, signing }
}

function keySet(of: string | URL | JSONWebKeySet): JWTVerifyGetKey {
  if (typeof of !== 'string' && !(of instanceof URL)) {
    try {
      return createLocalJWKSet(of)
    } catch (cause) {
      throw misuse('jwks is no set of keys', cause)
    }
  }
  if (!URL.canParse(of) || !/^https?:$/.test(new URL(of).protocol))
    throw misuse(`jwks is ${JSON.stringify(of)}; give a URL`)
  return new RemoteKeys(new URL(of)).find
}

function refusal(error: unknown): unknown {
  if (error instanceof MillraceError) return error
  if (error instanceof errors.JWTExpired) return new TokenError('APP_TOKEN_EXPIRED', error.message, error)
  if (error instanceof errors.JOSEError) return new TokenError('APP_BAD_TOKEN', error.message, error)
  // jose says so where a key of a set is not for the algorithm that the token names.
  if (error instanceof TypeError) return new TokenError('APP_BAD_TOKEN', error.message, error)
  return error
}

/** One caller's leave does not end the fetch that others wait for. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function listOf<T>(of: T | readonly T[] | undefined): readonly T[] {
  if (of === undefined) return []
  return Array.isArray(of) ? (of as readonly T[]) : [of as T]
}
