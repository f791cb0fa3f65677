// What a route reads from a request: path, query, headers, cookies, and body or form, each decoded by its schema, all issues in one error.
import { MillraceError, UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import { ValidationError } from '../schema/errors.ts'
import type { Issue } from '../schema/issue.ts'
import { BadJsonError, parseJson } from '../schema/json-text.ts'
import { MASK } from '../schema/redaction.ts'
import { pythonJsonError } from '../schema/python-json-error.ts'
import type { Schema } from '../schema/schema.ts'
import { compileBody, compileFields, type BodyDecoder, type FieldsDecoder, type Reading } from '../schema/decode.ts'
import { parseCookies } from './cookie.ts'
import type { ErrorFormat } from './problem.ts'
import { FormReader } from './form.ts'
import { HttpError } from './http-error.ts'
import { parseQuery } from './query-string.ts'
import { contentOf } from './request-content.ts'
import type { BodyType } from './route.ts'
import { unsupportedType } from './unsupported-type.ts'
import type { FileRules } from './uploaded-file.ts'
import type { Uploads } from './uploads.ts'

type Fields = Readonly<Record<string, string | readonly string[]>>
export interface InputSpec {
  readonly params?: Schema | undefined
  readonly query?: Schema | undefined
  readonly headers?: Schema | undefined
  readonly cookies?: Schema | undefined
  readonly body?: Schema | undefined
  readonly form?: Schema | undefined
  readonly files?: FileRules | undefined
}
/** The names under which inputs are given to user code, in the order in which their issues are told. */
const ORDER = ['params', 'query', 'headers', 'cookies'] as const
const PLACES = { params: 'path', query: 'query', headers: 'header', cookies: 'cookie' } as const
export type Inputs = { -readonly [K in keyof InputSpec]?: unknown }

// A look at each costs a little; what stands behind these is read like any other name.
const MOST_EXPECTED = 16
const NO_STEPS: readonly undefined[] = []
const NO_PARAMS: Fields = Object.freeze(Object.create(null) as Fields)

/** What can be read once per request and used by several readers. */
class Source {
  readonly exchange: Exchange
  readonly params: Fields
  readonly #queryNames: readonly string[]
  #query: Fields | undefined
  #cookies: Fields | undefined

  constructor(exchange: Exchange, names: readonly string[], values: readonly string[], queryNames: readonly string[]) {
    this.exchange = exchange
    this.#queryNames = queryNames
    this.params = names.length === 0 ? NO_PARAMS : named(names, values)
  }

  get query(): Fields {
    return (this.#query ??= parseQuery(this.exchange.search, this.#queryNames))
  }

  get cookies(): Fields {
    return (this.#cookies ??= parseCookies(this.exchange.fields.get('cookie') ?? ''))
  }

  headers(decoder: FieldsDecoder): Fields {
    const picked = Object.create(null) as Record<string, string | readonly string[]>
    const names = decoder.takesAll ? new Set([...decoder.names, ...fieldNames(this.exchange)]) : decoder.names
    const refusesOthers = decoder.takesAll && decoder.isExact
    for (const name of names) {
      if (refusesOthers && isOrdinary(name) && !decoder.names.includes(name)) continue
      const value = decoder.lists.has(name) ? this.exchange.fields.all(name) : this.exchange.fields.get(name)
      // An empty field is a value, as an empty query parameter is; no lines at all are none.
      if (typeof value === 'string' || (value !== undefined && value.length > 0)) picked[name] = value
    }
    return picked
  }
}

/** Fields that every client, browser or proxy sends by itself: no schema means to refuse them when it refuses what it does not know. */
function isOrdinary(name: string): boolean {
  return ORDINARY.has(name) || ORDINARY_FAMILY.test(name)
}

const ORDINARY = new Set(
  `
  authorization baggage cache-control connection content-encoding content-length content-type cookie date dnt early-data expect forwarded
  from host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive max-forwards origin pragma priority
  proxy-authorization range referer save-data te traceparent tracestate trailer transfer-encoding upgrade upgrade-insecure-requests
  user-agent via x-real-ip x-request-id
  `
    .trim()
    .split(/\s+/),
)
const ORDINARY_FAMILY = /^(?:accept|sec|x-forwarded)(?:-|$)/

function named(names: readonly string[], values: readonly string[]): Fields {
  const params = Object.create(null) as Record<string, string>
  for (let n = 0; n < names.length; n++) params[names[n]!] = values[n]!
  return params
}

function* fieldNames(exchange: Exchange): Generator<string> {
  for (const [name] of exchange.fields.entries()) yield name
}

/** One set of declared inputs: the route's own, or a dependency's. */
class Reader {
  readonly #decoders: readonly { readonly key: (typeof ORDER)[number]; readonly decoder: FieldsDecoder }[]

  constructor(spec: InputSpec, where: string, reading: Reading) {
    this.#decoders = ORDER.flatMap(key => {
      const schema = spec[key]
      return schema === undefined
        ? []
        : [{ key, decoder: compileFields(schema, PLACES[key], `${where} ${key}`, reading) }]
    })
  }

  get isEmpty(): boolean {
    return this.#decoders.length === 0
  }

  /** What its params schema declares; undefined when there is none, or it does not tell. */
  get paramNames(): readonly string[] | undefined {
    const params = this.#decoders.find(({ key }) => key === 'params')?.decoder
    return params?.isExact ? params.names : undefined
  }

  get queryNames(): readonly string[] {
    return this.#decoders.flatMap(({ key, decoder }) => (key === 'query' ? decoder.names : []))
  }

  /** Lower case. */
  get headerNames(): readonly string[] {
    return this.#decoders.flatMap(({ key, decoder }) => (key === 'headers' ? decoder.names : []))
  }

  /** @returns a promise only when some schema validates asynchronously */
  read(source: Source, into: Inputs, issues: Issue[]): void | Promise<void> {
    let pending: Promise<void>[] | undefined
    for (const { key, decoder } of this.#decoders) {
      const fields = key === 'headers' ? source.headers(decoder) : source[key]
      const value = decoder.decode(fields, issues)
      if (value instanceof Promise) (pending ??= []).push(value.then(late => void (into[key] = late)))
      else into[key] = value
    }
    if (pending) return Promise.all(pending).then(() => {})
  }
}

export interface ReadInputs {
  readonly own: Inputs
  /** By step of the dependency plan. */
  readonly steps: readonly (Inputs | undefined)[]
}

export class InputReader {
  readonly #own: Reader
  readonly #steps: readonly (Reader | undefined)[]
  /** Some step reads something. */
  readonly #hasSteps: boolean
  readonly #body: BodyDecoder | undefined
  readonly #form: FormReader | undefined
  readonly #maxBodyBytes: number | undefined
  readonly #bodyType: BodyType
  readonly #names: readonly string[]
  readonly #queryNames: readonly string[]
  readonly #declaresParams: boolean
  readonly #format: ErrorFormat
  /** Nothing to read: the handler gets path values as they are. */
  readonly isEmpty: boolean
  readonly readsForm: boolean
  /** The request headers that the route declares, in lower case. */
  readonly headerNames: readonly string[]

  constructor(of: {
    spec: InputSpec
    /** Inputs declared by dependencies, by step. */
    steps: readonly InputSpec[]
    /** In the order of the pattern. */
    names: readonly string[]
    /** Those of them that a params schema has to have: an include may put others before the path. */
    ownNames: readonly string[]
    maxBodyBytes: number | undefined
    bodyType: BodyType
    format: ErrorFormat
    where: string
  }) {
    const reading = of.format === 'fastapi' ? 'fastapi' : 'strict'
    this.#own = new Reader(of.spec, of.where, reading)
    refuseOtherNames(this.#own.paramNames, of)
    this.#steps = of.steps.map((step, n) => {
      const reader = new Reader(step, `${of.where} dependency ${n + 1}`, reading)
      return reader.isEmpty ? undefined : reader
    })
    this.#hasSteps = this.#steps.some(step => step !== undefined)
    this.headerNames = this.#own.headerNames
    const queryNames = [this.#own, ...this.#steps].flatMap(reader => reader?.queryNames ?? [])
    this.#queryNames = [...new Set(queryNames)].slice(0, MOST_EXPECTED)
    this.#body = of.spec.body === undefined ? undefined : compileBody(of.spec.body, `${of.where} body`, reading)
    const { form, files, body } = of.spec
    if ((form ?? files) !== undefined && body !== undefined)
      throw new UsageError('APP_FORM', `${of.where} declares a body beside a form; a request has one or the other`)
    this.#form = (form ?? files) === undefined ? undefined : new FormReader(of.spec, of.format, of.where)
    this.readsForm = this.#form !== undefined
    this.#maxBodyBytes = of.maxBodyBytes
    this.#bodyType = of.bodyType
    this.#names = of.names
    this.#declaresParams = of.spec.params !== undefined
    this.#format = of.format
    this.isEmpty =
      this.#own.isEmpty && (this.#body ?? this.#form) === undefined && this.#names.length === 0 && !this.#hasSteps
  }

  /** It stores files: `read` needs a place to keep them. */
  get takesFiles(): boolean {
    return this.#form?.takesFiles === true
  }

  /**
   * @param uploads  where files are kept, for a route that takes them
   * @returns a promise only when the body is not all here yet, a form, or a schema validates asynchronously
   * @throws ValidationError with the issues of all places; for bodies also 400, 413 and 415
   */
  read(exchange: Exchange, values: readonly string[], uploads?: Uploads): ReadInputs | Promise<ReadInputs> {
    const source = new Source(exchange, this.#names, values, this.#queryNames)
    // FastAPI's order: what dependencies declare first, then path, query, header, cookie, body.
    const issues: Issue[] = []
    let pending: Promise<void>[] | undefined
    let steps: ReadInputs['steps'] = NO_STEPS
    if (this.#hasSteps)
      steps = this.#steps.map(reader => {
        if (!reader) return undefined
        const inputs: Inputs = {}
        const wait = reader.read(source, inputs, issues)
        if (wait) (pending ??= []).push(wait)
        return inputs
      })
    const own: Inputs = {}
    const wait = this.#own.read(source, own, issues)
    if (wait) (pending ??= []).push(wait)
    if (!this.#declaresParams) own.params = source.params
    if (this.#form) return this.#readForm(this.#form, exchange, uploads, own, steps, issues, pending)
    if (!this.#body && !pending) return settled({ own, steps }, issues)
    return this.#readBody(exchange, own, steps, issues, pending)
  }

  async #readForm(
    reader: FormReader,
    exchange: Exchange,
    uploads: Uploads | undefined,
    own: Inputs,
    steps: ReadInputs['steps'],
    issues: Issue[],
    pending: readonly Promise<void>[] = [],
  ): Promise<ReadInputs> {
    // First: their issues are told first.
    await Promise.all(pending)
    return settled({ own: { ...own, ...(await reader.read(exchange, uploads, issues)) }, steps }, issues)
  }

  #readBody(
    exchange: Exchange,
    own: Inputs,
    steps: ReadInputs['steps'],
    issues: Issue[],
    pending: Promise<void>[] | undefined,
  ): ReadInputs | Promise<ReadInputs> {
    if (this.#body && !pending) {
      const bytes = contentOf(exchange).bytes(this.#maxBodyBytes)
      if (!(bytes instanceof Promise)) {
        const body = this.#decodeBody(exchange, bytes, issues)
        if (!(body instanceof Promise)) {
          own.body = body
          return settled({ own, steps }, issues)
        }
        return body.then(value => settled({ own: { ...own, body: value }, steps }, issues))
      }
      return this.#finishLater(exchange, own, steps, issues, [], bytes)
    }
    return this.#finishLater(
      exchange,
      own,
      steps,
      issues,
      pending ?? [],
      this.#body ? contentOf(exchange).bytes(this.#maxBodyBytes) : undefined,
    )
  }

  async #finishLater(
    exchange: Exchange,
    own: Inputs,
    steps: ReadInputs['steps'],
    issues: Issue[],
    pending: readonly Promise<void>[],
    bytes: Uint8Array | Promise<Uint8Array> | undefined,
  ): Promise<ReadInputs> {
    const [arrived] = await Promise.all([bytes, ...pending])
    if (arrived) own.body = await this.#decodeBody(exchange, arrived, issues)
    return settled({ own, steps }, issues)
  }

  #decodeBody(exchange: Exchange, bytes: Uint8Array, issues: Issue[]): unknown {
    const decoder = this.#body!
    const type = exchange.fields.get('content-type')
    if (this.#bodyType === 'text/plain') {
      if (bytes.byteLength === 0 && type === undefined) return decoder.decode(undefined, issues)
      return decoder.decode(plainText(type, bytes), issues)
    }
    if (bytes.byteLength === 0) return decoder.decode(undefined, issues)
    if (type === undefined || !isJson(type)) {
      if (this.#format === 'problem') throw unsupportedType('application/json', type)
      // FastAPI hands such a body to the model as text.
      issues.push({
        type: 'model_attributes_type',
        loc: ['body'],
        msg: 'Input should be a valid dictionary or object to extract fields from',
        input: decoder.hasSecrets ? MASK : new TextDecoder().decode(bytes),
      })
      return undefined
    }
    let json: unknown
    try {
      json = parseJson(bytes)
    } catch (error) {
      if (!(error instanceof BadJsonError) || this.#format === 'problem') throw error
      issues.push(asPython(error, bytes))
      return undefined
    }
    return decoder.decode(json, issues)
  }
}

/** The compiler compares them as well, to those who ask it. */
function refuseOtherNames(
  declared: readonly string[] | undefined,
  of: { readonly names: readonly string[]; readonly ownNames: readonly string[]; readonly where: string },
): void {
  if (!declared) return
  const missing = of.ownNames.filter(name => !declared.includes(name))
  const extra = declared.filter(name => !of.names.includes(name))
  if (missing.length === 0 && extra.length === 0) return
  const inPath = of.names.length === 0 ? 'no names' : of.names.map(name => `{${name}}`).join(', ')
  throw new UsageError(
    'APP_PARAMS_NAMES',
    `${of.where}: the path has ${inPath}, its params schema has ${declared.join(', ')}; they must be the same`,
  )
}

function settled(read: ReadInputs, issues: readonly Issue[]): ReadInputs {
  if (issues.length > 0) throw new ValidationError(issues)
  return read
}

/** @throws HttpError 400 for bytes that are not UTF-8, as FastAPI answers them */
function asPython({ message, position }: BadJsonError, bytes: Uint8Array): Issue {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new HttpError(400, 'There was an error parsing the body')
  }
  const said = pythonJsonError(text) ?? { message, position }
  return {
    type: 'json_invalid',
    loc: ['body', said.position],
    msg: 'JSON decode error',
    input: {},
    ctx: { error: said.message },
  }
}

/** @throws MillraceError 415 for another type or charset, 400 for bytes that are not UTF-8 */
function plainText(type: string | undefined, bytes: Uint8Array): string {
  if (type === undefined || !(type === 'text/plain' || PLAIN_TYPE.test(type))) throw unsupportedType('text/plain', type)
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new MillraceError('APP_BAD_TEXT', 'a text body that is not UTF-8', {
      status: 400,
      detail: 'The body is not UTF-8',
      cause,
    })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

// The one parameter that means something here; US-ASCII is UTF-8 with less in it.
const PLAIN_TYPE = /^text\/plain[ \t]*(?:;[ \t]*charset=(?:"(?:utf-8|us-ascii)"|utf-8|us-ascii)[ \t]*)?$/i

// application/json and application/*+json, with well-formed parameters only; charset, when given, must be UTF-8 (RFC 8259 §8.1).
const JSON_TYPE =
  /^application\/(?:[!#$&\-^_.+a-z0-9]+\+)?json[ \t]*((?:;[ \t]*[!#$%&'*+\-.^_`|~a-z0-9]+=(?:[!#$%&'*+\-.^_`|~a-z0-9]+|"[^"\\]*")[ \t]*)*)$/i

function isJson(type: string): boolean {
  if (type === 'application/json') return true
  const match = JSON_TYPE.exec(type)
  if (!match) return false
  const charset = /;[ \t]*charset="?([^;" \t]*)/i.exec(match[1]!)
  return !charset || charset[1]!.toLowerCase() === 'utf-8'
}
