// The texts of requests that cached answers were given to: who asks the same again is answered before its route is looked for.
//
// A hit then costs one look-up and touches little memory: what many keys take of it is seldom in the processor's caches (bench shop-read).
import { TextTable } from '../core/text-table.ts'
import type { Exchange } from '../http/exchange.ts'
import type { CompiledRoute } from './compiled-route.ts'
import { requestText } from './endpoint-cache.ts'
import type { HeldAnswer } from './held-answer.ts'

/** For 16,384 texts; forgetting one costs a search for its route. */
const SETS = 4_096
/** Of what is longer, looking it up costs as much as it saves. */
const LONGEST_TEXT = 128

export class RecentTexts {
  /** Made when there is a first. */
  #texts: TextTable<HeldAnswer> | undefined

  /** Sends the kept answer, where there is a fresh one. */
  answers(method: string, exchange: Exchange): boolean {
    if (this.#texts === undefined || method !== 'GET') return false
    const text = requestText(exchange)
    if (text.length > LONGEST_TEXT) return false
    const held = this.#texts.get(text)
    return held !== undefined && held.sendTo(exchange)
  }

  /** A request that its route answers: the next of the same text may be answered here, where nothing stands around the route. */
  note(method: string, exchange: Exchange, { middleware, guard, pattern, cache }: CompiledRoute): void {
    if (method !== 'GET' || middleware.length > 0 || guard !== undefined) return
    const text = requestText(exchange)
    if (text.length > LONGEST_TEXT) return
    const held = cache!.hold(text, exchange.record.startedMs, pattern)
    if (held === undefined) return
    this.#texts ??= new TextTable(SETS)
    this.#texts.set(text, held)
  }
}
