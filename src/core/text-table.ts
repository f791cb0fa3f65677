// A bounded table of texts that touches little memory: where keys are many, it is not the steps of a look-up that cost, but each place in memory
// that is not in the processor's caches.
//
// Sets of four places, chosen by a hash of the text. The hashes lie close together and are compared first, so that no other text is looked
// at: a Map walks a chain of them (bench/micro/text-table, bench shop-read). Where a set is full, its oldest place is taken. The hash is
// seeded: nobody can choose texts that drive out those of others.
import { randomInt } from 'node:crypto'

const WAYS = 4

export class TextTable<V> {
  readonly #seed = randomInt(2 ** 31)
  readonly #mask: number
  readonly #hashes: Int32Array
  /** Text and value in turn. */
  readonly #pairs: (string | V | undefined)[]
  /** In each set, the place to take next. */
  readonly #next: Uint8Array

  /** @param sets  a power of two; there is room for four times as many texts */
  constructor(sets: number) {
    this.#mask = sets - 1
    this.#hashes = new Int32Array(sets * WAYS)
    this.#pairs = new Array<string | V | undefined>(sets * WAYS * 2).fill(undefined)
    this.#next = new Uint8Array(sets)
  }

  get(text: string): V | undefined {
    const hash = this.#hashOf(text)
    const first = (hash & this.#mask) * WAYS
    for (let place = first; place < first + WAYS; place++)
      if (this.#hashes[place] === hash && this.#pairs[place * 2] === text) return this.#pairs[place * 2 + 1] as V
    return undefined
  }

  /** Adds or replaces. */
  set(text: string, value: V): void {
    const hash = this.#hashOf(text)
    const set = hash & this.#mask
    const first = set * WAYS
    let place = first
    while (place < first + WAYS && !(this.#hashes[place] === hash && this.#pairs[place * 2] === text)) place++
    if (place === first + WAYS) {
      place = first + this.#next[set]!
      this.#next[set] = (this.#next[set]! + 1) % WAYS
    }
    this.#hashes[place] = hash
    this.#pairs[place * 2] = text
    this.#pairs[place * 2 + 1] = value
  }

  // FNV-1a over UTF-16 units, with an avalanche at the end, since the set is chosen by the lowest bits.
  #hashOf(text: string): number {
    let hash = this.#seed
    for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    return hash ^ (hash >>> 13)
  }
}
