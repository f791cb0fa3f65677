// The public keys of somebody else, from a URL: fetched once for all who wait, kept, and fetched again when a token names a new one.
//
// While the URL does not answer, the keys that are known go on being used for an hour: logins elsewhere may be down, the tokens that were
// given out before are still good.
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { MillraceError } from '../../core/error.ts'

// jose's own defaults for fetching, and for how long keys are fresh.
const FETCH_MS = 5000
const FRESH_MS = 600_000
const STALE_MS = 3_600_000
/** Tokens with made-up key ids must not make us ask all the time; jose and jwks-rsa wait as long. */
const COOLDOWN_MS = 30_000
const MOST_BYTES = 1_000_000

export class RemoteKeys {
  readonly #url: URL
  readonly #now: () => number
  #keys: JWTVerifyGetKey | undefined
  #fetchedMs = -Infinity
  #triedMs = -Infinity
  #pending: Promise<void> | undefined

  /** @param now  milliseconds, of any clock that does not jump */
  constructor(url: URL, now: () => number = () => performance.now()) {
    this.#url = url
    this.#now = now
  }

  /** For jose. @throws MillraceError `APP_JWKS_UNAVAILABLE` (503); what jose throws for a token that none of the keys is for */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const age = this.#now() - this.#fetchedMs
    if (!this.#keys || age > FRESH_MS + STALE_MS) await this.#refresh()
    else if (age > FRESH_MS && this.#hasCooled) this.#refresh().catch(() => {})
    try {
      return await this.#keys!(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#hasCooled) throw error
      await this.#refresh()
      return this.#keys!(header, token)
    }
  }

  get #hasCooled(): boolean {
    return this.#now() - this.#triedMs > COOLDOWN_MS
  }

  #refresh(): Promise<void> {
    this.#triedMs = this.#now()
    return (this.#pending ??= this.#fetch().finally(() => (this.#pending = undefined)))
  }

  async #fetch(): Promise<void> {
    try {
      const answer = await fetch(this.#url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        redirect: 'error',
        signal: AbortSignal.timeout(FETCH_MS),
      })
      if (answer.status !== 200) throw new Error(`status ${answer.status}`)
      const text = await answer.text()
      if (text.length > MOST_BYTES) throw new Error(`${text.length} characters`)
      this.#keys = createLocalJWKSet(JSON.parse(text))
      this.#fetchedMs = this.#now()
    } catch (cause) {
      throw new MillraceError('APP_JWKS_UNAVAILABLE', `${this.#url.href} gave no set of keys`, {
        status: 503,
        detail: 'Tokens cannot be checked at the moment',
        retryAfterMs: 5000,
        cause,
      })
    }
  }
}
