// LISTEN on one connection of its own, however many listen in this process: kept while anybody does, opened anew when it is lost.
//
// The life of a subscription: LISTEN is sent as soon as it is made -> `ready` -> notifications, kept in order until they are asked for ->
// ended by its loop, its signal, or the database's close. What was notified while the connection was away is gone, PostgreSQL keeps nothing:
// once LISTEN stands again every subscription gets 'lost', and reads for itself what it may have missed.
import type { Connection } from './connection.ts'
import { DatabaseUnavailableError } from './errors.ts'
import type { StartLog } from './log.ts'
import { pause } from '../../core/pause.ts'
import { Subscription, type ListenOptions } from './subscription.ts'
import { sql } from './sql.ts'

export interface ListenerOptions {
  open(): Promise<Connection>
  readonly log: StartLog | undefined
  /** How often the connection is asked for a sign of life. */
  readonly heartbeatMs: number
}

// The kernel would take minutes to notice a peer that vanished without a word.
export const HEARTBEAT_MS = 15_000
const ANSWER_WITHIN_MS = 5000

// Seconds, doubling, as at the start (connect.ts).
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

export class Listener {
  readonly #options: ListenerOptions
  readonly #wanted = new Map<string, Set<Subscription>>()
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined
  #session: Session | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  listen(channel: string, options: ListenOptions): Subscription {
    const subscription = new Subscription(channel, options, () => this.#leave(subscription))
    if (options.signal?.aborted) subscription.fail(options.signal.reason)
    else if (this.#closing.signal.aborted) subscription.fail(new DatabaseUnavailableError('the database is closed'))
    if (subscription.hasEnded) return subscription
    const others = this.#wanted.get(channel)
    if (others) others.add(subscription)
    else this.#wanted.set(channel, new Set([subscription]))
    this.#session?.join(subscription)
    this.#running ??= this.#run()
    return subscription
  }

  /** Ends all subscriptions. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const subscriptions of this.#wanted.values()) for (const subscription of [...subscriptions]) subscription.end()
    await this.#running
  }

  #leave(subscription: Subscription): void {
    const { channel } = subscription
    const others = this.#wanted.get(channel)
    if (!others?.delete(subscription) || others.size > 0) return
    this.#wanted.delete(channel)
    if (this.#wanted.size > 0) this.#session?.leave(channel)
    else {
      this.#session?.end()
      // Who comes while it closes waits for the next one.
      this.#session = undefined
    }
  }

  async #run(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; this.#wanted.size > 0;) {
      try {
        const session = new Session(await this.#options.open(), this.#wanted, this.#options.heartbeatMs)
        this.#session = session
        await session.run()
        pauseMs = FIRST_PAUSE_MS
        if (this.#wanted.size > 0) {
          this.#options.log?.warn('the connection that listens for notifications was lost')
          // All workers lose theirs at once; they come back one after the other.
          await pause(Math.random() * FIRST_PAUSE_MS, this.#closing.signal).catch(() => {})
        }
      } catch (error) {
        this.#options.log?.warn(`cannot listen for notifications: ${String(error)}; retrying in ${pauseMs / 1000} s`)
        await pause(pauseMs, this.#closing.signal).catch(() => {})
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      }
      this.#session = undefined
    }
    // In the same turn as the look at who is left, so that nobody comes in between.
    this.#running = undefined
  }
}

/** One connection, from its first LISTEN to its end. */
class Session {
  readonly #connection: Connection
  readonly #wanted: ReadonlyMap<string, ReadonlySet<Subscription>>
  readonly #heartbeatMs: number
  /** Channels that LISTEN was sent for, with its answer. */
  readonly #listening = new Map<string, Promise<unknown>>()
  readonly #ended = Promise.withResolvers<void>()

  constructor(connection: Connection, wanted: ReadonlyMap<string, ReadonlySet<Subscription>>, heartbeatMs: number) {
    this.#connection = connection
    this.#wanted = wanted
    this.#heartbeatMs = heartbeatMs
    connection.onBroken = () => this.end()
    connection.onNotification = notification => {
      for (const subscription of wanted.get(notification.channel) ?? []) subscription.push(notification)
    }
  }

  /** Resolves when the connection is lost, or nobody listens any more. @throws when it cannot listen at all */
  async run(): Promise<void> {
    if (this.#wanted.size === 0) this.end() // they left while it was being opened
    const heart = setInterval(() => void this.#beat(), this.#heartbeatMs).unref()
    try {
      const subscriptions = [...this.#wanted.values()].flatMap(of => [...of])
      for (const subscription of subscriptions) this.join(subscription)
      await Promise.all(this.#listening.values())
      await this.#ended.promise
    } finally {
      clearInterval(heart)
      await this.#connection.close()
    }
  }

  join(subscription: Subscription): void {
    const { channel } = subscription
    let listening = this.#listening.get(channel)
    if (listening === undefined) this.#listening.set(channel, (listening = this.#say('listen', channel)))
    // When it fails so does the connection; the next one tries again.
    listening.then(
      () => subscription.stands(),
      () => this.end(),
    )
  }

  leave(channel: string): void {
    this.#listening.delete(channel)
    this.#say('unlisten', channel).catch(() => this.end())
  }

  end(): void {
    this.#ended.resolve()
  }

  #say(verb: 'listen' | 'unlisten', channel: string): Promise<unknown> {
    return this.#connection.script(`${verb} ${sql.identifier(channel).strings[0]!}`)
  }

  async #beat(): Promise<void> {
    try {
      await this.#connection.script('select 1', AbortSignal.timeout(ANSWER_WITHIN_MS))
    } catch {
      this.end()
    }
  }
}
