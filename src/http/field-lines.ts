// The fields of a request, read only when somebody asks. The parser has checked every byte already.
import type { FieldLines } from './exchange.ts'
import { latin1 } from './latin1.ts'

const NONE: readonly string[] = []

/** Looks names up in a flat list: a request has some ten fields, and a scan beats a map until far beyond that. */
abstract class ScannedFields implements FieldLines {
  #lastAsked: ReadonlySet<string> | undefined
  #lastAnswer = false

  /** Name, in lower case, and value in turn. */
  protected abstract lines(): readonly string[]

  get(name: string): string | undefined {
    const lines = this.lines()
    let found: string | undefined
    for (let n = 0; n < lines.length; n += 2) {
      if (lines[n] !== name) continue
      // Cookie pairs are separated by '; ', also when HTTP/2 in front of us has cut them into lines (RFC 9113 §8.2.3).
      found = found === undefined ? lines[n + 1]! : `${found}${name === 'cookie' ? '; ' : ', '}${lines[n + 1]!}`
    }
    return found
  }

  all(name: string): readonly string[] {
    const lines = this.lines()
    let found: string[] | undefined
    for (let n = 0; n < lines.length; n += 2) if (lines[n] === name) (found ??= []).push(lines[n + 1]!)
    return found ?? NONE
  }

  has(name: string): boolean {
    const lines = this.lines()
    for (let n = 0; n < lines.length; n += 2) if (lines[n] === name) return true
    return false
  }

  hasAny(names: ReadonlySet<string>): boolean {
    if (names === this.#lastAsked) return this.#lastAnswer
    this.#lastAsked = names
    const lines = this.lines()
    let isThere = false
    for (let n = 0; n < lines.length && !isThere; n += 2) isThere = names.has(lines[n]!)
    return (this.#lastAnswer = isThere)
  }

  *entries(): IterableIterator<readonly [name: string, value: string]> {
    const lines = this.lines()
    for (let n = 0; n < lines.length; n += 2) yield [lines[n]!, lines[n + 1]!]
  }
}

/** Fields in a piece of a head: from after the request line to before the blank line. */
export class HeadFields extends ScannedFields {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number
  #lines: readonly string[] | undefined

  constructor(bytes: Buffer, start: number, end: number) {
    super()
    this.#bytes = bytes
    this.#start = start
    this.#end = end
  }

  protected lines(): readonly string[] {
    return (this.#lines ??= readLines(latin1(this.#bytes, this.#start, this.#end)))
  }
}

/** Fields that arrive as a list already. */
export class ListedFields extends ScannedFields {
  readonly #lines: readonly string[]

  /** @param lines  name, in lower case, and value in turn */
  constructor(lines: readonly string[]) {
    super()
    this.#lines = lines
  }

  protected lines(): readonly string[] {
    return this.#lines
  }
}

/** Fields as node:http has them: name in any case and value in turn. HTTP/2's pseudo-fields are no fields of the request. */
export class RawFields extends ScannedFields {
  readonly #raw: readonly string[]
  #lines: readonly string[] | undefined

  constructor(raw: readonly string[]) {
    super()
    this.#raw = raw
  }

  protected lines(): readonly string[] {
    return (this.#lines ??= withoutPseudo(this.#raw))
  }
}

function withoutPseudo(raw: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (let n = 0; n + 1 < raw.length; n += 2)
    if (!raw[n]!.startsWith(':')) lines.push(raw[n]!.toLowerCase(), raw[n + 1]!)
  return lines
}

function readLines(text: string): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < text.length;) {
    const colon = text.indexOf(':', at)
    const lineEnd = text.indexOf('\r\n', colon)
    let from = colon + 1
    let to = lineEnd
    // SP and HTAB only: trim() would take NBSP and the other spaces of Unicode, which are data here.
    while (from < to && isBlank(text.charCodeAt(from))) from++
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--
    lines.push(text.slice(at, colon).toLowerCase(), text.slice(from, to))
    at = lineEnd + 2
  }
  return lines
}

function isBlank(char: number): boolean {
  return char === 0x20 || char === 0x09
}
