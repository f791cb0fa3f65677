// Between what handlers hold and what MongoDB keeps: a schema's output here, its input there, as in bodies and answers.
//
//   handlers hold     MongoDB keeps
//   _id: text         ObjectId, where the schema declares no _id of its own; else what it declares
//   Date, Uint8Array  date, binary
//   bigint            long; read as bigint where the schema says so, as number elsewhere
//   Set               array
//   a codec's output  the codec's input
//
// What is read is validated as well: others write into collections too, and yesterday's code did.
import { type Binary, type Long, ObjectId } from 'mongodb'
import { type UsageError } from '../../core/error.ts'
import { HELD, type Described, type Node, resolve } from '../../schema/described.ts'
import { describe } from '../../schema/json-schema.ts'
import { Failed, type Found } from '../../schema/outcome.ts'
import { holdsMore } from '../../schema/revive.ts'
import { kindOf, type Schema } from '../../schema/schema.ts'
import { compileValidator, type Validate } from '../../schema/validator.ts'
import { isCodec, someInside, zodCore, type ZodSchema } from '../../schema/zod-library.ts'
import { DocumentError, misuse } from './errors.ts'
import { literal } from './literal.ts'

type Document = Record<string, unknown>

/** One collection's documents by its schema. Made once for a schema and kept. */
export class DocumentForm {
  readonly #where: string
  readonly #schema: Schema
  readonly #validate: Validate
  readonly #encode: (value: unknown) => unknown
  readonly #thaw: Thaw | undefined
  readonly #fields = new Map<string, (value: unknown) => unknown>()
  readonly #ownsId: boolean

  /**
   * @param where  'collection reviews', for messages
   * @throws UsageError for a schema that cannot be described, holds a one-way transform, or is not one of objects
   */
  constructor(schema: Schema, where: string) {
    const described = describe(schema, 'output', where)
    const { schema: root, components } = described
    const node = resolve(root, components)
    if (node.type !== undefined && node.type !== 'object')
      throw misuse('MONGO_SCHEMA', `${where}: documents are objects, and this schema is of ${String(node.type)}`)
    this.#where = where
    this.#schema = schema
    this.#ownsId = node.properties !== undefined && Object.hasOwn(node.properties, '_id')
    this.#validate = compileValidator(schema, described, where)
    this.#encode = encoder(schema, this.#validate, where)
    this.#thaw = compileThaw(described)
  }

  /** @returns what is stored of a new or a replaced document. @throws DocumentError, UnsafeValueError */
  toStored(document: object): Document {
    const { _id: id, ...rest } = document as Document
    const stored = literal(this.#encode(this.#ownsId ? document : rest), 'the document') as Document
    if (!this.#ownsId && id !== undefined) stored['_id'] = this.idToStored(id)
    return stored
  }

  /** @returns what is stored of a field of it. @throws DocumentError, UnsafeValueError */
  fieldToStored(name: string, value: unknown): unknown {
    let encode = this.#fields.get(name)
    if (!encode) this.#fields.set(name, (encode = this.#fieldEncoder(name)))
    return literal(encode(value), `the field ${name}`)
  }

  /** @throws DocumentError when it does not fit the schema */
  fromStored(stored: Document): object {
    const { _id: id, ...rest } = stored
    const thawed = readable(this.#ownsId ? stored : rest)
    const outcome = this.#validate(this.#thaw ? this.#thaw(thawed) : thawed)
    const document = settled(outcome, `${this.#where}: the document ${idText(id)} does not fit the schema`)
    if (this.#ownsId || id === undefined) return document as object
    return { _id: this.idFromStored(id), ...(document as object) }
  }

  /** What an id is looked for by. A text that is none stays one, and no ObjectId equals it. */
  readonly idToStored = (id: unknown): unknown => {
    if (this.#ownsId || typeof id !== 'string' || !/^[0-9a-f]{24}$/i.test(id)) return id
    return new ObjectId(id)
  }

  idFromStored(id: unknown): unknown {
    return isObjectId(id) ? id.toHexString() : readable(id)
  }

  #fieldEncoder(name: string): (value: unknown) => unknown {
    if (name === '_id') throw misuse('MONGO_UPDATE', `${this.#where}: the _id of a document cannot be changed`)
    const field = fieldSchema(this.#schema, name, this.#where)
    if (field === undefined) return value => value
    const where = `${this.#where}, field ${name}`
    return encoder(field, compileValidator(field, describe(field, 'output', where), where), where)
  }
}

/** @returns undefined where the library does not tell its fields' schemas. @throws UsageError where there is no such field */
function fieldSchema(schema: Schema, name: string, where: string): Schema | undefined {
  const fields =
    kindOf(schema) === 'zod'
      ? ((schema as unknown as ZodSchema)._zod.def['shape'] as Record<string, Schema> | undefined)
      : ((schema as { properties?: object }).properties as Record<string, Schema> | undefined)
  if (fields === undefined) return undefined
  if (Object.hasOwn(fields, name)) return fields[name]
  throw misuse('MONGO_UPDATE', `${where} has no field ${JSON.stringify(name)}`)
}

function encoder(schema: Schema, validate: Validate, where: string): (value: unknown) => unknown {
  const misfit = `${where}: the value does not fit the schema`
  if (kindOf(schema) !== 'zod' || !someInside(schema as unknown as ZodSchema, isCodec))
    return value => settled(validate(value), misfit)
  const core = zodCore()
  return value => {
    const result = (schema as unknown as ZodSchema)._zod.run(
      { value, issues: [] },
      { async: false, direction: 'backward' },
    )
    if (result instanceof Promise) throw asynchronous(where)
    if (result.issues.length === 0) return result.value
    const [first] = result.issues
    const { message } = core.util.finalizeIssue(first!, {}, core.config())
    throw new DocumentError(`${misfit}: ${(first!.path ?? []).map(String).join('.')} ${message}`)
  }
}

function settled(outcome: unknown, misfit: string): unknown {
  if (outcome instanceof Promise) throw asynchronous(misfit)
  if (outcome instanceof Failed) throw new DocumentError(`${misfit}: ${outcome.found.map(told).join('; ')}`)
  return outcome
}

function told({ path, msg }: Found): string {
  return path.length > 0 ? `${path.join('.')} ${msg}` : msg
}

function asynchronous(where: string): UsageError {
  return misuse('MONGO_SCHEMA', `${where}: a document cannot be validated asynchronously`)
}

/** For messages: an id of ours says nothing about a document; one of the application's may. */
function idText(id: unknown): string {
  return isObjectId(id) ? id.toHexString() : ''
}

function isObjectId(value: unknown): value is ObjectId {
  return bsonType(value) === 'ObjectId'
}

function bsonType(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as { _bsontype?: unknown })._bsontype : undefined
}

/** The driver's own types become JavaScript's where these can hold the value; ids anywhere become text. */
function readable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  switch (bsonType(value)) {
    case undefined:
      break
    case 'ObjectId':
      return (value as ObjectId).toHexString()
    case 'Long':
      return (value as Long).toBigInt()
    case 'Binary':
      return new Uint8Array((value as Binary).value())
    default:
      return value
  }
  if (Array.isArray(value)) return value.map(readable)
  const copy: Document = {}
  for (const [name, item] of Object.entries(value)) {
    if (name === '__proto__') Object.defineProperty(copy, name, { value: readable(item), enumerable: true })
    else copy[name] = readable(item)
  }
  return copy
}

type Thaw = (value: unknown) => unknown

/** @returns undefined where the schema holds neither bigint nor Set */
function compileThaw({ schema, components }: Described): Thaw | undefined {
  const compiled = new Map<Node, Thaw>()
  const compile = (node: Node): Thaw | undefined => {
    const at = resolve(node, components)
    if (!holdsMore(at, components, new Set())) return undefined
    let thaw = compiled.get(at)
    if (thaw) return thaw
    // Entered before it is built: a recursive schema meets itself.
    compiled.set(at, (thaw = value => built(value)))
    const built = build(at)
    return thaw
  }
  const build = (node: Node): Thaw => {
    if (node[HELD] === 'bigint')
      return value => (typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value)
    const fields = Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
      const thaw = compile(field)
      return thaw ? [{ name, thaw }] : []
    })
    const rest = typeof node.additionalProperties === 'object' ? compile(node.additionalProperties) : undefined
    const items = typeof node.items === 'object' ? compile(node.items) : undefined
    // The first member that changes the value: null and absent ones pass through all of them.
    const members = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])].flatMap(
      member => compile(member) ?? [],
    )
    const declared = new Set(Object.keys(node.properties ?? {}))
    return value => {
      if (Array.isArray(value)) {
        const list = items ? value.map(items) : value
        if (node[HELD] === 'set') return new Set<unknown>(list)
        if (items) return list
      } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
        const copy = { ...value } as Document
        for (const { name, thaw } of fields) if (Object.hasOwn(copy, name)) copy[name] = thaw(copy[name])
        if (rest) for (const name of Object.keys(copy)) if (!declared.has(name)) copy[name] = rest(copy[name])
        if (fields.length > 0 || rest) return copy
      }
      for (const thaw of members) {
        const thawed = thaw(value)
        if (thawed !== value) return thawed
      }
      return value
    }
  }
  return compile(schema)
}
