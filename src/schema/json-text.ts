// Reads a JSON text from bytes, refusing what RFC 8259 leaves to luck: bad UTF-8, a byte order mark, deep nesting, `__proto__`.
//
// JSON.parse does the reading. What it would let through is looked for only where it could be: a small ordinary body pays for
// one decode, a length comparison and two searches.
import { BadJsonError } from './errors.ts'

export { BadJsonError } from './errors.ts'

// ignoreBOM: the decoder would otherwise swallow a byte order mark, and we would never see it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** 64: deeper than any document we know of, far from where a recursive reader of the value would run out of stack. */
const MAX_DEPTH = 64

/**
 * @param maxDepth  how many arrays and objects may be open at once
 * @throws BadJsonError  `SCHEMA_BAD_JSON`, 400, with the offset in characters where it is known
 */
export function parseJson(bytes: Uint8Array, maxDepth: number = MAX_DEPTH): unknown {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new BadJsonError('invalid UTF-8', 0)
  }
  if (text.charCodeAt(0) === 0xfeff) throw new BadJsonError('it starts with a byte order mark', 0)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // Text that is too deep as well as malformed is told about its syntax: both are a 400.
    const { message, position } = explain(text, error as Error)
    throw new BadJsonError(message, position)
  }
  // A text of fewer than two brackets per level cannot be too deep.
  const isTooDeep = text.length > 2 * maxDepth && isDeeper(value, maxDepth)
  if (isTooDeep || text.includes('__proto__') || ESCAPED.test(text)) inspect(text, maxDepth)
  return value
}

/** An escape of a letter of `__proto__`: nobody has reason to write one, so the slow look is rare. */
const ESCAPED = /\\u00(?:5[fF]|7[024]|6[fF])/

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Five times as fast as counting brackets in the text. Goes no deeper than is allowed, whatever the text holds. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) {
    for (let n = 0; n < value.length; n++) if (isDeeper(value[n], levels - 1)) return true
  } else {
    for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], levels - 1)) return true
  }
  return false
}

/** One pass over a text known to be well formed: throws at the first key named `__proto__`, or bracket that opens too deep. */
function inspect(text: string, maxDepth: number): void {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (end - at >= 10 && isKey(text, end) && JSON.parse(text.slice(at, end + 1)) === '__proto__')
        throw new BadJsonError('the key "__proto__" is not accepted', at)
      at = end
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) throw new BadJsonError(`nested deeper than ${maxDepth}`, at)
    } else if (code === 0x5d || code === 0x7d) depth--
  }
}

function endOfString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
}

function isKey(text: string, endOfName: number): boolean {
  let at = endOfName + 1
  while (text.charCodeAt(at) <= 0x20) at++
  return text.charCodeAt(at) === 0x3a
}

/** V8's message without the excerpt of the text, which would put what a client sent into our logs. */
function explain(text: string, error: Error): { message: string; position: number } {
  const found = / at position (\d+)/.exec(error.message)
  if (found)
    return {
      message: error.message.slice(0, found.index).replace(/, .*is not valid JSON$/s, ''),
      position: Number(found[1]),
    }
  if (/end of JSON input/.test(error.message)) return { message: 'unexpected end', position: text.length }
  // V8 gives no position where its message holds an excerpt ("Unexpected token 'x', ..."): look for the place ourselves.
  return { message: 'unexpected character', position: firstMistake(text) }
}

/** Offset of the first character that no JSON text can have there. Runs only for refused texts. */
function firstMistake(text: string): number {
  const token =
    /[\s]*(?:[{}[\]:,]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y
  const open: string[] = []
  let wants: 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' = 'value'
  for (let at = 0; ;) {
    token.lastIndex = at
    const match = token.exec(text)
    const start = at + (/^[ \t\r\n]*/.exec(text.slice(at, at + 1024))?.[0].length ?? 0)
    if (!match) return start
    const word = match[0].trim()
    const last = open[open.length - 1]
    if (wants === ', or end') {
      if (open.length === 0) return start
      if (word === ',') wants = last === '{' ? 'key' : 'value'
      else if (word === (last === '{' ? '}' : ']')) open.pop()
      else return start
    } else if (wants === ':') {
      if (word !== ':') return start
      wants = 'value'
    } else if (wants === 'key' || wants === 'key or }') {
      if (word[0] === '"') wants = ':'
      else if (word === '}' && wants === 'key or }') {
        open.pop()
        wants = ', or end'
      } else return start
    } else if (word === '{') {
      open.push('{')
      wants = 'key or }'
    } else if (word === '[') {
      open.push('[')
      wants = 'value or ]'
    } else if (word === ']' && wants === 'value or ]') {
      open.pop()
      wants = ', or end'
    } else if (/^[}\],:]/.test(word)) return start
    else wants = ', or end'
    at = token.lastIndex
  }
}
