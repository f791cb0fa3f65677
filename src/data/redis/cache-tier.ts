// The cache's second tier in Redis: values that every host finds, one load for all hosts, invalidations that reach each of them.
//
// The tier is out of reach until a pulse has gone through Redis and come back (cache-channel.ts), and again from the first command that fails or
// takes longer than its bound. Nobody waits for it meanwhile: `claim` says `alone` at once, and invalidations are remembered and done before
// the tier is used again. All that is decided in Redis is decided by its clock and in its scripts (cache-scripts.ts).
import { randomBytes } from 'node:crypto'
import type { Claim, Invalidation, Lease, SecondTier, TierListener, TierStats } from '../../cache/second-tier.ts'
import { noCounts } from '../../cache/tier-counts.ts'
import { CacheChannel } from './cache-channel.ts'
import { CacheCommands, type LeaseEnd } from './cache-commands.ts'
import { seal, unseal, type FencePoint } from './cache-envelope.ts'
import { RedisLease } from './cache-lease.ts'
import { CacheKeys, packBuckets, tagBuckets, type Place } from './cache-keys.ts'
import { LeaseWaiting, type Waiter } from './lease-waiting.ts'
import { Link, type LinkLog } from './link.ts'
import type { ResolvedOptions } from './options.ts'
import { Remembered } from './remembered.ts'

export interface TierLimits {
  readonly prefix: string
  /** A larger value stays in the first tiers. */
  readonly maxValueBytes: number
}

const PULSE_MS = 200
/** Who waits hears when a lease ends. It asks too, since what is said while it subscribes anew is lost. */
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250
/** Each is looked at in Redis whenever the value is. */
const MAX_TAGS = 256
const LONGEST_PAUSE_MS = 60_000
const LONGEST_MESSAGE = 500
/** Leases that may be held for nobody; of more, the time of the oldest runs out. */
const MAX_LOOSE_ENDS = 1_000
/** A loss that is no longer ago may be one late answer; after that nobody waits for the end of it. */
const BLIP_MS = 1_000
const NOWHERE: FencePoint = { epoch: Buffer.alloc(0), sequence: 0 }

export class RedisTier implements SecondTier {
  readonly #maxValueBytes: number
  readonly #keys: CacheKeys
  readonly #link: Link
  readonly #channel: CacheChannel
  readonly #commands: CacheCommands
  readonly #listeners = new Set<TierListener>()
  readonly #waiting = new LeaseWaiting()
  readonly #leases = new Set<RedisLease>()
  readonly #counts = noCounts()
  readonly #commandTimeoutMs: number
  #isUp = false
  #lostMs = -Infinity
  #hasUp: (() => void)[] = []
  #isClosed = false
  /** Whether this server's fence is known to be of its run. */
  #isAdopted = false
  /** Whether first tiers have to be emptied before the tier is used again. */
  #hasMissed = true
  readonly #remembered = new Remembered(MAX_TAGS)
  /** By their tokens: leases whose claim or end Redis has not answered. It may give them, or keep them, for nobody. */
  readonly #looseEnds = new Map<string, Place>()
  #isArriving = false
  #isPulsing = false
  #pulse: NodeJS.Timeout | undefined

  /** @param options  with the bound of each command as `commandTimeoutMs` */
  constructor(options: ResolvedOptions, limits: TierLimits, log: LinkLog) {
    const isCluster = options.target.kind === 'cluster'
    const id = randomBytes(8).toString('hex')
    this.#commandTimeoutMs = options.commandTimeoutMs
    this.#maxValueBytes = limits.maxValueBytes
    this.#keys = new CacheKeys(limits.prefix, isCluster)
    this.#link = new Link(options, log, {
      lost: () => this.#away(),
      ready: () => void this.#beat(),
    })
    // What fails puts the tier out of reach until a pulse comes back.
    this.#commands = new CacheCommands(this.#link, this.#keys, { id, isCluster, failed: () => this.#away() })
    this.#channel = new CacheChannel(id, this.#keys, options, {
      invalidated: what => this.#tell(what),
      missed: () => this.#lost(),
      deaf: () => {
        this.#away()
        this.#hasMissed = true
        this.#lost()
      },
      heard: () => void this.#arrive(),
      ended: key => this.#waiting.ended(key),
      acknowledge: (channel, number) => this.#commands.acknowledge(channel, number),
    })
  }

  get isReachable(): boolean {
    return this.#isUp && this.#link.isReachable
  }

  get stats(): TierStats {
    return { ...this.#counts }
  }

  /** Connects, and with `start: 'wait'` resolves when the tier can be used. */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#link.open(signal)
    this.#pulse = setInterval(() => {
      this.checkPulse()
      void this.#beat()
    }, PULSE_MS).unref()
    await this.#channel.open()
    void this.#beat()
  }

  /** Resolves when the tier is within reach, or after `ms`. @returns whether it is */
  async reachableWithin(ms: number): Promise<boolean> {
    if (this.isReachable) return true
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#hasUp.push(resolve)
      timer = setTimeout(resolve, ms)
    })
    clearTimeout(timer)
    return this.isReachable
  }

  /** Gives back what it holds, and ends. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#pulse)
    await Promise.all([...this.#leases].map(lease => lease.abandon()))
    this.#isUp = false
    this.#waiting.wakeAll()
    await Promise.all([this.#channel.close(), this.#link.close(500)])
  }

  async claim(
    name: string,
    key: string,
    of: { readonly signal?: AbortSignal; readonly freshForMs?: number } = {},
  ): Promise<Claim> {
    const { signal, freshForMs = 0 } = of
    const place = this.#keys.place(name, key)
    let pollMs = FIRST_POLL_MS
    let poisoned = 0
    let waiter: Waiter | undefined
    try {
      while (poisoned < 3) {
        signal?.throwIfAborted()
        if (!this.isReachable) break
        waiter?.forget()
        const token = this.#commands.nextToken()
        const reply = await this.#commands.claim(place, token, freshForMs).catch(noop)
        if (reply === undefined) {
          this.#loosen(token, place)
          break
        }
        this.#counts.poisoned += Number(reply[1])
        const state = String(reply[0])
        if (state === 'held') {
          if (waiter === undefined) this.#counts.waited++
          waiter ??= this.#waiting.join(place.keys[2])
          await waiter.wait(Math.min(Number(reply[2]), pollMs), signal)
          pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)
          continue
        }
        const claim = this.#claimed(state, reply, place, token)
        if (claim === undefined) {
          poisoned++
          await this.discard(name, key)
          continue
        }
        if (signal?.aborted) {
          if ('lease' in claim) await claim.lease?.abandon()
          throw signal.reason
        }
        return claim
      }
    } finally {
      waiter?.leave()
    }
    this.#counts.alone++
    return { state: 'alone' }
  }

  async invalidate(what: Invalidation): Promise<boolean> {
    if (this.#isUp) {
      try {
        await this.#invalidate(what)
        return true
      } catch {
        this.#away()
      }
    }
    this.remember(what)
    this.#tell(what)
    // Lost only just now, it may be back in a moment: what is remembered is done then.
    return performance.now() - this.#lostMs < BLIP_MS && (await this.reachableWithin(this.#commandTimeoutMs))
  }

  remember(what: Invalidation): void {
    if (!this.#isUp) this.#remembered.add(what)
  }

  async discard(name: string, key: string): Promise<void> {
    this.#counts.poisoned++
    await this.#commands.discard(this.#keys.place(name, key))
  }

  listen(listener: TierListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  checkPulse(nowMs = performance.now()): void {
    this.#channel.check(nowMs)
  }

  /** What a reply means; undefined for a value that cannot be read. */
  #claimed(state: string, reply: readonly unknown[], place: Place, token: string): Claim | undefined {
    switch (state) {
      case 'found':
      case 'kept':
      case 'stale': {
        const value = unseal(reply[2] as Buffer, Number(reply[3]))
        const since = { epoch: reply[4] as Buffer, sequence: Number(reply[5]) }
        const lease = state === 'stale' ? this.#lease(place, token, since) : undefined
        if (value === undefined) {
          void lease?.abandon()
          return undefined
        }
        if (state === 'found') {
          this.#counts.found++
          return { state, value }
        }
        this.#counts.stale++
        return { state: 'stale', value, lease }
      }
      case 'yours': {
        this.#counts.missed++
        const since = { epoch: reply[2] as Buffer, sequence: Number(reply[3]) }
        return { state, lease: this.#lease(place, token, since) }
      }
      case 'failed':
        return { state, message: String(reply[2]), retryInMs: Math.max(1, Number(reply[3])) }
      default:
        this.#counts.alone++
        return { state: 'alone' }
    }
  }

  #lease(place: Place, token: string, since: FencePoint): Lease {
    const lease = new RedisLease({
      renew: () => this.#commands.renew(place, token),
      ended: () => this.#leases.delete(lease),
      fulfil: async value => {
        const { bytes, freshForMs, staleForMs } = value
        if (bytes.byteLength > this.#maxValueBytes || value.tags.length > MAX_TAGS) {
          this.#counts.tooLarge++
          const pauseMs = Math.min(freshForMs, LONGEST_PAUSE_MS)
          await this.#end(place, token, since, { paused: 'L', pauseMs, forgets: true })
          return false
        }
        const buckets = [...tagBuckets(value.tags), place.bucket]
        const result = await this.#end(place, token, since, {
          sealed: seal(value, since, buckets),
          keepMs: freshForMs + staleForMs,
          packed: packBuckets(buckets),
        })
        if (result === 'stored') this.#counts.stored++
        else if (result === 'fenced' || result === 'lost') this.#counts.fenced++
        return result === 'stored'
      },
      abandon: async failure => {
        const pause = failure && { paused: `F${failure.message.slice(0, LONGEST_MESSAGE)}`, pauseMs: failure.retryInMs }
        await this.#end(place, token, since, pause ?? {})
      },
      withdraw: async () => void (await this.#end(place, token, since, { forgets: true })),
    })
    this.#leases.add(lease)
    return lease
  }

  /** @returns undefined where Redis may not have heard it */
  #end(place: Place, token: string, since: FencePoint, how: LeaseEnd): Promise<string | undefined> {
    return this.#commands.end(place, token, since, how).catch(() => {
      this.#loosen(token, place)
      return undefined
    })
  }

  #loosen(token: string, place: Place): void {
    this.#looseEnds.set(token, place)
    if (this.#looseEnds.size > MAX_LOOSE_ENDS) this.#looseEnds.delete(this.#looseEnds.keys().next().value!)
  }

  /** Ends them without a value, which harms nobody: the token of one that has ended is nobody's. */
  #tieUp(): void {
    const ends = [...this.#looseEnds]
    this.#looseEnds.clear()
    for (const [token, place] of ends) void this.#end(place, token, NOWHERE, {})
  }

  async #invalidate(what: Invalidation): Promise<void> {
    const place = 'key' in what ? this.#keys.place(what.name, what.key) : undefined
    const packed = packBuckets('key' in what ? [place!.bucket] : tagBuckets(what.tags))
    // The fence of every value is past it before anybody is told to look again. The first partition is the one that tells.
    const others = place ? [place.partition] : Array.from({ length: this.#keys.partitions }, (_, n) => n)
    await Promise.all(others.filter(n => n !== 0).map(n => this.#commands.move(n, packed)))
    const channel = this.#keys.channel('invalidate')
    const ofFirst = place && place.partition !== 0 ? undefined : packed
    const isDone = await this.#channel.announce(what, message => this.#commands.move(0, ofFirst, { channel, message }))
    if (!isDone) this.#tell(what)
  }

  /** One pulse at a time: to ourselves through Redis, once its fences are known to be of its run. */
  async #beat(): Promise<void> {
    if (this.#isPulsing || this.#isClosed || !this.#link.isReachable) return
    this.#isPulsing = true
    try {
      if (!this.#isAdopted) {
        const made: Promise<unknown>[] = []
        for (let n = 1; n < this.#keys.partitions; n++) made.push(this.#commands.pulse(n))
        await Promise.all(made)
        // Lost meanwhile, it may be another server's turn by now.
        this.#isAdopted = true
      }
      const mark = this.#channel.nextMark(performance.now())
      await this.#commands.pulse(0, { channel: this.#channel.pulseChannel, mark })
    } catch {
      this.#isAdopted = false
    } finally {
      this.#isPulsing = false
    }
  }

  /** A pulse came back. */
  async #arrive(): Promise<void> {
    if (this.#isUp || this.#isArriving || !this.#isAdopted || this.#isClosed || !this.#link.isReachable) return
    this.#isArriving = true
    try {
      // Once more where somebody invalidated between its last look and this one.
      while (!this.#remembered.isEmpty) await this.#catchUp()
      if (!this.#isAdopted || !this.#channel.isHeard) return
      if (this.#hasMissed) this.#lost()
      this.#hasMissed = false
      this.#isUp = true
      this.#tieUp()
      for (const go of this.#hasUp.splice(0)) go()
    } catch {
      // Away again; the next pulse that comes back tries again.
    } finally {
      this.#isArriving = false
    }
  }

  /** Does what was remembered; what fails stays remembered. */
  #catchUp(): Promise<void> {
    return this.#remembered.do({
      invalidate: what => this.#invalidate(what),
      forgetAll: async () => {
        for (let n = 0; n < this.#keys.partitions; n++) await this.#commands.forget(n)
      },
    })
  }

  #away(): void {
    this.#isAdopted = false
    if (!this.#isUp) return
    this.#isUp = false
    this.#lostMs = performance.now()
    this.#counts.losses++
    // It may have been one late answer: asked at once, a healthy server is used again at once.
    setImmediate(() => void this.#beat())
    this.#waiting.wakeAll()
  }

  #tell(what: Invalidation): void {
    for (const listener of this.#listeners) listener.invalidated(what)
  }

  #lost(): void {
    for (const listener of this.#listeners) listener.lost()
  }
}

function noop(): undefined {}
