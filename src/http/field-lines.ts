// The fields of a request, read only when somebody asks. The parser has checked every byte already.
import type { FieldLines } from './exchange.ts'
import { latin1 } from './latin1.ts'

const NONE: readonly string[] = []

/** Fields in a piece of a head: from after the request line to before the blank line. */
export class HeadFields implements FieldLines {
  readonly #bytes: Buffer
  readonly #start: number
  readonly #end: number
  /** Name and value in turn. A flat list: a request has some ten fields, and a scan beats a map until far beyond that. */
  #lines: readonly string[] | undefined

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
  }

  get(name: string): string | undefined {
    const lines = this.#read()
    let found: string | undefined
    for (let n = 0; n < lines.length; n += 2) {
      if (lines[n] !== name) continue
      // Cookie pairs are separated by '; ', also when HTTP/2 in front of us has cut them into lines (RFC 9113 §8.2.3).
      found = found === undefined ? lines[n + 1]! : `${found}${name === 'cookie' ? '; ' : ', '}${lines[n + 1]!}`
    }
    return found
  }

  all(name: string): readonly string[] {
    const lines = this.#read()
    let found: string[] | undefined
    for (let n = 0; n < lines.length; n += 2) if (lines[n] === name) (found ??= []).push(lines[n + 1]!)
    return found ?? NONE
  }

  has(name: string): boolean {
    const lines = this.#read()
    for (let n = 0; n < lines.length; n += 2) if (lines[n] === name) return true
    return false
  }

  *entries(): IterableIterator<readonly [name: string, value: string]> {
    const lines = this.#read()
    for (let n = 0; n < lines.length; n += 2) yield [lines[n]!, lines[n + 1]!]
  }

  #read(): readonly string[] {
    return (this.#lines ??= readLines(latin1(this.#bytes, this.#start, this.#end)))
  }
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
