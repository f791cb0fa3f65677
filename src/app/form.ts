// What a route reads from a form: text fields decoded as a query is, files stored while they arrive.
//
// An input that a person left blank comes as an empty text, or as a file without name and bytes: both count as missing, but for a text
// where the schema takes an empty one.
import { didYouMean } from '../core/nearest-name.ts'
import { UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import { compileFields, type FieldsDecoder } from '../schema/decode.ts'
import type { Issue } from '../schema/issue.ts'
import type { Schema } from '../schema/schema.ts'
import { fileTooLarge, formTooLarge, retold } from './form-errors.ts'
import { MultipartParser, type PartSink } from './multipart-parser.ts'
import { formType, parsePartHead } from './part-head.ts'
import type { ErrorFormat } from './problem.ts'
import { parseQuery } from './query-string.ts'
import { contentOf } from './request-content.ts'
import { Spool } from './spool.ts'
import { unsupportedType } from './unsupported-type.ts'
import { type FileRule, type FileRules, StoredFile, type UploadedFile } from './uploaded-file.ts'
import type { Uploads } from './uploads.ts'

// 100 parts and 10 files: a large form of a large application has some dozens. PHP takes 20 files, Starlette 1,000, multer no bound.
const MAX_PARTS = 100
const MAX_FILES = 10
// 1 MiB for one text, as Starlette and busboy.
const MAX_FIELD_BYTES = 2 ** 20

// FastAPI's own words, as in `errorFormat: 'fastapi'`; they say what there is to say.
const PART_TOO_LARGE = 'Part exceeded maximum size of 1024KB.'
const FIELD_TOO_LARGE = 'Field exceeded maximum size of 1024KB.'
const NO_UPLOAD = "Expected UploadFile, received: <class 'str'>"

export interface FormSpec {
  readonly form?: Schema | undefined
  readonly files?: FileRules | undefined
}
export interface Form {
  readonly form: unknown
  readonly files: Readonly<Record<string, UploadedFile | readonly UploadedFile[] | undefined>>
}
type Fields = Readonly<Record<string, string | readonly string[]>>

export class FormReader {
  readonly #fields: FieldsDecoder | undefined
  readonly #rules: ReadonlyMap<string, FileRule>
  readonly #maxFiles: number
  readonly #format: ErrorFormat
  readonly #tooLargeStatus: number

  /** @throws UsageError `APP_FORM` for rules that say nothing sensible; that of the schema */
  constructor({ form, files = {} }: FormSpec, format: ErrorFormat, where: string) {
    this.#fields =
      form === undefined
        ? undefined
        : compileFields(form, 'body', `${where} form`, format === 'fastapi' ? 'fastapi' : 'strict')
    this.#rules = new Map(Object.entries(files))
    for (const [name, rule] of this.#rules) refuseBadRule(rule, `${where} files ${name}`)
    const most = [...this.#rules.values()].reduce((sum, rule) => sum + maxOf(rule), 0)
    this.#maxFiles = Math.max(MAX_FILES, most)
    this.#format = format
    this.#tooLargeStatus = format === 'fastapi' ? 400 : 413
  }

  /** It stores files, which must be let go of. */
  get takesFiles(): boolean {
    return this.#rules.size > 0
  }

  /**
   * Reads the whole body. Files are added to `uploads` as they begin, whatever comes of the rest.
   *
   * @throws MillraceError `APP_UNSUPPORTED_TYPE` (415), `APP_BAD_MULTIPART` (400), `APP_FORM_TOO_LARGE` and `APP_FILE_TOO_LARGE` (413), and
   *   what the body throws
   */
  async read(exchange: Exchange, uploads: Uploads | undefined, issues: Issue[]): Promise<Form> {
    const parts = new Parts(this.#rules, this.#maxFiles, uploads, this.#tooLargeStatus)
    const type = exchange.fields.get('content-type')
    const kind = type === undefined ? undefined : formType(type)
    let fields: Fields = parts.fields
    if (kind === 'urlencoded' && (!this.takesFiles || this.#format === 'fastapi'))
      fields = parseForm(await contentOf(exchange).bytes(), this.#tooLargeStatus)
    else if (typeof kind === 'object') await this.#readParts(exchange, kind.boundary, parts)
    else if ((type !== undefined || exchange.body.length !== 0) && this.#format === 'problem')
      throw unsupportedType(this.takesFiles ? 'multipart/form-data' : 'application/x-www-form-urlencoded', type)
    // FastAPI takes a body of any other type for an empty form.
    const form = this.#fields && (await this.#fields.decode(this.#withoutBlanks(fields, this.#fields), issues))
    return { form, files: this.#files(parts, fields, issues) }
  }

  async #readParts(exchange: Exchange, boundary: string, parts: Parts): Promise<void> {
    try {
      await readMultipart(exchange, boundary, parts)
    } catch (error) {
      throw this.#format === 'fastapi' ? retold(error) : error
    }
  }

  #withoutBlanks(fields: Fields, { names, lists, blanks }: FieldsDecoder): Fields {
    const kept = Object.assign(Object.create(null) as Record<string, string | readonly string[]>, fields)
    for (const name of names) {
      const found = kept[name]
      const text = typeof found === 'string' ? found : found?.at(-1)
      // In FastAPI an empty text is missing even where a string is asked for.
      if (text === '' && !lists.has(name) && (this.#format === 'fastapi' || !blanks.has(name))) delete kept[name]
    }
    return kept
  }

  #files(parts: Parts, fields: Fields, issues: Issue[]): Form['files'] {
    const files = Object.create(null) as Record<string, UploadedFile | readonly UploadedFile[] | undefined>
    for (const [name, rule] of this.#rules) {
      const found = parts.files.get(name) ?? []
      const text = this.#fields?.names.includes(name) ? undefined : fields[name]
      const tell = (type: string, msg: string, input: unknown, ctx?: Issue['ctx'], index?: number) =>
        issues.push({
          type,
          loc: ['body', name, ...(index === undefined ? [] : [index])],
          msg,
          input,
          ...(ctx && { ctx }),
        })
      if (text !== undefined && !this.#isBlankFile(text, rule))
        tell('value_error', this.#format === 'fastapi' ? NO_UPLOAD : 'A file is expected here, not a text', text)
      else if (found.length === 0 && !rule.optional) tell('missing', 'Field required', null)
      else if (found.length > maxOf(rule) && rule.many) {
        const ctx = { field_type: 'List', max_length: maxOf(rule), actual_length: found.length }
        tell('too_long', `At most ${maxOf(rule)} files are taken here`, null, ctx)
      }
      for (const [index, { type }] of found.entries())
        if (!fits(type, rule.types))
          tell(
            'value_error',
            `A file of ${rule.types!.join(' or ')} is expected here`,
            type,
            undefined,
            rule.many ? index : undefined,
          )
      files[name] = rule.many ? found : found.at(-1)
    }
    return files
  }

  /** Swagger UI sends an empty text for a file that nobody chose. FastAPI takes that for a missing one, but not in a list. */
  #isBlankFile(text: string | readonly string[], { many }: FileRule): boolean {
    if (this.#format === 'fastapi') return !many && (typeof text === 'string' ? text : text.at(-1)) === ''
    return typeof text === 'string' ? text === '' : text.every(one => one === '')
  }
}

function maxOf({ many, max }: FileRule): number {
  return many ? (max ?? MAX_FILES) : 1
}

function fits(type: string, types: FileRule['types']): boolean {
  if (!types) return true
  const essence = type.replace(/[ \t]*;.*$/s, '')
  return types.some(one => (one.endsWith('/*') ? essence.startsWith(one.slice(0, -1)) : essence === one))
}

async function readMultipart(exchange: Exchange, boundary: string, parts: Parts): Promise<void> {
  const parser = new MultipartParser(boundary, parts)
  for await (const piece of contentOf(exchange)) {
    parser.push(piece)
    // No more is read from the client before what is here is on the disk.
    if (parts.isBehind) await parts.catchUp()
  }
  parser.finish()
  await parts.catchUp()
}

/** @throws MillraceError `APP_FORM_TOO_LARGE` over as many fields as a query may have, or over 1 MiB in one */
function parseForm(bytes: Uint8Array, status: number): Fields {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  const fields = parseQuery(text, [], most =>
    formTooLarge(`Too many fields. Maximum number of fields is ${most}.`, status),
  )
  // No field is longer than all of them.
  if (bytes.byteLength > MAX_FIELD_BYTES)
    for (const value of Object.values(fields))
      for (const one of typeof value === 'string' ? [value] : value)
        if (Buffer.byteLength(one) > MAX_FIELD_BYTES) throw formTooLarge(FIELD_TOO_LARGE, status)
  return fields
}

/** Takes the parts of one body to where they belong. */
class Parts implements PartSink {
  readonly fields = Object.create(null) as Record<string, string | readonly string[]>
  /** Those that a rule asks for, without inputs that were left empty. */
  readonly files = new Map<string, StoredFile[]>()
  readonly #rules: ReadonlyMap<string, FileRule>
  readonly #maxFiles: number
  readonly #uploads: Uploads | undefined
  readonly #tooLarge: (detail: string) => Error
  /** Spools to be written or ended before more is read. */
  readonly #behind = new Set<Spool>()
  #count = 0
  #fileCount = 0
  #name = ''
  #filename: string | undefined = undefined
  #type = ''
  #rule: FileRule | undefined = undefined
  /** Where the data of this part goes; none for a file that nobody asked for. */
  #spool: Spool | undefined = undefined

  constructor(rules: ReadonlyMap<string, FileRule>, maxFiles: number, uploads: Uploads | undefined, status: number) {
    this.#rules = rules
    this.#maxFiles = maxFiles
    this.#uploads = uploads
    this.#tooLarge = detail => formTooLarge(detail, status)
  }

  get isBehind(): boolean {
    return this.#behind.size > 0
  }

  /** Writes what is due. */
  async catchUp(): Promise<void> {
    for (const spool of this.#behind) await (spool === this.#spool ? spool.flush() : spool.finish())
    this.#behind.clear()
  }

  head(lines: Buffer): void {
    const { name, filename, type } = parsePartHead(lines)
    const maxParts = MAX_PARTS - MAX_FILES + this.#maxFiles
    if (++this.#count > maxParts) throw this.#tooLarge(`A form may have at most ${maxParts} parts.`)
    if (filename !== undefined && ++this.#fileCount > this.#maxFiles)
      throw this.#tooLarge(`Too many files. Maximum number of files is ${this.#maxFiles}.`)
    this.#name = name
    this.#filename = filename
    this.#type = type
    this.#rule = filename === undefined ? undefined : this.#rules.get(name)
    this.#spool = filename === undefined || this.#rule ? new Spool() : undefined
    if (this.#rule) this.#uploads?.add(this.#spool!)
  }

  data(piece: Buffer): void {
    const spool = this.#spool
    if (!spool) return
    spool.append(piece)
    if (this.#filename === undefined) {
      if (spool.size > MAX_FIELD_BYTES) throw this.#tooLarge(PART_TOO_LARGE)
      return
    }
    const maxBytes = this.#rule!.maxBytes ?? Infinity
    if (spool.size > maxBytes) throw fileTooLarge(this.#name, maxBytes)
    if (spool.isFull) this.#behind.add(spool)
  }

  end(): void {
    const spool = this.#spool
    this.#spool = undefined
    if (!spool) return
    if (this.#filename === undefined) this.#endField(spool)
    else this.#endFile(spool, this.#filename)
  }

  #endField(spool: Spool): void {
    const text = spool.text()
    const before = this.fields[this.#name]
    this.fields[this.#name] =
      before === undefined ? text : typeof before === 'string' ? [before, text] : [...before, text]
  }

  #endFile(spool: Spool, filename: string): void {
    if (filename === '' && spool.size === 0) return this.#uploads?.drop(spool)
    this.#behind.add(spool)
    const found = this.files.get(this.#name)
    if (found) found.push(new StoredFile(filename, this.#type, spool))
    else this.files.set(this.#name, [new StoredFile(filename, this.#type, spool)])
  }
}

const RULE_KEYS = { maxBytes: true, types: true, many: true, max: true, optional: true } satisfies Record<
  keyof FileRule,
  true
>

function refuseBadRule(rule: FileRule, where: string): void {
  const known = new Set(Object.keys(RULE_KEYS))
  if (typeof rule !== 'object' || rule === null)
    throw new UsageError('APP_FORM', `${where} is no rule; give an object, {} for one file of any kind`)
  for (const key of Object.keys(rule))
    if (!known.has(key))
      throw new UsageError('APP_FORM', `${where}: ${key} is nothing that a file has${didYouMean(key, known)}`)
  for (const key of ['maxBytes', 'max'] as const) {
    const value = rule[key]
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw new UsageError('APP_FORM', `${where}: ${key} is ${String(value)}; it must be a whole number above 0`)
  }
  if (rule.max !== undefined && !rule.many)
    throw new UsageError('APP_FORM', `${where}: max is for many: true; without it there is one file`)
  for (const type of rule.types ?? [])
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+\/[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(type))
      throw new UsageError(
        'APP_FORM',
        `${where}: ${JSON.stringify(type)} is no media type in lower case; as in 'image/png' or 'image/*'`,
      )
}
