// Which statements are worth preparing: a text seen for the second time gets a name, made from the text.
//
// Preparing on sight would fill every connection with texts that are sent once (a search with a filter of its own each time).
import { createHash } from 'node:crypto'

// A statement that was prepared may be gone once (DISCARD ALL, DEALLOCATE); thrice is no accident.
const VANISHED_MOST = 3

export class StatementNames {
  #max: number
  #vanished = 0
  readonly #stopped: (() => void) | undefined
  /** Name by text, empty until the text was seen twice; least recently used first. */
  readonly #names = new Map<string, string>()

  /**
   * @param max  how many texts are remembered; 0 prepares nothing
   * @param stopped  called once when prepared statements do not last here, and none is prepared any more
   */
  constructor(max: number, stopped?: () => void) {
    this.#max = max
    this.#stopped = stopped
  }

  /** @param given  by the caller @returns the name to prepare the statement under, or '' to send it unprepared */
  nameOf(text: string, given?: string): string {
    if (this.#max === 0) return ''
    if (given !== undefined) return given
    const known = this.#names.get(text)
    if (known === undefined) {
      if (this.#names.size >= this.#max) this.#names.delete(this.#names.keys().next().value!)
      this.#names.set(text, '')
      return ''
    }
    const name = known === '' ? `m_${createHash('sha256').update(text).digest('hex').slice(0, 24)}` : known
    this.#names.delete(text)
    this.#names.set(text, name)
    return name
  }

  /** A statement that was prepared is gone, or one that was not is there: somebody else uses the same session. */
  vanished(): void {
    if (this.#max === 0 || ++this.#vanished < VANISHED_MOST) return
    this.#max = 0
    this.#names.clear()
    this.#stopped?.()
  }
}
