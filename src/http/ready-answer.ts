// An answer that is sent again and again as it is: its text for the wire is made for each date, and found without looking at its parts.
import { dateLine } from './http-date.ts'
import { flat, isAscii, LONGEST_REPEATED, prepareHead, type PreparedHead } from './prepared-head.ts'

export class ReadyAnswer {
  #head: PreparedHead
  #body: string | Uint8Array | null
  readonly status: number
  /** Of the body: bytes, where there is a text. */
  #length = 0
  #text: string | undefined
  #date = ''
  #isFlat = true

  constructor(head: PreparedHead, body: string | Uint8Array | null) {
    this.#head = head
    this.#body = body
    this.status = head.status
  }

  get head(): PreparedHead {
    return this.#head
  }

  get body(): string | Uint8Array | null {
    return this.#body
  }

  /** Bytes of the body that `text` holds. */
  get length(): number {
    return this.#length
  }

  /**
   * All of it for a connection that is kept.
   *
   * @returns undefined where that is no gain, or not possible: a long body, bytes, what is not ASCII, none at all, a date of its own
   */
  get text(): string | undefined {
    const date = dateLine()
    if (this.#date !== date) this.#join(date)
    // Pays from the second time within its second on.
    else if (!this.#isFlat) this.#flatten()
    return this.#text
  }

  /** Lets go of all that it is made of, for where it is still pointed at: it is not to be sent any more. */
  release(): void {
    this.#head = RELEASED
    this.#body = null
    this.#date = ''
    this.#text = undefined
  }

  #join(date: string): void {
    const [head, body] = [this.#head, this.#body]
    this.#date = date
    this.#text = undefined
    this.#isFlat = true
    if (typeof body !== 'string' || head.isBodyless || head.hasDate) return
    if (body.length > LONGEST_REPEATED || !isAscii(body)) return
    this.#length = body.length
    this.#text = head.withBody(body, date)
    this.#isFlat = false
  }

  #flatten(): void {
    this.#text = flat(this.#text!)
    this.#isFlat = true
  }
}

const RELEASED = prepareHead(500, [])
