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
import { HELD, type Described, type Node, resolve } from '../../schema/described.ts'
import { describe } from '../../schema/json-schema.ts'
import { holdsMore } from '../../schema/revive.ts'
import type { Schema } from '../../schema/schema.ts'
import { compileValidator, type Validate } from '../../schema/validator.ts'
import { compileEncoder, type Encode, settled } from './encoder.ts'
import { misuse } from './errors.ts'
import { Fields } from './fields.ts'
import type { Convert } from './filter.ts'
import { literal } from './literal.ts'

type Document = Record<string, unknown>

/** One collection's documents by its schema. Made once for a schema and kept. */
export class DocumentForm {
  readonly fields: Fields
  readonly #where: string
  readonly #validate: Validate
  readonly #encode: Encode
  readonly #thaw: Thaw | undefined
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
    this.#ownsId = node.properties !== undefined && Object.hasOwn(node.properties, '_id')
    this.#validate = compileValidator(schema, described, where)
    this.#encode = compileEncoder(schema, where)
    this.#thaw = compileThaw(described)
    this.fields = new Fields(schema, where)
  }

  /** @returns what is stored of a new document, its id included. @throws DocumentError, UnsafeValueError */
  newToStored(document: object): Document {
    const stored = this.toStored(document)
    stored['_id'] ??= new ObjectId()
    return stored
  }

  /** @returns what is stored in the place of a document; without an id unless it has one. @throws DocumentError, UnsafeValueError */
  toStored(document: object): Document {
    const { _id: id, ...rest } = document as Document
    const stored = literal(this.#encode(this.#ownsId ? document : rest, this.#where), 'the document') as Document
    if (!this.#ownsId && id !== undefined) stored['_id'] = literal(this.idToStored(id), 'the _id')
    return stored
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

  /** How the values of a field, or of one inside others, are looked for. */
  readonly sought = (path: string): Convert =>
    path === '_id' && !this.#ownsId ? this.idToStored : this.fields.sought(path)

  idFromStored(id: unknown): unknown {
    return isObjectId(id) ? id.toHexString() : readable(id)
  }
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
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value
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
