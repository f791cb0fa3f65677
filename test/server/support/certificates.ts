// Certificates for tests, made by openssl in a folder that goes with the test file. No key is ever committed.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl && process.env['CI']) throw new Error('openssl is not here, and with CI set nothing is skipped')

/** For the options of a suite. */
export const needsOpenssl = { skip: hasOpenssl ? false : 'openssl is not here' }

export interface Files {
  readonly cert: string
  readonly key: string
}

/** An authority, and what it issues. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  readonly #ca: Files

  constructor() {
    this.#ca = this.#files('ca')
    this.#openssl('req', '-x509', ...newKey(this.#ca.key), '-out', this.#ca.cert, '-days', '30', '-subj', '/CN=Test CA')
  }

  /** For `ca` of a client, and `tlsCa` of a server. */
  get path(): string {
    return this.#ca.cert
  }

  get pem(): string {
    return readFileSync(this.#ca.cert, 'utf8')
  }

  /** Written anew when it is there: a renewal. */
  issue(name: string, password?: string): Files {
    const { cert, key } = this.#files(name)
    const request = join(this.folder, `${name}.csr`)
    const extensions = join(this.folder, `${name}.ext`)
    writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n')
    this.#openssl('req', ...newKey(key, password), '-out', request, '-subj', `/CN=${name}`)
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.#ca.cert,
      '-CAkey',
      this.#ca.key,
      '-CAcreateserial',
      '-days',
      '20',
      '-extfile',
      extensions,
      '-out',
      cert,
    )
    return { cert, key }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }

  #files(name: string): Files {
    return { cert: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) }
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' })
  }
}

function newKey(path: string, password?: string): string[] {
  const protection = password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`]
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', ...protection, '-keyout', path]
}
