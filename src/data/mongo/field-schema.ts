// Which schema a part of a document has, as far as its library tells: a field, an item of a list.
import { kindOf, type Schema } from '../../schema/schema.ts'
import type { ZodSchema } from '../../schema/zod-library.ts'

/** 'any': the library does not tell, or the schema takes whatever is there. 'none': documents have no such field. */
export type FieldSchema = Schema | 'any' | 'none'

export function fieldSchema(schema: Schema, name: string): FieldSchema {
  if (kindOf(schema) === 'json') return jsonField(schema as JsonObject, name)
  if (kindOf(schema) !== 'zod') return 'any'
  const { def } = bare(schema)._zod
  if (def.type === 'record') return def['valueType'] as Schema
  if (def.type !== 'object') return 'any'
  const shape = def['shape'] as Record<string, Schema>
  if (Object.hasOwn(shape, name)) return shape[name]!
  // Without a catch-all, what is not declared is not read either.
  const rest = def['catchall'] as ZodSchema | undefined
  return rest === undefined || rest._zod.def.type === 'never' ? 'none' : rest
}

/** @returns undefined for what is no list */
export function itemSchema(schema: Schema): Schema | undefined {
  if (kindOf(schema) === 'json') {
    const whole = schema as JsonObject
    return isSchema(whole.items) ? referring(whole.items, whole) : undefined
  }
  if (kindOf(schema) !== 'zod') return undefined
  const { def } = bare(schema)._zod
  if (def.type === 'array') return def['element'] as Schema
  return def.type === 'set' ? (def['valueType'] as Schema) : undefined
}

const WRAPPERS = new Set(['optional', 'nullable', 'default', 'prefault', 'nonoptional', 'readonly', 'catch', 'lazy'])

/** What stands inside of optional, nullable and the like. */
function bare(schema: Schema): ZodSchema {
  let at = schema as unknown as ZodSchema
  while (WRAPPERS.has(at._zod.def.type)) {
    const { type, getter, innerType } = at._zod.def
    at = type === 'lazy' ? (getter as () => ZodSchema)() : (innerType as ZodSchema)
  }
  return at
}

interface JsonObject {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly additionalProperties?: unknown
  readonly patternProperties?: object
  readonly items?: unknown
  readonly $defs?: object
  readonly definitions?: object
}

function jsonField(schema: JsonObject, name: string): FieldSchema {
  const { properties = {}, additionalProperties: rest, patternProperties } = schema
  const declared = Object.hasOwn(properties, name)
  const field = declared ? properties[name] : patternProperties === undefined ? rest : undefined
  if (isSchema(field)) return referring(field, schema)
  return field === false ? 'none' : 'any'
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null
}

const referrers = new WeakMap<object, Schema>()

/** A part by itself, which finds what it refers to where the whole has it. The same part gives the same object. */
function referring(part: Schema, { $defs, definitions }: JsonObject): Schema {
  if ($defs === undefined && definitions === undefined) return part
  let made = referrers.get(part)
  if (!made) {
    const named = { ...($defs && { $defs }), ...(definitions && { definitions }) }
    referrers.set(part, (made = { ...part, ...named }))
  }
  return made
}
