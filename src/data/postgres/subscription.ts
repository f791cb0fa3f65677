// What was notified on one channel, in order, for one reader.
import { DatabaseUnavailableError, misuse } from './errors.ts'
import type { CompiledSql } from './sql.ts'

export interface Notification {
  readonly type: 'notification'
  readonly channel: string
  readonly payload: string
  /** Of the server's process that notified. */
  readonly processId: number
}

/** Notifications may be missing from here on: what they speak of is to be read again. */
export interface NotificationsLost {
  readonly type: 'lost'
  readonly channel: string
}

export interface ListenOptions {
  /** Ends the subscription; its loop then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

// A reader this far behind starts anew: 10,000 payloads of the longest kind are 80 MB.
const MAX_UNREAD = 10_000

/** PostgreSQL cuts longer names, and two channels would become one. */
const MAX_CHANNEL_BYTES = 63

/** "must be shorter than 8000 bytes": https://www.postgresql.org/docs/current/sql-notify.html */
const MAX_PAYLOAD_BYTES = 7999

type Item = Notification | NotificationsLost
type Step = IteratorResult<Item, undefined>
const END = { done: true, value: undefined } as const

export class Subscription implements AsyncIterableIterator<Item, undefined> {
  readonly channel: string
  /** Resolves when LISTEN stands for the first time; rejects when the subscription ends before. */
  readonly ready: Promise<void>
  readonly #stood = Promise.withResolvers<void>()
  readonly #leave: () => void
  readonly #signal: AbortSignal | undefined
  #unread: Item[] = []
  #waiting: { readonly resolve: (step: Step) => void; readonly reject: (error: unknown) => void }[] = []
  #state: 'new' | 'standing' | 'ended' = 'new'
  #failure: { readonly error: unknown } | undefined

  /**
   * Use `db.listen`.
   *
   * @param leave  called once, when it has ended
   * @throws UsageError `POSTGRES_BAD_IDENTIFIER`
   */
  constructor(channel: string, options: ListenOptions, leave: () => void) {
    requireChannel(channel)
    this.channel = channel
    this.ready = this.#stood.promise
    this.ready.catch(() => {}) // few ask
    this.#leave = leave
    const { signal } = options
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Step> {
    const item = this.#unread.shift()
    if (item) return Promise.resolve({ done: false, value: item })
    if (this.#failure) {
      const { error } = this.#failure
      this.#failure = undefined
      return Promise.reject(error)
    }
    if (this.#state === 'ended') return Promise.resolve(END)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Ends it, as leaving the loop does. */
  return(): Promise<typeof END> {
    this.#unread = []
    this.end()
    return Promise.resolve(END)
  }

  /** @internal LISTEN stands; again: there was a gap. */
  stands(): void {
    if (this.#state === 'standing') this.push({ type: 'lost', channel: this.channel })
    else if (this.#state === 'new') {
      this.#state = 'standing'
      this.#stood.resolve()
    }
  }

  /** @internal */
  push(item: Item): void {
    if (this.#state === 'ended') return
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve({ done: false, value: item })
    else if (this.#unread.length < MAX_UNREAD) this.#unread.push(item)
    else this.#unread = [{ type: 'lost', channel: this.channel }, item]
  }

  /** @internal What is unread can still be read. */
  end(): void {
    if (this.#state === 'ended') return
    if (this.#state === 'new')
      this.#stood.reject(
        this.#failure?.error ?? new DatabaseUnavailableError('the subscription ended before it listened'),
      )
    this.#state = 'ended'
    this.#signal?.removeEventListener('abort', this.#onAbort)
    for (const { resolve } of this.#waiting.splice(0)) resolve(END)
    this.#leave()
  }

  /** @internal */
  fail(error: unknown): void {
    if (this.#state === 'ended') return
    this.#unread = []
    const first = this.#waiting.shift()
    if (first) first.reject(error)
    this.#failure = { error }
    this.end()
    if (first) this.#failure = undefined
  }

  readonly #onAbort = (): void => this.fail(this.#signal!.reason)
}

/** @throws UsageError `POSTGRES_BAD_IDENTIFIER`, `POSTGRES_PAYLOAD_TOO_LONG` */
export function notifyStatement(channel: string, payload: string): CompiledSql {
  requireChannel(channel)
  const bytes = Buffer.byteLength(payload)
  if (bytes > MAX_PAYLOAD_BYTES)
    throw misuse(
      'POSTGRES_PAYLOAD_TOO_LONG',
      `a notification carries at most ${MAX_PAYLOAD_BYTES} bytes, this one would have ${bytes}; send a key, and let the listener read the row`,
    )
  return { text: 'select pg_notify($1, $2)', values: [channel, payload] }
}

function requireChannel(channel: string): void {
  const bytes = Buffer.byteLength(channel)
  if (bytes === 0 || bytes > MAX_CHANNEL_BYTES || channel.includes('\0'))
    throw misuse(
      'POSTGRES_BAD_IDENTIFIER',
      `${JSON.stringify(channel)} cannot be the name of a channel: it has 1 to ${MAX_CHANNEL_BYTES} bytes, none of them zero`,
    )
}
