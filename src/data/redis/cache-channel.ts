// How processes hear of each other's invalidations through Redis, and how each knows whether it has heard them all.
//
// Every message carries the fence's sequence, so a gap is seen with the next one. Silence is seen by a pulse: five times a second a process sends
// itself a message through Redis. When it comes back, all that was published before it was sent has come too. One that has not come back for
// as long as an invalidation waits for acknowledgements (1 s) means that this process may be deaf: it must distrust its first tier.
import { BOUND_MS } from '../../cache/invalidation.ts'
import type { Invalidation } from '../../cache/second-tier.ts'
import { Channels } from './channels.ts'
import type { CacheKeys } from './cache-keys.ts'
import type { ResolvedOptions } from './options.ts'

export interface ChannelEvents {
  /** Somebody's invalidation, ours too. Everything must be forgotten when it returns. */
  invalidated(what: Invalidation): void
  /** Some may have been missed. */
  missed(): void
  /** From now on some may be missed. */
  deaf(): void
  /** They are heard; also after each pulse. */
  heard(): void
  /** A lease has ended. */
  ended(leaseKey: string): void
  /** Sends an acknowledgement; what becomes of it is nobody's business. */
  acknowledge(channel: string, number: string): void
}

interface Message {
  readonly from: string
  readonly number: number
  readonly what: Invalidation
}

interface Awaited {
  acks: number
  needed: number
  done: () => void
}

const HEAD_BYTES = 24

export class CacheChannel {
  readonly #id: string
  readonly #keys: CacheKeys
  readonly #events: ChannelEvents
  readonly #channels: Channels
  readonly #sharded: boolean
  /** Where the fence was by the last message; undefined: nothing was heard yet. */
  #at: { readonly epoch: string; readonly sequence: number } | undefined
  /** When the last pulse that came back was sent; -1 while deaf. performance.now(). */
  #heardMs = -1
  #marks = 0
  readonly #sentMs = new Map<number, number>()
  #numbers = 0
  readonly #awaited = new Map<number, Awaited>()

  /** @param id  of this process, as no other's */
  constructor(id: string, keys: CacheKeys, options: ResolvedOptions, events: ChannelEvents) {
    this.#id = id
    this.#keys = keys
    this.#events = events
    this.#sharded = options.target.kind === 'cluster'
    this.#channels = new Channels(options, { lost: () => this.#deafen() })
  }

  get isHeard(): boolean {
    return this.#heardMs >= 0
  }

  get pulseChannel(): string {
    return this.#keys.channel('pulse', this.#id)
  }

  async open(): Promise<void> {
    const channels = this.#channels
    await Promise.all([
      channels.subscribe(this.#keys.channel('invalidate'), message => this.#invalidation(message), this.#sharded),
      channels.subscribe(this.pulseChannel, message => this.#pulse(message), this.#sharded),
      channels.subscribe(this.#keys.channel('ack', this.#id), message => this.#acked(Number(message.toString()))),
      channels.subscribe(this.#keys.channel('ended'), message => this.#events.ended(message.toString())),
    ])
  }

  async close(): Promise<void> {
    this.#heardMs = -1
    for (const { done } of this.#awaited.values()) done()
    await this.#channels.close()
  }

  /** @returns what the next pulse has to carry */
  nextMark(nowMs: number): string {
    this.#sentMs.set(++this.#marks, nowMs)
    // Those that never came back.
    if (this.#sentMs.size > 100) this.#sentMs.delete(this.#marks - 100)
    return String(this.#marks)
  }

  /** Notices that nothing was heard for too long. */
  check(nowMs: number): void {
    if (this.#heardMs >= 0 && nowMs - this.#heardMs >= BOUND_MS) this.#deafen()
  }

  /**
   * @param publish  sends the message, and says how many hear it
   * @returns whether all of them have acted on it within the bound
   */
  async announce(what: Invalidation, publish: (message: string) => Promise<number>): Promise<boolean> {
    const number = ++this.#numbers
    const message: Message = { from: this.#id, number, what }
    let timer: NodeJS.Timeout | undefined
    const acknowledged = new Promise<void>(resolve => {
      this.#awaited.set(number, { acks: 0, needed: Infinity, done: resolve })
    })
    try {
      const awaited = this.#awaited.get(number)!
      awaited.needed = await publish(JSON.stringify(message))
      if (awaited.acks < awaited.needed) {
        timer = setTimeout(awaited.done, BOUND_MS)
        await acknowledged
      }
      return awaited.acks >= awaited.needed
    } finally {
      clearTimeout(timer)
      this.#awaited.delete(number)
    }
  }

  #invalidation(bytes: Buffer): void {
    const { from, number, what } = JSON.parse(bytes.toString('utf8', HEAD_BYTES)) as Message
    this.#follow(bytes, 1)
    this.#events.invalidated(what)
    if (from === this.#id) this.#acked(number)
    else this.#events.acknowledge(this.#keys.channel('ack', from), String(number))
  }

  #pulse(bytes: Buffer): void {
    const mark = Number(bytes.toString('utf8', HEAD_BYTES))
    const sentMs = this.#sentMs.get(mark)
    if (sentMs === undefined) return
    this.#sentMs.delete(mark)
    this.#follow(bytes, 0)
    const isTimely = performance.now() - sentMs < BOUND_MS
    if (!isTimely) return
    this.#heardMs = Math.max(this.#heardMs, sentMs)
    this.#events.heard()
  }

  /** @param step  by how much a message of this kind moves the sequence */
  #follow(bytes: Buffer, step: number): void {
    const sequence = Number(bytes.readBigUInt64BE(0))
    const epoch = bytes.toString('latin1', 8, HEAD_BYTES)
    const at = this.#at
    this.#at = { epoch, sequence }
    if (at !== undefined && (at.epoch !== epoch || at.sequence + step !== sequence)) this.#events.missed()
  }

  #acked(number: number): void {
    const awaited = this.#awaited.get(number)
    if (awaited && ++awaited.acks >= awaited.needed) awaited.done()
  }

  #deafen(): void {
    if (this.#heardMs < 0) return
    this.#heardMs = -1
    this.#events.deaf()
  }
}
