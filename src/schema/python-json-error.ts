// What Python's json module says of a text that is no JSON, and where: FastAPI passes it on, so with `errorFormat: 'fastapi'` we say it too.
//
// A reader of its own, after Python 3.11's scanner, that runs only for texts which are refused already.

export interface PythonJsonError {
  readonly message: string
  /** In characters from the start, counted as Python counts them: one for each code point. */
  readonly position: number
}

/** @returns undefined for a text that Python reads as well */
export function pythonJsonError(text: string): PythonJsonError | undefined {
  try {
    const end = skipBlanks(text, value(text, skipBlanks(text, 0)))
    return end === text.length ? undefined : located(text, new Stop('Extra data', end))
  } catch (stop) {
    if (stop instanceof Stop) return located(text, stop)
    throw stop
  }
}

class Stop {
  readonly message: string
  readonly at: number

  constructor(message: string, at: number) {
    this.message = message
    this.at = at
  }
}

function located(text: string, { message, at }: Stop): PythonJsonError {
  return { message, position: [...text.slice(0, at)].length }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /null|true|false/y

/** @returns where what follows the value begins */
function value(text: string, at: number): number {
  const first = text[at]
  if (first === '"') return string(text, at)
  if (first === '{') return object(text, at + 1)
  if (first === '[') return array(text, at + 1)
  for (const token of [WORD, NUMBER]) {
    token.lastIndex = at
    if (token.test(text)) return token.lastIndex
  }
  throw new Stop('Expecting value', at)
}

function object(text: string, from: number): number {
  let at = skipBlanks(text, from)
  if (text[at] === '}') return at + 1
  for (;;) {
    if (text[at] !== '"') throw new Stop('Expecting property name enclosed in double quotes', at)
    at = skipBlanks(text, string(text, at))
    if (text[at] !== ':') throw new Stop("Expecting ':' delimiter", at)
    at = skipBlanks(text, value(text, skipBlanks(text, at + 1)))
    if (text[at] === '}') return at + 1
    if (text[at] !== ',') throw new Stop("Expecting ',' delimiter", at)
    at = skipBlanks(text, at + 1)
  }
}

function array(text: string, from: number): number {
  let at = skipBlanks(text, from)
  if (text[at] === ']') return at + 1
  for (;;) {
    at = skipBlanks(text, value(text, at))
    if (text[at] === ']') return at + 1
    if (text[at] !== ',') throw new Stop("Expecting ',' delimiter", at)
    at = skipBlanks(text, at + 1)
  }
}

function string(text: string, quote: number): number {
  for (let at = quote + 1; ; at++) {
    const code = text.charCodeAt(at)
    if (Number.isNaN(code)) throw new Stop('Unterminated string starting at', quote)
    if (code === 0x22) return at + 1
    if (code < 0x20) throw new Stop('Invalid control character at', at)
    if (code !== 0x5c) continue
    const escaped = text[++at]
    if (escaped === undefined) throw new Stop('Unterminated string starting at', quote)
    if (escaped === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) throw new Stop('Invalid \\uXXXX escape', at + 1)
      at += 4
    } else if (!'"\\/bfnrt'.includes(escaped)) throw new Stop('Invalid \\escape', at - 1)
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at++
  return at
}
