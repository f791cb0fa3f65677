// Keys for JSON Web Tokens, each held to the algorithms that are meant for it.
//
// Most holes in JWT libraries were a token that chose how it is verified: 'none', or HS256 with a public key as the secret. So the
// algorithms are the application's to name, all of them must be of the one kind that the key is for, and a key too short for them is
// refused (RFC 8725 §3.1, §3.2; RFC 7518 §3.2, §3.3).
import { createPrivateKey, createPublicKey, createSecretKey, KeyObject, type webcrypto } from 'node:crypto'
import { UsageError } from '../../core/error.ts'

const HASHED = ['HS256', 'HS384', 'HS512'] as const
const SIGNED = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type JwtAlgorithm = (typeof HASHED)[number] | (typeof SIGNED)[number]

/** A text is taken as UTF-8; base64 has to be decoded before. */
export type Secret = string | Uint8Array
/** PEM, a JSON Web Key, or what node:crypto made. */
export type AsymmetricKey = string | KeyObject | webcrypto.JsonWebKey

/** @throws UsageError `APP_JWT` for none, unknown ones, or some of each kind */
export function algorithmKind(algorithms: readonly JwtAlgorithm[]): 'secret' | 'key pair' {
  if (!Array.isArray(algorithms) || algorithms.length === 0)
    throw misuse("algorithms is empty; name those that your tokens are signed with, such as ['HS256']")
  for (const algorithm of algorithms as readonly unknown[])
    if (!([...HASHED, ...SIGNED] as readonly unknown[]).includes(algorithm))
      throw misuse(
        `${JSON.stringify(algorithm)} is no algorithm to sign with; known are ${[...HASHED, ...SIGNED].join(', ')}`,
      )
  const hashed = algorithms.filter(isHashed).length
  if (hashed !== 0 && hashed !== algorithms.length)
    throw misuse(
      `${algorithms.join(', ')}: some take a secret and some a public key; a token must not choose between them`,
    )
  return hashed === 0 ? 'key pair' : 'secret'
}

/** @throws UsageError `APP_JWT` for a secret shorter than the hash, or one that looks like a key */
export function secretKey(secret: Secret, algorithms: readonly JwtAlgorithm[]): KeyObject {
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) throw misuse('secret is no text and no bytes')
  if (typeof secret === 'string' && secret.includes('-----BEGIN'))
    throw misuse('secret is a key in PEM: whoever has the public half could sign tokens; give it as publicKey')
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  const least = Math.max(...algorithms.map(algorithm => Number(algorithm.slice(2)) / 8))
  if (bytes.byteLength < least)
    throw misuse(
      `secret has ${bytes.byteLength} bytes; ${algorithms.join(', ')} takes at least ${least}, and random ones`,
    )
  return createSecretKey(bytes)
}

/** @throws UsageError `APP_JWT` for what is no key, or one that the algorithms are not for */
export function publicKey(key: AsymmetricKey, algorithms: readonly JwtAlgorithm[]): KeyObject {
  return fitting(read(key, 'publicKey'), algorithms, 'publicKey')
}

/** @throws UsageError `APP_JWT`, as above */
export function privateKey(key: AsymmetricKey, algorithms: readonly JwtAlgorithm[]): KeyObject {
  return fitting(read(key, 'privateKey'), algorithms, 'privateKey')
}

function read(key: AsymmetricKey, name: 'publicKey' | 'privateKey'): KeyObject {
  const isPublic = name === 'publicKey'
  try {
    if (key instanceof KeyObject) return isPublic && key.type === 'private' ? createPublicKey(key) : key
    const input = typeof key === 'string' ? key : ({ key, format: 'jwk' } as const)
    return isPublic ? createPublicKey(input) : createPrivateKey(input)
  } catch (cause) {
    throw misuse(`${name} cannot be read as PEM or a JSON Web Key`, cause)
  }
}

function fitting(key: KeyObject, algorithms: readonly JwtAlgorithm[], name: string): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const wanted = name === 'publicKey' ? 'public' : 'private'
  if (key.type !== wanted) throw misuse(`${name} is a ${key.type} key`)
  for (const algorithm of algorithms) {
    const curve = CURVES[algorithm]
    const fits = curve
      ? type === 'ec' && details?.namedCurve === curve
      : algorithm.startsWith('Ed')
        ? type === 'ed25519'
        : type === 'rsa' || (type === 'rsa-pss' && algorithm.startsWith('PS'))
    if (!fits)
      throw misuse(
        `${name} is a key of type ${type}${details?.namedCurve ? ` (${details.namedCurve})` : ''}, which ${algorithm} is not for`,
      )
    if (type?.startsWith('rsa') && (details?.modulusLength ?? 0) < 2048)
      throw misuse(`${name} has ${details?.modulusLength} bits; ${algorithm} takes at least 2048`)
  }
  return key
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

function isHashed(algorithm: JwtAlgorithm): boolean {
  return algorithm.startsWith('HS')
}

export function misuse(what: string, cause?: unknown): UsageError {
  return new UsageError('APP_JWT', `jwt(): ${what}`, { cause })
}
