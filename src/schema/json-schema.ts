// Describes any schema as JSON Schema 2020-12, in either direction, for coercion, serializers and OpenAPI 3.1.
import { UsageError } from '../core/error.ts'
import type { Described } from './described.ts'
import { describeJson } from './json-description.ts'
import { isOldZod } from './json-keywords.ts'
import { kindOf, type Schema } from './schema.ts'
import { describeZod, type Direction } from './zod-description.ts'
import type { ZodSchema } from './zod-library.ts'

export type { Described } from './described.ts'

/** The 2026 Standard JSON Schema: a Standard Schema that also tells its JSON Schema. */
interface StandardJsonSchema {
  readonly '~standard': {
    readonly vendor: string
    readonly jsonSchema?: Readonly<Record<Direction, (options: { target: string }) => Record<string, unknown>>>
  }
}

const done = new WeakMap<object, Partial<Record<Direction, Described>>>()

/**
 * What travels on the wire: `input` for what a route reads, `output` for what it returns.
 *
 * @param where  'POST /orders body': names the route in what is thrown
 * @returns the schema, and as components whatever it names. The same schema gives the same components in every route; two
 *   directions of one component may differ (a default makes a key optional on input); the document then names them apart. `{}`
 *   for a Standard Schema that gives no JSON Schema.
 * @throws UsageError `SCHEMA_NOT_DESCRIBABLE`
 */
export function describe(schema: Schema, direction: Direction, where: string): Described {
  const kept = done.get(schema) ?? {}
  const described = (kept[direction] ??= describeAnew(schema, direction, where))
  done.set(schema, kept)
  return described
}

function describeAnew(schema: Schema, direction: Direction, where: string): Described {
  if (kindOf(schema) !== undefined && isOldZod(schema))
    throw new UsageError(
      'SCHEMA_NO_ZOD',
      `${where}: this schema is of Zod 3; Zod 4.5 or newer is needed: import 'zod' of npm install zod@latest`,
    )
  switch (kindOf(schema)) {
    case 'zod':
      return describeZod(schema as unknown as ZodSchema, direction, where)
    case 'standard':
      return describeStandard(schema as StandardJsonSchema, direction, where)
    case 'json':
      return describeJson(schema, where, true)
    default:
      throw new UsageError(
        'SCHEMA_NOT_A_SCHEMA',
        `${where}: not a schema (Zod, a Standard Schema, TypeBox or JSON Schema)`,
      )
  }
}

function describeStandard(schema: StandardJsonSchema, direction: Direction, where: string): Described {
  const { jsonSchema, vendor } = schema['~standard']
  if (!jsonSchema) return { schema: {}, components: {} }
  let json: Record<string, unknown>
  try {
    json = jsonSchema[direction]({ target: 'draft-2020-12' })
  } catch (cause) {
    throw new UsageError(
      'SCHEMA_NOT_DESCRIBABLE',
      `${where}: ${vendor} cannot describe the schema: ${(cause as Error).message}`,
      { cause },
    )
  }
  return describeJson(json, where, false)
}
