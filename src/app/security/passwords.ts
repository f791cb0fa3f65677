// Passwords, kept as what scrypt (RFC 7914) makes of them, in the PHC string format: `$scrypt$ln=15,r=8,p=3$SALT$HASH`.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { MillraceError, UsageError } from '../../core/error.ts'
import { Limiter } from '../../flow/limiter.ts'

/** scrypt's costs: memory is 128 * r * 2^ln bytes, time grows with p as well. */
export interface PasswordCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

export interface PasswordsOptions {
  /** Default { ln: 15, r: 8, p: 3 }: 32 MiB, and as dear to an attacker as OWASP's other choices (Password Storage Cheat Sheet, 2023). */
  readonly cost?: PasswordCost
  /** How many are worked on at once in this worker: each takes a thread of Node's four, and its memory. Default 2. */
  readonly concurrent?: number
  /** How many more may wait; the next is refused with 503. Default 200. */
  readonly queue?: number
}

export interface Passwords {
  /**
   * @returns what to keep; another one for the same password each time
   * @throws OverloadError `FLOW_QUEUE_FULL` (503)
   */
  hash(password: string, of?: { readonly signal?: AbortSignal }): Promise<string>
  /**
   * @param kept  what `hash` gave; undefined where nobody has that name: the answer is then no, and takes as long
   * @throws OverloadError `FLOW_QUEUE_FULL` (503); MillraceError `APP_BAD_HASH` for what is no hash of ours
   */
  verify(password: string, kept: string | null | undefined, of?: { readonly signal?: AbortSignal }): Promise<boolean>
  /** It was made at other costs than those of now: after a successful `verify`, keep a new one. @throws MillraceError `APP_BAD_HASH` */
  needsRehash(kept: string): boolean
}

const DEFAULT_COST: PasswordCost = { ln: 15, r: 8, p: 3 }
const SALT_BYTES = 16
const HASH_BYTES = 32
// Of what is kept in a database, and so of an attacker who can write there: no more than this is worked on.
const MOST_MEMORY_BYTES = 512 * 2 ** 20
// Nobody types more; scrypt begins with a hash over all of it.
const MOST_CHARACTERS = 4096

/**
 * @throws UsageError `APP_SECURITY` for costs that scrypt cannot have
 * @example
 * const { hash, verify, needsRehash } = passwords()
 */
export function passwords(of: PasswordsOptions = {}): Passwords {
  const cost = checkedCost(of.cost ?? DEFAULT_COST)
  const limiter = new Limiter({ concurrent: of.concurrent ?? 2, queue: of.queue ?? 200, name: 'passwords' })
  // Nobody's: what a password is compared with where there is no user.
  const decoy: Kept = { cost, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) }

  async function derive(
    password: string,
    { cost, salt, length }: Work,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    await limiter.acquire('normal', signal)
    try {
      return await derived(password, salt, length, cost)
    } finally {
      limiter.release()
    }
  }

  return {
    async hash(password, { signal } = {}) {
      if (password.length > MOST_CHARACTERS)
        throw new UsageError(
          'APP_SECURITY',
          `a password of ${password.length} characters; take at most ${MOST_CHARACTERS}`,
        )
      const salt = randomBytes(SALT_BYTES)
      return written({ cost, salt, hash: await derive(password, { cost, salt, length: HASH_BYTES }, signal) })
    },
    async verify(password, kept, { signal } = {}) {
      const { cost, salt, hash } = kept === null || kept === undefined ? decoy : readKept(kept)
      const isPossible = password.length <= MOST_CHARACTERS && kept !== null && kept !== undefined
      const found = await derive(isPossible ? password : '', { cost, salt, length: hash.byteLength }, signal)
      return timingSafeEqual(found, hash) && isPossible
    },
    needsRehash(kept) {
      const { cost: before, hash } = readKept(kept)
      return before.ln !== cost.ln || before.r !== cost.r || before.p !== cost.p || hash.byteLength !== HASH_BYTES
    },
  }
}

interface Work {
  readonly cost: PasswordCost
  readonly salt: Buffer
  readonly length: number
}
interface Kept {
  readonly cost: PasswordCost
  readonly salt: Buffer
  readonly hash: Buffer
}

function derived(password: string, salt: Buffer, length: number, { ln, r, p }: PasswordCost): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 128 * r * (2 ** ln + p + 2) }
  return new Promise((resolve, reject) => {
    // One character, one spelling, whatever the keyboard (NIST SP 800-63B §3.1.1.2).
    scrypt(password.normalize('NFKC'), salt, length, options, (error, hash) => (error ? reject(error) : resolve(hash)))
  })
}

function written({ cost: { ln, r, p }, salt, hash }: Kept): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{6,86})\$([A-Za-z0-9+/]{22,86})$/

function readKept(text: string): Kept {
  const found = FORM.exec(text)
  if (!found) throw badHash('it is not of the form $scrypt$ln=15,r=8,p=3$SALT$HASH')
  const [ln, r, p] = found.slice(1, 4).map(Number) as [number, number, number]
  const wrong = wrongCost({ ln, r, p })
  if (wrong) throw badHash(wrong)
  return { cost: { ln, r, p }, salt: Buffer.from(found[4]!, 'base64'), hash: Buffer.from(found[5]!, 'base64') }
}

function badHash(why: string): MillraceError {
  return new MillraceError('APP_BAD_HASH', `what was kept for a password cannot be compared with: ${why}`)
}

function checkedCost(cost: PasswordCost): PasswordCost {
  const wrong = wrongCost(cost)
  if (wrong) throw new UsageError('APP_SECURITY', `passwords(): ${wrong}`)
  return cost
}

function wrongCost({ ln, r, p }: PasswordCost): string | undefined {
  const isWhole = [ln, r, p].every(n => Number.isInteger(n) && n >= 1)
  if (!isWhole || p > 64) return `ln=${ln}, r=${r}, p=${p} are no costs of scrypt`
  const bytes = 128 * r * 2 ** ln
  return bytes > MOST_MEMORY_BYTES ? `ln=${ln}, r=${r} take ${bytes / 2 ** 20} MiB; at most 512 are taken` : undefined
}
