// The texts of requests that cached answers were given to: who asks the same again is answered before its route is looked for.
//
// A hit then costs two look-ups by texts that have been hashed before (bench/micro/request, bench shop-read).
import type { Exchange } from '../http/exchange.ts'
import type { CompiledRoute } from './compiled-route.ts'
import { type EndpointCache, requestText } from './endpoint-cache.ts'

interface Recent {
  readonly pattern: string
  readonly cache: EndpointCache
  readonly key: string
}

/** As many as a cache has entries by default; forgetting one costs a search for its route. */
const MAX_TEXTS = 10_000

export class RecentTexts {
  readonly #texts = new Map<string, Recent>()

  /** Sends the kept answer, where there is a fresh one. */
  answers(method: string, exchange: Exchange): boolean {
    if (this.#texts.size === 0 || method !== 'GET') return false
    const recent = this.#texts.get(requestText(exchange))
    if (recent === undefined) return false
    exchange.record.route = recent.pattern
    return recent.cache.sendKept(exchange, recent.key)
  }

  /** A request that its route answers: the next of the same text may be answered here, where nothing stands around the route. */
  note(method: string, exchange: Exchange, { middleware, guard, pattern, cache }: CompiledRoute): void {
    if (method !== 'GET' || middleware.length > 0 || guard !== undefined) return
    const text = requestText(exchange)
    const key = cache!.keyOf(text)
    if (key === undefined) return
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear()
    this.#texts.set(text, { pattern, cache: cache!, key })
  }
}
