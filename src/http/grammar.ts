// Byte classes of HTTP/1.1 (RFC 9110 §5.6, RFC 9112 §2 to §5) as tables: one load per byte, no regular expression on the way in.

export const CR = 0x0d
export const LF = 0x0a
export const SP = 0x20
export const HTAB = 0x09
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const DQUOTE = 0x22
export const BACKSLASH = 0x5c
export const SLASH = 0x2f
export const DOT = 0x2e
export const PERCENT = 0x25
export const QUESTION = 0x3f
export const STAR = 0x2a
export const DIGIT_0 = 0x30

function tableOf(chars: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const char of chars) table[char.charCodeAt(0)] = 1
  return table
}

const DIGITS = '0123456789'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** tchar: what a method and a field name are made of. */
export const IS_TOKEN = tableOf(`!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`)

/** field-value bytes: HTAB, SP, visible ASCII and obs-text. Not CR, LF, NUL, the other controls or DEL. */
export const IS_VALUE = new Uint8Array(256).map((_, byte) => (byte === HTAB || (byte >= SP && byte !== 0x7f) ? 1 : 0))

/**
 * uri-host as people use it: letters, digits, dot, hyphen, underscore (RFC 3986 allows more, and every addition has been an
 * injection somewhere; Django's host pattern is the same).
 */
export const IS_HOST = tableOf(`.-_${DIGITS}${LETTERS}`)

/** Inside the brackets of an IP literal. No zone, no IPvFuture. */
export const IS_IP_LITERAL = tableOf(`:.${DIGITS}ABCDEFabcdef`)

/** 0: cannot be in a target. 1: ordinary. Others need a look: the four marks below. */
export const TARGET_CLASS = new Uint8Array(256).map((_, byte) => (byte > SP && byte < 0x7f ? 1 : 0))
export const TARGET_ORDINARY = 1
/** Ends the path. */
export const TARGET_QUESTION = 2
/** The path needs the slow road: an escape, a backslash, or a dot that may start a dot segment. */
export const TARGET_SPECIAL = 3
TARGET_CLASS[QUESTION] = TARGET_QUESTION
TARGET_CLASS[PERCENT] = TARGET_SPECIAL
TARGET_CLASS[BACKSLASH] = TARGET_SPECIAL
TARGET_CLASS[DOT] = TARGET_SPECIAL
// A fragment never belongs on the wire; read as a path it would name another resource than the client means.
TARGET_CLASS[0x23] = 0

/** Value of a hex digit, 255 for any other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255)
for (let n = 0; n < 10; n++) HEX_VALUE[DIGIT_0 + n] = n
for (let n = 0; n < 6; n++) HEX_VALUE[0x41 + n] = HEX_VALUE[0x61 + n] = 10 + n
