// Cuts a text of SQL into its statements, so that each can be sent by itself and blamed by its line. Pure; what it does not understand it
// leaves in one piece, and PostgreSQL says what is wrong with it.
//
// A semicolon ends a statement unless it stands in
//   - a string ('...', E'...'), a quoted name, a dollar quote ($$...$$, $tag$...$tag$) or a comment (block comments nest);
//   - parentheses, for `create rule ... do (...; ...)`;
//   - the body of `create function ... begin atomic ...; end`, by the heuristic of psql (src/fe_utils/psqlscan.l).

export interface SqlStatement {
  /** Without the semicolon, and without the comments before it. */
  readonly text: string
  /** Where it begins in the whole, in UTF-16 units from 0. */
  readonly start: number
}

export function splitStatements(text: string): readonly SqlStatement[] {
  const statements: SqlStatement[] = []
  let start = -1
  let depth = 0
  let body = new BodyDepth()
  const end = (at: number): void => {
    if (start !== -1) statements.push({ text: text.slice(start, at).trimEnd(), start })
    start = -1
    depth = 0
    body = new BodyDepth()
  }
  let at = 0
  while (at < text.length) {
    const gap = endOfGap(text, at)
    if (gap > at) {
      at = gap
      continue
    }
    const character = text[at]!
    if (character === ';' && depth === 0 && !body.isOpen) end(at++)
    else {
      if (start === -1) start = at
      if (character === '(') depth++
      if (character === ')' && depth > 0) depth--
      const next = endOfToken(text, at)
      if (depth === 0) body.see(text.slice(at, next))
      at = next
    }
  }
  end(text.length)
  return statements
}

/** @param index  in UTF-16 units from 0 @returns the line it is in, from 1 */
export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** @param position  in characters from 1, as PostgreSQL counts them @returns in UTF-16 units from 0 */
export function indexOfPosition(text: string, position: number): number {
  let index = 0
  for (let left = position - 1; left > 0 && index < text.length; left--)
    index += text.codePointAt(index)! > 0xffff ? 2 : 1
  return index
}

/** How many BEGINs of a function's body stand open; CASE ends with END as well. */
class BodyDepth {
  #words: string[] = []
  #open = 0

  get isOpen(): boolean {
    return this.#open > 0
  }

  see(token: string): void {
    if (!/^[a-z]/i.test(token)) return
    const word = token.toLowerCase()
    // create [or replace] function|procedure
    if (this.#words.length < 4) this.#words.push(word)
    const [first, ...rest] = this.#words
    const made = rest[0] === 'or' ? rest[2] : rest[0]
    if (first !== 'create' || (made !== 'function' && made !== 'procedure')) return
    if (word === 'begin' || (word === 'case' && this.isOpen)) this.#open++
    if (word === 'end' && this.isOpen) this.#open--
  }
}

/** Behind the white space or the comment that begins here; `at` itself where neither does. */
function endOfGap(text: string, at: number): number {
  if (/\s/.test(text[at]!)) return at + 1
  if (text.startsWith('--', at)) return endAfter(text, '\n', at)
  return text.startsWith('/*', at) ? endOfBlockComment(text, at) : at
}

function endOfBlockComment(text: string, at: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = at
  for (let depth = 0; ;) {
    const found = mark.exec(text)
    if (!found) return text.length
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
}

const WORD = /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*/iy
const DOLLAR_QUOTE = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy

function endOfToken(text: string, at: number): number {
  const character = text[at]!
  if (character === "'") return endOfQuoted(text, at, false)
  if (character === '"') return endOfQuoted(text, at, false)
  if (/[eE]/.test(character) && text[at + 1] === "'") return endOfQuoted(text, at + 1, true)
  const quote = matchAt(DOLLAR_QUOTE, text, at)
  if (quote !== undefined) return endAfter(text, quote, at + quote.length)
  return at + (matchAt(WORD, text, at)?.length ?? 1)
}

/** A quote within is doubled, and that reads as two strings side by side. */
function endOfQuoted(text: string, at: number, hasEscapes: boolean): number {
  const quote = text[at]!
  if (!hasEscapes) return endAfter(text, quote, at + 1)
  for (let index = at + 1; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (text[index] === quote) {
      // Doubled: still in the string, where a backslash escapes.
      if (text[index + 1] !== quote) return index + 1
      index++
    }
  }
  return text.length
}

function endAfter(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from)
  return found === -1 ? text.length : found + mark.length
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
