// The words around a form's data: the boundary in Content-Type, and the head of a part (RFC 7578 §4). Pure.
//
// A name that is there twice, or that only some readers would see, is refused: what a filter in front read must be what the app reads.
import { bareFilename } from './content-disposition.ts'
import { badMultipart, formTooLarge } from './form-errors.ts'

export interface PartHead {
  readonly name: string
  /** Without folders. undefined: the part is a text field. '' for a file input that was left empty, too. */
  readonly filename: string | undefined
  /** Content-Type as the client says, in lower case; application/octet-stream when it does not. */
  readonly type: string
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const parameter = (quoted: string): string => `;[ \\t]*(${TOKEN})=(?:"(${quoted})"|(${TOKEN}))[ \\t]*`
const PARAMETER = parameter('(?:[^"\\\\]|\\\\.)*')

const URLENCODED = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i
const MULTIPART = new RegExp(`^multipart/form-data[ \\t]*((?:${PARAMETER})*)$`, 'is')
// RFC 2046 §5.1.1: 1 to 70 of these, and no space at the end.
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

/**
 * What a form's Content-Type says: 'urlencoded', the boundary of a multipart body, or undefined when it is no form's.
 *
 * @throws MillraceError `APP_BAD_MULTIPART` for multipart/form-data without a boundary, or with one that may not be
 */
export function formType(contentType: string): 'urlencoded' | { readonly boundary: string } | undefined {
  if (URLENCODED.test(contentType)) return 'urlencoded'
  const match = MULTIPART.exec(contentType)
  if (!match) return undefined
  const boundary = parameters(match[1]!, 'Content-Type').get('boundary')
  if (boundary === undefined) throw badMultipart('Missing boundary in multipart.')
  if (!BOUNDARY.test(boundary)) throw badMultipart('The boundary of the multipart body may not be one.')
  return { boundary }
}

// Longer names are nobody's; each is a key of an object and may be told in an issue.
const MAX_NAME_LENGTH = 256

const DISPOSITION = new RegExp(`^form-data[ \\t]*((?:${PARAMETER})*)$`, 'is')
// Browsers and fetch() escape a quote as %22 and send a backslash as it is, so that one may stand before the closing quote. No head
// with such a quote can be read both ways: each closing quote is followed by a semicolon or the end, each opening one follows a "=".
const UNESCAPED = parameter('[^"]*')
const DISPOSITION_UNESCAPED = new RegExp(`^form-data[ \\t]*((?:${UNESCAPED})*)$`, 'is')
const FIELD_NAME = new RegExp(`^${TOKEN}$`)
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}[ \\t]*(?:${PARAMETER})*$`, 's')
/** Others would have to be decoded; nobody sends them (RFC 7578 §4.7). */
const IDENTITY = new Set(['7bit', '8bit', 'binary'])

/**
 * @param lines  each begun by its line end
 * @throws MillraceError `APP_BAD_MULTIPART`, `APP_FORM_TOO_LARGE` (413) for a name of over 256 characters
 */
export function parsePartHead(lines: Uint8Array): PartHead {
  const fields = new Map<string, string>()
  for (const line of utf8.decode(lines).split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    if (!FIELD_NAME.test(name) || isMalformed(name, line))
      throw badMultipart('The head of a part has a malformed line.')
    if (fields.has(name)) throw badMultipart('The head of a part has a field twice.')
    fields.set(name, line.slice(colon + 1).trim())
  }
  const encoding = fields.get('content-transfer-encoding')?.toLowerCase()
  if (encoding !== undefined && !IDENTITY.has(encoding))
    throw badMultipart('A part is encoded; its bytes must be sent as they are.')
  const said = dispositionParameters(fields.get('content-disposition') ?? '')
  const name = said.get('name')
  if (name === undefined) throw badMultipart('A part has no name.')
  if (name.length > MAX_NAME_LENGTH) throw formTooLarge(`A name may have at most ${MAX_NAME_LENGTH} characters.`)
  const extended = said.get('filename*')
  const filename = extended === undefined ? said.get('filename') : decodeExtended(extended)
  const type = fields.get('content-type') ?? ''
  return {
    name: unescaped(name),
    filename: filename === undefined ? undefined : bareFilename(unescaped(filename)),
    type: MEDIA_TYPE.test(type) ? type.toLowerCase() : 'application/octet-stream',
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/
// No character begins two of its alternatives, so it takes linear time.
const CONTROL_IN_QUOTES = /^(?:[^"\0-\x08\x0a-\x1f\x7f]|"(?:[^"\\\0\r\n]|\\[^\0\r\n])*")*$/
const CONTROL_IN_UNESCAPED_QUOTES = /^(?:[^"\0-\x08\x0a-\x1f\x7f]|"[^"\0\r\n]*")*$/

/** Browsers escape line ends and quotes in names, and no other control characters: inside of quotes these are what somebody typed. */
function isMalformed(name: string, line: string): boolean {
  if (!CONTROL.test(line)) return false
  return name !== 'content-disposition' || !(CONTROL_IN_QUOTES.test(line) || CONTROL_IN_UNESCAPED_QUOTES.test(line))
}

/** A backslash escapes, as clients of MIME have it; where that is no sentence, it is a character like others, as browsers have it. */
function dispositionParameters(field: string): ReadonlyMap<string, string> {
  const escaped = DISPOSITION.exec(field)
  if (escaped) return parameters(escaped[1]!, 'Content-Disposition')
  const unescaped = DISPOSITION_UNESCAPED.exec(field)
  if (unescaped) return parameters(unescaped[1]!, 'Content-Disposition', UNESCAPED)
  throw badMultipart('A part has no Content-Disposition of form-data.')
}

function parameters(text: string, where: string, grammar = PARAMETER): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, name, quoted, token] of text.matchAll(new RegExp(grammar, 'gs'))) {
    const key = name!.toLowerCase()
    if (found.has(key)) throw badMultipart(`${where} has a parameter twice.`)
    // A backslash escapes only what needs it: some clients send C:\name.txt as it is.
    found.set(
      key,
      quoted === undefined ? token! : grammar === UNESCAPED ? quoted : quoted.replaceAll(/\\(["\\])/g, '$1'),
    )
  }
  return found
}

/** The three escapes of the WHATWG's encoder, which browsers and fetch() share. */
function unescaped(text: string): string {
  return text.replaceAll(/%(22|0A|0D)/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
}

/** RFC 8187 §3.2. It may not be in a form (RFC 7578 §4.2), and is sent; the words are UTF-8 or Latin-1. */
function decodeExtended(value: string): string {
  const match = /^(utf-8|iso-8859-1)'[^']*'((?:%[\da-f]{2}|[^%'*])*)$/i.exec(value)
  if (!match) throw badMultipart('A part has a file name that cannot be read.')
  const bytes = Buffer.from(
    match[2]!.replaceAll(/%([\da-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
    'latin1',
  )
  return match[1]!.toLowerCase() === 'utf-8' ? utf8.decode(bytes) : bytes.toString('latin1')
}
