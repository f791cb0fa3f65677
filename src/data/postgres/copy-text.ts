// Rows as COPY reads and writes them, in PostgreSQL's text format and as CSV.
//
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS: in the text format a row is a line, its columns are parted by
// tabs, NULL is \N, and a backslash escapes what would be taken for any of these. In CSV NULL is nothing at all, and "" is the empty text.
import { encodeParameters, type Parameter } from './sql.ts'

/** A row's columns, in the order of the table or of the column list: what may stand in `${...}`, by the same rules. */
export type CopyRow = readonly unknown[]
type Rows = Iterable<CopyRow> | AsyncIterable<CopyRow>

// As many as copy-out.ts gives at a time.
const PIECE_CHARACTERS = 64 * 1024

/**
 * Rows for `db.copyFrom('copy products from stdin', copyText(rows))`.
 *
 * @throws UsageError `POSTGRES_UNDEFINED_VALUE` or `POSTGRES_BAD_VALUE` naming the column, counted from 1
 */
export function copyText(rows: Rows): AsyncGenerator<string, void, undefined> {
  return lines(rows, '\t', textOf)
}

/** The same for `copy products from stdin (format csv)`, and for people's spreadsheets. */
export function copyCsv(rows: Rows): AsyncGenerator<string, void, undefined> {
  return lines(rows, ',', csvOf)
}

async function* lines(
  rows: Rows,
  separator: string,
  encode: (value: Parameter) => string,
): AsyncGenerator<string, void, undefined> {
  let piece = ''
  for await (const row of rows) {
    piece += `${encodeParameters(row).map(encode).join(separator)}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

function textOf(value: Parameter): string {
  if (value === null) return '\\N'
  // bytea's own backslash is escaped once more.
  if (typeof value !== 'string') return `\\\\x${value.toString('hex')}`
  return /[\\\n\r\t]/.test(value) ? value.replace(/[\\\n\r\t]/g, character => ESCAPES[character]!) : value
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function csvOf(value: Parameter): string {
  if (value === null) return ''
  const text = typeof value === 'string' ? value : `\\x${value.toString('hex')}`
  // A line of \. alone would end the copy of servers before 18.
  return text === '' || text === '\\.' || /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** @returns the rows of a copy in text format, cut anywhere: text, or null for NULL */
export async function* copyRowsOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<(string | null)[], void, undefined> {
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(NEWLINE) + 1
    rest = Buffer.from(bytes.subarray(end))
    if (end === 0) continue
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, end - 1).toString()
    for (const line of text.split('\n')) yield line.split('\t').map(columnOf)
  }
}

const NEWLINE = 0x0a

function columnOf(text: string): string | null {
  if (text === '\\N') return null
  return text.includes('\\') ? text.replace(/\\(.)/g, (_, escaped: string) => UNESCAPES[escaped] ?? escaped) : text
}

// The server writes these; octal and hexadecimal escapes it only reads.
const UNESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
