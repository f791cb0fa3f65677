// What the cache says to Redis: a function for each script, which knows how its arguments look there.
import { LONGEST_LIFE_MS, MAGIC, type FencePoint } from './cache-envelope.ts'
import type { CacheKeys, Place } from './cache-keys.ts'
import { LEASE_MS } from './cache-lease.ts'
import { CLAIM, END, FORGET, INVALIDATE, PULSE, RENEW } from './cache-scripts.ts'
import type { Link } from './link.ts'
import { RunningScript, type Script } from './script.ts'

/** How a lease ends: with a value, with a pause, or with neither. */
export interface LeaseEnd {
  readonly sealed?: Buffer
  readonly keepMs?: number
  /** The buckets of the value. */
  readonly packed?: Buffer
  readonly paused?: string
  readonly pauseMs?: number
  /** What was there goes. */
  readonly forgets?: boolean
}

const NOTHING: Buffer = Buffer.alloc(0)

export class CacheCommands {
  readonly #link: Link
  readonly #keys: CacheKeys
  readonly #id: string
  readonly #publish: string
  readonly #failed: () => void
  #tokens = 0

  /**
   * @param id  of this process, as no other's: 16 hexadecimal digits
   * @param failed  told of each command that fails or takes longer than its bound, before that is thrown
   */
  constructor(link: Link, keys: CacheKeys, of: { id: string; isCluster: boolean; failed: () => void }) {
    this.#link = link
    this.#keys = keys
    this.#id = of.id
    this.#publish = of.isCluster ? 'SPUBLISH' : 'PUBLISH'
    this.#failed = of.failed
  }

  /** For a claim: as no other process, and no other claim, has it. */
  nextToken(): string {
    return `${this.#id}.${++this.#tokens}`
  }

  /** @returns as CLAIM has it */
  async claim({ keys }: Place, token: string, freshForMs: number): Promise<readonly unknown[]> {
    const args = [token, String(LEASE_MS), this.#nonce(), String(freshForMs), MAGIC]
    return (await this.#run(CLAIM, keys, args)) as readonly unknown[]
  }

  /** @returns whether the lease is still this one's */
  async renew({ keys }: Place, token: string): Promise<boolean> {
    return (await this.#run(RENEW, [keys[2]], [token, String(LEASE_MS)])) === 1
  }

  /** @returns as END has it */
  async end({ keys }: Place, token: string, since: FencePoint, how: LeaseEnd): Promise<string> {
    const { sealed = NOTHING, keepMs = 0, packed = NOTHING, paused = '', pauseMs = 0, forgets = false } = how
    const result = await this.#run(END, keys, [
      token,
      since.epoch,
      String(since.sequence),
      sealed,
      wholeMs(keepMs),
      packed,
      paused,
      wholeMs(pauseMs),
      forgets ? '1' : '',
      this.#keys.channel('ended'),
    ])
    return String(result)
  }

  /**
   * Moves the fence of a partition.
   *
   * @param packed  undefined: none of its buckets
   * @returns how many have been told, where `tell` says what and on which channel
   */
  async move(partition: number, packed = NOTHING, tell = { channel: '', message: '' }): Promise<number> {
    const args = [packed, this.#nonce(), this.#publish, tell.channel, tell.message]
    return Number(await this.#run(INVALIDATE, [this.#keys.fence(partition)], args))
  }

  /** Makes sure of the fence of a partition. @throws also when there is no room for it */
  async pulse(partition: number, tell = { channel: '', mark: '' }): Promise<void> {
    const args = [this.#nonce(), this.#publish, tell.channel, tell.mark]
    const made = await this.#run(PULSE, [this.#keys.fence(partition)], args)
    if (made !== 1) throw new Error('there is no room for the fence')
  }

  /** Nothing that was stored in a partition is found again. */
  async forget(partition: number): Promise<void> {
    await this.#run(FORGET, [this.#keys.fence(partition)], [this.#nonce()])
  }

  /** Never rejects. */
  async discard({ keys }: Place): Promise<void> {
    await this.#link.run('DEL', driver => driver.send(keys[1], ['DEL', keys[1]])).catch(this.#failed)
  }

  /** What becomes of it is nobody's business. */
  acknowledge(channel: string, number: string): void {
    this.#link.run('PUBLISH', driver => driver.send(channel, ['PUBLISH', channel, number])).catch(() => {})
  }

  async #run(
    script: Script<any, any, unknown>,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<unknown> {
    try {
      return await RunningScript.of(script).send(this.#link, keys, args, {})
    } catch (error) {
      this.#failed()
      throw error
    }
  }

  /** 16 bytes that no process has said before: the epoch of a fence that has to be made. */
  #nonce(): Buffer {
    const nonce = Buffer.allocUnsafe(16)
    nonce.write(this.#id, 'hex')
    nonce.writeBigUInt64BE(BigInt(++this.#tokens), 8)
    return nonce
  }
}

/** Redis takes whole milliseconds, none is no time to live, and more than it can count is an error. */
function wholeMs(ms: number): string {
  return String(Math.min(Math.max(1, Math.ceil(ms)), LONGEST_LIFE_MS))
}
