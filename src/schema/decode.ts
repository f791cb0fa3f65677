// From what arrived to what a handler holds: coerce or revive, validate, and tell issues with the place they came from.
//
// Of an application's routes many are never asked, and most are not asked at once: at start a schema is only described, which finds what
// is wrong with it (a JSON Schema that ajv might refuse is compiled), and its decoder is compiled by the first value. Routes with the same
// schema have the same decoder.
import { headerName } from '../core/header-name.ts'
import { compileCoercion, isList, takesBlank } from './coerce.ts'
import { compileConversion, putField } from './convert-fields.ts'
import type { Described } from './described.ts'
import { compileBodyReading } from './fastapi-body.ts'
import { fastapiLoc } from './fastapi-loc.ts'
import { fieldShapeOf, namesOf, wireNames } from './field-shape.ts'
import type { Issue } from './issue.ts'
import { describe } from './json-schema.ts'
import { Failed, type Found, valueAt } from './outcome.ts'
import { compileRevival } from './revive.ts'
import { compileRedaction, MASK } from './redaction.ts'
import { kindOf, type Schema } from './schema.ts'
import { compileValidator, refuseBroken } from './validator.ts'

/** How values are taken for what a schema declares: by its types as they are, or with the freedoms that FastAPI's models take. */
export type Reading = 'strict' | 'fastapi'

export type Place = 'path' | 'query' | 'header' | 'cookie' | 'body'

export interface Decoder {
  /**
   * Pushes what is wrong onto `issues`, each with the place first in its `loc`; the returned value counts only when nothing
   * was pushed.
   *
   * @returns the schema's output, or a promise of it only when the schema validates asynchronously
   */
  decode(input: unknown, issues: Issue[]): unknown
}

export interface BodyDecoder extends Decoder {
  /** Some of what it reads must not be told again. */
  readonly hasSecrets: boolean
}

/** Texts by name, without a prototype; several texts where a name was repeated. */
export type Fields = Readonly<Record<string, string | readonly string[]>>

export interface FieldsDecoder extends Decoder {
  /** What the schema declares, as the wire names it. Headers: only these need be read, unless `takesAll`. */
  readonly names: readonly string[]
  /** Those that are lists: all repeated values are wanted. */
  readonly lists: ReadonlySet<string>
  /** Those that take an empty text. */
  readonly blanks: ReadonlySet<string>
  /** The schema does not tell its names (a Standard Schema without JSON Schema), or takes undeclared ones: give it every field. */
  readonly takesAll: boolean
  /** `names` are all that it takes, whatever else they hold. */
  readonly isExact: boolean
  decode(fields: Fields, issues: Issue[]): unknown
}

/**
 * @param where  'POST /orders body', for what is thrown at start-up
 * @throws UsageError when the schema cannot be described or compiled
 *
 * `decode(undefined)` stands for no body at all. A literal `null` for a schema that refuses it is told as missing, as in FastAPI.
 */
export function compileBody(schema: Schema, where: string, reading: Reading = 'strict'): BodyDecoder {
  const described = describe(schema, 'input', where)
  return shared(described, `body ${reading}`, () => {
    refuseBroken(schema, described, where)
    return new BodyOnFirstUse(described, () =>
      reading === 'fastapi' ? fastapiBody(schema, described, where) : strictBody(schema, described, where),
    )
  })
}

function strictBody(schema: Schema, described: Described, where: string): Decode {
  const validate = compileValidator(schema, described, where)
  const revive = compileRevival(described)
  const redact = compileRedaction(described)

  function finish(outcome: unknown, input: unknown, issues: Issue[]): unknown {
    if (!(outcome instanceof Failed)) return outcome
    if (input === undefined || input === null) issues.push(noBody())
    else {
      const told = redact ? redact(input) : input
      for (const found of outcome.found) issues.push(bodyIssue(found, told))
    }
    return undefined
  }

  return (input, issues) => {
    const outcome = validate(revive ? revive(input) : input)
    return outcome instanceof Promise
      ? outcome.then(late => finish(late, input, issues))
      : finish(outcome, input, issues)
  }
}

type Decode<Input = unknown> = (input: Input, issues: Issue[]) => unknown

/** What the first value compiles takes its own place: the values after it call that and nothing besides. */
class OnFirstUse<Input> {
  decode: Decode<Input> = decodeFirst
  readonly #compile: () => Decode<Input>

  constructor(compile: () => Decode<Input>) {
    this.#compile = compile
  }

  compile(): Decode<Input> {
    return (this.decode = this.#compile())
  }
}

/** The same for all: a decoder that is never asked keeps no function of its own for it. */
function decodeFirst<Input>(this: OnFirstUse<Input>, input: Input, issues: Issue[]): unknown {
  return this.compile()(input, issues)
}

class BodyOnFirstUse extends OnFirstUse<unknown> implements BodyDecoder {
  readonly #described: Described

  constructor(described: Described, compile: () => Decode) {
    super(compile)
    this.#described = described
  }

  get hasSecrets(): boolean {
    return compileRedaction(this.#described) !== undefined
  }
}

class FieldsOnFirstUse extends OnFirstUse<Fields> implements FieldsDecoder {
  readonly names: readonly string[]
  readonly lists: ReadonlySet<string>
  readonly blanks: ReadonlySet<string>
  readonly takesAll: boolean
  readonly isExact: boolean

  constructor(schema: Schema, described: Described, place: Place, compile: (takesAll: boolean) => Decode<Fields>) {
    const shape = fieldShapeOf(described)
    // Zod drops what an object does not declare, so there is no need to hand it over.
    const takesAll = shape.isOpen || kindOf(schema) !== 'zod'
    super(() => compile(takesAll))
    this.names = wireNames(shape, place === 'header')
    this.lists = namesOf(shape, this.names, node => isList(node, described.components))
    this.blanks = namesOf(shape, this.names, node => takesBlank(node, described.components))
    this.takesAll = takesAll
    this.isExact = shape.isExact
  }
}

type Known = Record<string, BodyDecoder | FieldsDecoder>
const known = new WeakMap<Described, Known>()

/** What is made of a description by the same rules is made once, whoever asks. */
function shared<D extends BodyDecoder | FieldsDecoder>(described: Described, rules: string, make: () => D): D {
  let made = known.get(described)
  if (!made) known.set(described, (made = {}))
  return (made[rules] ??= make()) as D
}

function noBody(): Issue {
  return { type: 'missing', loc: ['body'], msg: 'Field required', input: null }
}

function fastapiBody(schema: Schema, described: Described, where: string): Decode {
  const validate = compileValidator(schema, described, where, 'fastapi')
  const read = compileBodyReading(described)
  const redact = compileRedaction(described)

  function finish(outcome: unknown, input: unknown, noted: readonly Found[], issues: Issue[]): unknown {
    if (!(outcome instanceof Failed) && noted.length === 0) return outcome
    if (input === undefined || input === null) issues.push(noBody())
    else {
      const told = redact ? redact(input) : input
      for (const found of inOrder(noted, outcome instanceof Failed ? outcome.found : []))
        issues.push({ ...bodyIssue(found, told), loc: ['body', ...fastapiLoc(described, input, found)] })
    }
    return undefined
  }

  return (input, issues) => {
    const noted: Found[] = []
    const outcome = validate(read(input, found => noted.push(found)))
    return outcome instanceof Promise
      ? outcome.then(late => finish(late, input, noted, issues))
      : finish(outcome, input, noted, issues)
  }
}

/** `input` is what arrived, before revival: it goes back to the client as JSON. */
function bodyIssue(found: Found, input: unknown): Issue {
  const { path, type } = found
  const isKey = path[path.length - 1] === '[key]'
  return issue(
    found,
    'body',
    isKey ? path[path.length - 2] : (valueAt(input, type === 'missing' ? path.slice(0, -1) : path) ?? null),
  )
}

function issue({ type, path, msg, ctx }: Found, place: Place, input: unknown): Issue {
  const loc = [place, ...path]
  return ctx ? { type, loc, msg, input, ctx } : { type, loc, msg, input }
}

/**
 * @param place  first in every `loc`
 * @throws UsageError when the schema cannot be described or compiled
 */
export function compileFields(schema: Schema, place: Place, where: string, reading: Reading = 'strict'): FieldsDecoder {
  const described = describe(schema, 'input', where)
  return shared(described, `${place} ${reading}`, () => {
    refuseBroken(schema, described, where)
    return new FieldsOnFirstUse(schema, described, place, takesAll => {
      return fieldsDecode(schema, described, { place, where, reading, takesAll })
    })
  })
}

interface FieldsReading {
  readonly place: Place
  readonly where: string
  readonly reading: Reading
  readonly takesAll: boolean
}

function fieldsDecode(
  schema: Schema,
  described: Described,
  { place, where, reading, takesAll }: FieldsReading,
): Decode<Fields> {
  const { components } = described
  const validate = compileValidator(schema, described, where, reading)
  const shape = fieldShapeOf(described)
  // Filled while one set of fields is converted, which never waits: so one list serves all requests, and costs nothing when empty.
  let mistakes: Found[] = []
  const names = wireNames(shape, place === 'header')
  const coercions = [...shape.fields].map(([name, node], n) => ({
    name,
    wire: names[n]!,
    coerce: compileCoercion(node, components, reading),
    failed(type: string, path: readonly number[], ctx?: Found['ctx']) {
      mistakes.push(mistake(type, name, path, ctx))
    },
  }))
  const rest = shape.rest && compileCoercion(shape.rest, components, reading)
  const declared = new Set(names)
  const lists = namesOf(shape, names, node => isList(node, components))
  const secrets = new Set([
    ...namesOf(shape, names, node => compileRedaction({ schema: node, components }) !== undefined),
    ...(place === 'header' ? SECRET_HEADERS : []),
  ])

  const convert = compileConversion(coercions)

  function coerceAll(fields: Fields): Record<string, unknown> {
    const values = convert(fields)
    if (!takesAll) return values
    for (const name of Object.keys(fields)) {
      if (declared.has(name)) continue
      const text = fields[name]!
      putField(
        values,
        name,
        rest ? rest(text, (type, path, ctx) => void mistakes.push(mistake(type, name, path, ctx))) : lastOf(text),
      )
    }
    return values
  }

  function finish(outcome: unknown, fields: Fields, noted: readonly Found[], issues: Issue[]): unknown {
    if (!(outcome instanceof Failed) && noted.length === 0) return outcome
    for (const found of inOrder(noted, outcome instanceof Failed ? outcome.found : [])) {
      const one = place === 'header' ? onTheWire(found) : found
      const input = one.type === 'missing' ? null : (textAt(fields, one.path, lists, secrets) ?? null)
      const told = issue(one, place, input)
      issues.push(reading === 'strict' ? told : { ...told, loc: [place, ...fastapiLoc(described, fields, one)] })
    }
    return undefined
  }

  return (fields, issues) => {
    const values = coerceAll(fields)
    const noted = mistakes
    if (noted.length > 0) mistakes = []
    const outcome = validate(values)
    return outcome instanceof Promise
      ? outcome.then(late => finish(late, fields, noted, issues))
      : finish(outcome, fields, noted, issues)
  }
}

function mistake(type: string, name: string, path: readonly number[], ctx: Found['ctx']): Found {
  return { type, path: [name, ...path], msg: MESSAGES[type] ?? 'Invalid input', ctx: ctx ?? CONTEXTS[type] }
}

const MESSAGES: Readonly<Record<string, string>> = {
  int_parsing: 'Not an integer',
  int_parsing_size: 'An integer beyond what a number holds exactly',
  float_parsing: 'Not a number',
  finite_number: 'Not a finite number',
  bool_parsing: 'Neither true nor false',
  none_required: 'Not null',
  datetime_from_date_parsing: 'Not a date-time with an offset (RFC 3339)',
}
const CONTEXTS: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> = {
  datetime_from_date_parsing: { error: 'not an ISO 8601 date-time' },
}

/** What could not be read as its type comes in place of whatever the schema says there and below; the rest in the schema's order. */
function inOrder(mistakes: readonly Found[], found: readonly Found[]): readonly Found[] {
  if (mistakes.length === 0) return found
  const left = new Set(mistakes)
  const out: Found[] = []
  for (const one of found) {
    const mistake = mistakes.find(({ path }) => path.every((step, n) => step === one.path[n]))
    if (!mistake) out.push(one)
    else if (left.delete(mistake)) out.push(mistake)
  }
  // A schema that takes the text as well (anything at all) does not complain, yet was declared a number.
  return [...out, ...left]
}

/** Named as the client knows it. */
function onTheWire(found: Found): Found {
  const [name, ...rest] = found.path
  return typeof name === 'string' ? { ...found, path: [headerName(name), ...rest] } : found
}

/** The text at a path of the result: a single text may stand for a list of one, and the last of repeated texts is the value. */
function textAt(
  fields: Fields,
  path: Found['path'],
  lists: ReadonlySet<string>,
  secrets: ReadonlySet<string>,
): unknown {
  const [name, index] = path
  if (name === undefined)
    return Object.fromEntries(Object.entries(fields).map(([key, text]) => [key, secrets.has(key) ? MASK : text]))
  if (secrets.has(String(name)) && Object.hasOwn(fields, name)) return MASK
  const text = Object.hasOwn(fields, name) ? fields[String(name)] : undefined
  if (text === undefined) return undefined
  if (!lists.has(String(name))) return lastOf(text)
  const texts = typeof text === 'string' ? [text] : text
  return typeof index === 'number' ? texts[index] : texts
}

/** Secret whatever a schema says. */
const SECRET_HEADERS = ['authorization', 'proxy-authorization', 'cookie']

function lastOf(text: string | readonly string[]): string {
  return typeof text === 'string' ? text : text[text.length - 1]!
}
