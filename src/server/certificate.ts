// The certificate and key of the server: read, and checked before anything listens, so that what is wrong is told by name.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { Settings } from './settings.ts'

export type TlsSettings = Pick<
  Settings,
  'tlsCert' | 'tlsKey' | 'tlsKeyPassword' | 'tlsCa' | 'tlsClients' | 'tlsMinVersion'
>

/** PEM texts that belong together. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly passphrase: string | undefined
  /** Who issues the certificates of clients; undefined: they are not asked for one. */
  readonly ca: string | undefined
  /** Of the first certificate. */
  readonly validTo: Date
}

export function usesTls(settings: Pick<Settings, 'tlsCert' | 'tlsKey'>): boolean {
  return settings.tlsCert !== '' || settings.tlsKey !== ''
}

/**
 * @throws StartError `TLS_INCOMPLETE`, `TLS_UNREADABLE`, `TLS_BAD_CERTIFICATE`, `TLS_BAD_KEY` or `TLS_MISMATCH`, exit code 2
 */
export async function readCertificate(settings: TlsSettings): Promise<Certificate> {
  const { tlsCert, tlsKey, tlsCa } = settings
  if (tlsCert === '' || tlsKey === '')
    throw tlsError(
      'TLS_INCOMPLETE',
      `TLS needs both --tls-cert and --tls-key; --tls-${tlsCert === '' ? 'cert' : 'key'} is missing`,
    )
  const [cert, key, ca] = await Promise.all([
    readPem(tlsCert),
    readPem(tlsKey),
    tlsCa === '' ? undefined : readPem(tlsCa),
  ])
  const first = certificateIn(cert, tlsCert)
  if (ca !== undefined) certificateIn(ca, tlsCa)
  const passphrase = settings.tlsKeyPassword === '' ? undefined : settings.tlsKeyPassword
  if (!first.checkPrivateKey(keyIn(key, tlsKey, passphrase)))
    throw tlsError(
      'TLS_MISMATCH',
      `the key in ${tlsKey} does not belong to the first certificate in ${tlsCert}; were both files renewed?`,
    )
  return { cert, key, passphrase, ca, validTo: new Date(first.validTo) }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EACCES'
          ? 'may not be read by this user'
          : `cannot be read: ${message}`
    throw tlsError('TLS_UNREADABLE', `${path} ${why}`, error)
  }
}

function certificateIn(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw tlsError('TLS_BAD_CERTIFICATE', `${path} does not begin with a certificate in PEM form`, error)
  }
}

function keyIn(pem: string, path: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch (error) {
    // Not OpenSSL's own words: what they mean is one of these.
    const isLocked = pem.includes('ENCRYPTED')
    const why = !isLocked
      ? 'holds no private key in PEM form'
      : passphrase === undefined
        ? 'is encrypted; give its password as --tls-key-password, better in MILLRACE_TLS_KEY_PASSWORD'
        : 'cannot be decrypted with the password given'
    throw tlsError('TLS_BAD_KEY', `${path} ${why}`, error)
  }
}

function tlsError(code: string, message: string, cause?: unknown): StartError {
  return new StartError(code, EXIT.usage, message, { cause })
}
