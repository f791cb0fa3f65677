// Hears channels over a connection of its own, and hears them again after that connection was lost.
import type { Driver } from './driver.ts'
import { Link, type LinkEvents, type LinkLog } from './link.ts'
import type { ResolvedOptions } from './options.ts'

type Hear = (message: Buffer, channel: string) => unknown

interface Heard {
  readonly listeners: Set<Hear>
  readonly sharded: boolean
  readonly hear: (message: Buffer, channel: Buffer) => void
  /** The driver that knows of it; another one has to be told. */
  by: Driver | undefined
  /** What was last asked of the driver for this channel: one thing after another. */
  asked: Promise<void>
}

// What the other connection to the same Redis says in the log need not be said twice.
const QUIET: LinkLog = { warn: () => {} }

export interface ChannelsEvents extends LinkEvents {
  /** A listener threw; the others have heard the message all the same. */
  failed?(channel: string, error: unknown): void
}

export class Channels {
  readonly #events: ChannelsEvents
  readonly #commandTimeoutMs: number
  readonly #link: Link
  readonly #channels = new Map<string, Heard>()
  #opened: Promise<void> | undefined

  /** Connects when the first channel is asked for. */
  constructor(options: ResolvedOptions, events: ChannelsEvents = {}) {
    this.#events = events
    this.#commandTimeoutMs = options.commandTimeoutMs
    this.#link = new Link({ ...options, start: 'degraded', clientSideCache: undefined }, QUIET, {
      lost: () => events.lost?.(),
      ready: driver => {
        for (const [channel, heard] of this.#channels) void this.#ask(channel, heard)
        events.ready?.(driver)
      },
    })
  }

  get isReachable(): boolean {
    return this.#link.isReachable
  }

  /**
   * @param sharded  see Driver.subscribe
   * @returns when it is heard, the function that ends it; while Redis is away it is heard as soon as Redis is back
   */
  async subscribe(channel: string, listener: Hear, sharded = false): Promise<() => Promise<void>> {
    this.#opened ??= this.#link.open().then(() => this.#link.connectedWithin(this.#commandTimeoutMs))
    await this.#opened
    let heard = this.#channels.get(channel)
    if (!heard) {
      const listeners = new Set<Hear>()
      const hear = (message: Buffer, from: Buffer): void => {
        const name = from.toString()
        for (const each of listeners) this.#tell(each, message, name)
      }
      heard = { listeners, sharded, hear, by: undefined, asked: Promise.resolve() }
      this.#channels.set(channel, heard)
    }
    heard.listeners.add(listener)
    await this.#ask(channel, heard)
    return async () => {
      if (!heard.listeners.delete(listener) || heard.listeners.size > 0) return
      this.#channels.delete(channel)
      const { by } = heard
      if (by === this.#link.driver && by.isReady) await by.unsubscribe(channel, heard.hear, sharded).catch(() => {})
    }
  }

  #tell(listener: Hear, message: Buffer, channel: string): void {
    const failed = (error: unknown): void => this.#events.failed?.(channel, error)
    try {
      const told = listener(message, channel)
      if (told instanceof Promise) told.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  async close(): Promise<void> {
    if (this.#opened) await this.#link.close(0)
  }

  #ask(channel: string, heard: Heard): Promise<void> {
    return (heard.asked = heard.asked.then(async () => {
      const { driver } = this.#link
      // The driver that has been told subscribes again by itself after each of its outages.
      if (heard.by === driver || !driver.isReady) return
      heard.by = driver
      try {
        await driver.subscribe(channel, heard.hear, heard.sharded)
      } catch {
        // Lost while it was asked; `ready` asks again.
        if (heard.by === driver) heard.by = undefined
      }
    }))
  }
}
