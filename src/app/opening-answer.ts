// The answer that a stream of items opens with: completed when its first item is there, so that what fails before it is a problem, and
// not a body that is cut.
import type { Exchange } from '../http/exchange.ts'
import type { PreparedHead } from '../http/prepared-head.ts'
import { Answer, LateAnswer } from './answer.ts'
import type { CompiledContent } from './content-kind.ts'
import { type ItemBody, type Items, itemsOf } from './item-body.ts'

export class OpeningAnswer extends LateAnswer {
  readonly #items: ItemBody
  readonly #patienceMs: number

  /** @param patienceMs  how long the first item is waited for before the head goes out without it */
  constructor(head: PreparedHead, items: ItemBody, patienceMs: number) {
    super(head)
    this.#items = items
    this.#patienceMs = patienceMs
  }

  /** @param isPatient  waits for the first item however long it takes */
  async complete(exchange: Exchange, isPatient = false): Promise<Answer> {
    await this.#items.open(exchange, isPatient ? Infinity : this.#patienceMs)
    return new Answer(this.prepared ?? this.head, this.#items)
  }

  override abandon(): void {
    this.#items.discard()
  }
}

/** Streams of items for one route. */
export function itemContent(where: string, patienceMs: number, bodyOf: (items: Items) => ItemBody): CompiledContent {
  return {
    encoder: { encode: value => itemsOf(value, where) as never },
    answer: (head, value) => new OpeningAnswer(head, bodyOf(itemsOf(value, where)), patienceMs),
  }
}
