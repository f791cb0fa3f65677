// Texts that a client keeps for us and cannot change: signed, so that it can read them, or encrypted.
//
// Keys are derived for each purpose (HKDF, RFC 5869): what was made for one cookie is nothing in another, whatever secrets they share.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

/** What opened a text: 0 for the newest secret. */
export interface Opened {
  readonly text: string
  readonly secret: number
}

export interface Seal {
  seal(text: string): string
  /** undefined for what was not made with one of the secrets, or was changed. */
  open(sealed: string): Opened | undefined
}

/** A key can be guessed as easily as the secret it is made from: 256 bits, as HMAC-SHA-256 and AES-256 take. */
export const LEAST_SECRET_BYTES = 32

/** Text and HMAC-SHA-256 of it, both as base64url, with a dot between them. */
export function signing(secrets: readonly string[], purpose: string): Seal {
  const keys = secrets.map(secret => derived(secret, `sign ${purpose}`))
  return {
    seal(text) {
      const coded = Buffer.from(text).toString('base64url')
      return `${coded}.${signature(keys[0]!, coded).toString('base64url')}`
    },
    open(sealed) {
      const dot = sealed.indexOf('.')
      const coded = sealed.slice(0, Math.max(dot, 0))
      const found = Buffer.from(sealed.slice(dot + 1), 'base64url')
      const secret = keys.findIndex(key => isEqual(found, signature(key, coded)))
      return secret === -1 ? undefined : { text: Buffer.from(coded, 'base64url').toString(), secret }
    },
  }
}

function signature(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** @returns whether both are the same, in a time that tells nothing about where they differ */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}

const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Salt, nonce, ciphertext and tag of AES-256-GCM, as base64url. A random nonce alone would be safe for 2^32 texts of one key (NIST SP
 * 800-38D §8.3), a few days of a busy API; so each text has a key of its own, made from the salt.
 */
export function encrypting(secrets: readonly string[], purpose: string): Seal {
  const keys = secrets.map(secret => derived(secret, `encrypt ${purpose}`))
  return {
    seal(text) {
      const random = randomBytes(SALT_BYTES + NONCE_BYTES)
      const key = signatureOf(keys[0]!, random)
      const cipher = createCipheriv('aes-256-gcm', key, random.subarray(SALT_BYTES), { authTagLength: TAG_BYTES })
      const coded = Buffer.concat([random, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return coded.toString('base64url')
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.byteLength < SALT_BYTES + NONCE_BYTES + TAG_BYTES) return undefined
      for (const [secret, key] of keys.entries()) {
        const text = decrypted(key, bytes)
        if (text !== undefined) return { text, secret }
      }
      return undefined
    },
  }
}

function decrypted(key: Buffer, bytes: Buffer): string | undefined {
  const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', signatureOf(key, bytes), nonce, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(SALT_BYTES + NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString()
  } catch {
    return undefined
  }
}

function signatureOf(key: Buffer, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes.subarray(0, SALT_BYTES)).digest()
}

function derived(secret: string, purpose: string): Buffer {
  // eslint-disable-next-line n/no-sync -- at the start; it takes microseconds
  return Buffer.from(hkdfSync('sha256', secret, '', `millrace ${purpose}`, 32))
}
