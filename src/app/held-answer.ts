// A cached answer that is sent without being looked up in its cache, for as long as that holds it.
import type { Cache } from '../cache/cache.ts'
import type { Hold } from '../cache/store.ts'
import type { Exchange } from '../http/exchange.ts'
import { ReadyAnswer } from '../http/ready-answer.ts'
import { CONDITIONS, type FinishedAnswer } from './finished-answer.ts'

export class HeldAnswer extends ReadyAnswer implements Hold {
  readonly #cache: Cache
  readonly #key: string
  readonly #pattern: string
  untilMs = 0
  toldMs = 0

  /** @param pattern  of the route whose answer it is */
  constructor({ head, body }: FinishedAnswer, cache: Cache, key: string, pattern: string) {
    super(head, body)
    this.#cache = cache
    this.#key = key
    this.#pattern = pattern
  }

  /**
   * Sends it at once, where it is still fresh and the request asks for nothing but that: nothing stands around a cached answer but what
   * middleware adds (bench shop-read).
   */
  sendTo(exchange: Exchange): boolean {
    if (exchange.fields.hasAny(CONDITIONS)) return false
    if (!this.#cache.holds(this, this.#key, exchange.record.startedMs)) return false
    exchange.record.route = this.#pattern
    exchange.sendReady(this)
    return true
  }

  /** Its text may be remembered for long. */
  ended(): void {
    this.release()
  }
}
