// Messages from wherever something happens to whoever streams it, in this worker and in the others.
import { UsageError } from '../core/error.ts'
import { host } from '../core/host.ts'
import { ConnectionError } from '../http/errors.ts'

export interface SubscribeOptions<T> {
  /** Ends the subscription: the loop over it ends as if there were no more. Give it the handler's, or it stays for ever. */
  readonly signal?: AbortSignal
  /** Read once the subscription stands, and given before any message: a state to which no change is missed. */
  readonly first?: () => T | Promise<T>
  /** Messages kept for a subscriber that is slower than they come. Beyond, its loop throws. Default 1000. */
  readonly maxWaiting?: number
}

export interface Channel<T> {
  readonly name: string
  /** To every subscriber in every worker of this host, this one among them. Plain JSON; nothing is kept for who subscribes later. */
  publish(message: T): void
  /**
   * Begins when the first message is asked for.
   *
   * @example for await (const status of channel<string>(`order ${id}`).subscribe({ signal })) yield status
   */
  subscribe(options?: SubscribeOptions<T>): AsyncIterableIterator<T, void, undefined>
}

/**
 * Names a channel; the same name is the same channel everywhere. It costs nothing while nobody subscribes, so there may be one for each order.
 *
 * Beyond one host, have one subscriber of something that spans hosts (PostgreSQL's LISTEN, Redis) publish here.
 */
export function channel<T>(name: string): Channel<T> {
  const key = `channel ${name}`
  return {
    name,
    publish: message => host().publish(key, message),
    subscribe: (options = {}) => new Subscription<T>(name, key, options),
  }
}

// A second's worth of what is already too fast for anybody to watch.
const MAX_WAITING = 1000

type Result<T> = IteratorResult<T, void>

class Subscription<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #name: string
  readonly #key: string
  readonly #options: SubscribeOptions<T>
  #state: 'new' | 'open' | 'ended' = 'new'
  #unsubscribe: (() => void) | undefined
  /** Made when a message comes that nobody waits for. */
  #messages: T[] | undefined
  #waiter: ((result: Result<T> | Promise<Result<T>>) => void) | undefined
  #hasLagged = false

  constructor(name: string, key: string, options: SubscribeOptions<T>) {
    this.#name = name
    this.#key = key
    this.#options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result<T>> {
    if (this.#state === 'new') {
      const { first } = this.#options
      if (this.#open() && first) return this.#given(first)
    }
    if (this.#messages !== undefined && this.#messages.length > 0)
      return Promise.resolve({ value: this.#messages.shift()!, done: false })
    if (this.#hasLagged) return Promise.reject(lagged(this.#name))
    if (this.#state === 'ended') return Promise.resolve({ value: undefined, done: true })
    if (this.#waiter) throw new UsageError('APP_CHANNEL_READ_TWICE', `a subscription to ${this.#name} has one reader`)
    return new Promise(resolve => (this.#waiter = resolve))
  }

  return(): Promise<Result<T>> {
    this.#end()
    this.#messages = undefined
    return Promise.resolve({ value: undefined, done: true })
  }

  async #given(first: () => T | Promise<T>): Promise<Result<T>> {
    try {
      return { value: await first(), done: false }
    } catch (error) {
      this.#end()
      throw error
    }
  }

  /** @returns false when there is nothing to wait for: the signal has aborted */
  #open(): boolean {
    const { signal } = this.#options
    if (signal?.aborted) {
      this.#state = 'ended'
      return false
    }
    this.#state = 'open'
    // Itself and no closure: there may be thousands of them (bench sse).
    signal?.addEventListener('abort', this, { once: true })
    this.#unsubscribe = host().subscribe(this.#key, message => this.#take(message as T))
    return true
  }

  #take(message: T): void {
    const waiter = this.#waiter
    if (waiter) {
      this.#waiter = undefined
      return waiter({ value: message, done: false })
    }
    const waiting = (this.#messages ??= [])
    if (waiting.length < (this.#options.maxWaiting ?? MAX_WAITING)) waiting.push(message)
    else {
      this.#hasLagged = true
      this.#end()
    }
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#end()
  }

  #end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#unsubscribe?.()
    this.#options.signal?.removeEventListener('abort', this)
    this.#waiter?.({ value: undefined, done: true })
    this.#waiter = undefined
  }
}

function lagged(name: string): ConnectionError {
  return new ConnectionError('APP_CHANNEL_LAGGED', `a subscriber of ${name} is too slow for what is published there`)
}
