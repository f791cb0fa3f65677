// The fields of a collection's documents, one at a time: what is written into them, and what they are looked for by.
//
// Handlers hold the same in a filter and a change as in a document: a codec's output is sought, and added to a list, as its input. What a
// change would leave behind that no read of the document takes is refused here, before it is there.
import { HELD, type Described, type Node, resolve, typesOf } from '../../schema/described.ts'
import { describe } from '../../schema/json-schema.ts'
import type { Schema } from '../../schema/schema.ts'
import { compileEncoder, type Encode, holdsCodec } from './encoder.ts'
import { DocumentError, misuse, UnsafeValueError } from './errors.ts'
import { type FieldSchema, fieldSchema, itemSchema } from './field-schema.ts'
import type { Convert } from './filter.ts'
import { literal } from './literal.ts'

export class Fields {
  readonly #schema: Schema
  readonly #where: string
  readonly #hasCodecs: boolean
  readonly #encoders = new WeakMap<Schema, Encode>()
  readonly #codecs = new WeakMap<Schema, boolean>()

  /** @param where  'collection reviews', for messages */
  constructor(schema: Schema, where: string) {
    this.#schema = schema
    this.#where = where
    this.#hasCodecs = holdsCodec(schema)
  }

  /** @returns what is stored of a field's value. @throws DocumentError, UnsafeValueError; UsageError `MONGO_UPDATE` */
  toStored(name: string, value: unknown): unknown {
    return this.#encoded(this.#changeable(name), name, value)
  }

  /** The same, of an item for a field's list. */
  itemToStored(name: string, value: unknown): unknown {
    const field = this.#changeable(name)
    return this.#encoded(field === 'any' ? field : (itemSchema(field) ?? 'any'), name, value)
  }

  /** What a number is raised by. */
  stepToStored(name: string, step: unknown): unknown {
    this.#changeable(name)
    if (typeof step !== 'bigint' && !Number.isFinite(step)) throw new UnsafeValueError(`increment.${name} is no number`)
    const described = describe(this.#schema, 'output', this.#where)
    const node = resolve(described.schema, described.components).properties?.[name]
    if (node && typeof step === 'number' && !Number.isInteger(step) && isWhole(node, described))
      throw new DocumentError(`${this.#where}, field ${name}: a whole number is raised by whole ones`)
    return literal(step, `increment.${name}`)
  }

  /** @throws UsageError `MONGO_UPDATE` for a field without which a document does not fit */
  removable(name: string): void {
    this.#changeable(name)
    const { schema, components } = describe(this.#schema, 'input', this.#where)
    if (resolve(schema, components).required?.includes(name))
      throw misuse('MONGO_UPDATE', `${this.#where}: no document is without ${JSON.stringify(name)}; make it optional`)
  }

  /**
   * @param filter  the driver's, and the update: what an upsert makes a document of
   * @throws UsageError `MONGO_UPDATE` when that has not all that each document has
   */
  makeable(filter: Readonly<Record<string, unknown>>, update: Readonly<Record<string, object>>): void {
    const named = Object.keys(filter)
    // Of conditions on whole documents the server may take fields too.
    if (named.some(name => name.startsWith('$'))) return
    const given = new Set(named.filter(name => saysEqual(filter[name])).map(path => path.split('.')[0]!))
    for (const [operator, values] of Object.entries(update))
      if (operator !== '$unset' && operator !== '$pullAll') for (const name of Object.keys(values)) given.add(name)
    const { schema, components } = describe(this.#schema, 'input', this.#where)
    const missing = (resolve(schema, components).required ?? []).filter(name => name !== '_id' && !given.has(name))
    if (missing.length > 0)
      throw misuse(
        'MONGO_UPDATE',
        `${this.#where}: an upsert would make a document without ${missing.join(', ')}; name what it begins with in setOnInsert`,
      )
  }

  /** @param path  names with dots between them. @returns what turns a value into what it is looked for by */
  sought(path: string): Convert {
    if (!this.#hasCodecs) return unchanged
    const found = this.#at(path)
    if (found === 'any' || found === 'none' || !this.#holdsCodec(found)) return unchanged
    const item = itemSchema(found)
    return value => {
      if (value === null || value === undefined) return value
      const isWhole = item === undefined || Array.isArray(value) || value instanceof Set
      try {
        return this.#encoder(isWhole ? found : item)(value, this.#where)
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error
        throw new UnsafeValueError(`filter.${path}: what is looked for does not fit the schema of the field`)
      }
    }
  }

  #at(path: string): FieldSchema {
    let at: FieldSchema = this.#schema
    for (const name of path.split('.')) {
      let isTaken = false
      for (let item = itemSchema(at); item !== undefined && !isTaken; item = itemSchema(at)) {
        at = item
        // The number of an item, which may be left out: then any of them will do.
        isTaken = /^\d+$/.test(name)
      }
      if (isTaken) continue
      at = fieldSchema(at, name)
      if (at === 'any' || at === 'none') break
    }
    return at
  }

  #changeable(name: string): Schema | 'any' {
    if (name === '_id') throw misuse('MONGO_UPDATE', `${this.#where}: the _id of a document cannot be changed`)
    const field = fieldSchema(this.#schema, name)
    if (field === 'none') throw misuse('MONGO_UPDATE', `${this.#where} has no field ${JSON.stringify(name)}`)
    return field
  }

  #encoded(schema: Schema | 'any', name: string, value: unknown): unknown {
    const what = `${this.#where}, field ${name}`
    return literal(schema === 'any' ? value : this.#encoder(schema)(value, what), `the field ${name}`)
  }

  #encoder(schema: Schema): Encode {
    let encode = this.#encoders.get(schema)
    if (!encode) this.#encoders.set(schema, (encode = compileEncoder(schema, this.#where)))
    return encode
  }

  #holdsCodec(schema: Schema): boolean {
    let holds = this.#codecs.get(schema)
    if (holds === undefined) this.#codecs.set(schema, (holds = holdsCodec(schema)))
    return holds
  }
}

/** Not an operator that is another one: its value is no value of a document. */
function saysEqual(sought: unknown): boolean {
  if (typeof sought !== 'object' || sought === null) return true
  return '$eq' in sought || !Object.keys(sought).some(name => name.startsWith('$'))
}

function isWhole(node: Node, { components }: Described): boolean {
  const members = (node.anyOf ?? [node]).map(member => resolve(member, components))
  return members.every(
    member => member[HELD] === 'bigint' || (typesOf(member).length > 0 && typesOf(member).every(isWholeType)),
  )
}

function isWholeType(type: string): boolean {
  return type === 'integer' || type === 'null'
}

function unchanged(value: unknown): unknown {
  return value
}
